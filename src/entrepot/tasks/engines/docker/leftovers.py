"""What a run has in the engine and on the disk, and how it goes: after the run, or after its worker died.

The engine's objects are found by label; what labels cannot tell lies in the run's place.
"""

import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from entrepot.tasks.engines.docker.api import Api, Json, Made
from entrepot.tasks.engines.docker.ending import exit_code
from entrepot.tasks.engines.docker.places import Place
from entrepot.tasks.engines.docker.proxy.model import DEPLOYMENT_LABEL, RUN_LABEL, engine_name
from entrepot.tasks.engines.docker.site import Site
from entrepot.tasks.engines.model import HOME, HOME_VOLUME, WORKSPACE, WORKSPACE_VOLUME

_GONE: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
_LOOKS: Final = 3
_FOLDERS: Final = {WORKSPACE_VOLUME: WORKSPACE, HOME_VOLUME: HOME}
_LISTS: Final = ("/containers/json", "/networks", "/volumes")


class Labeled(msgspec.Struct, rename="pascal"):
    """A container, a network, or a volume, which has a name alone."""

    id: str = ""
    name: str = ""
    labels: dict[str, str] | None = None


class _Image(msgspec.Struct, rename="pascal"):
    repo_tags: list[str] | None = None


class _Volumes(msgspec.Struct, rename="pascal"):
    volumes: list[Labeled] | None = None


def remove_of(site: Site, run: str, place: Place) -> None:
    """All that a run has in the engine, and the images of the place. Raises EngineFailed.

    A creation that was on its way is found by the next look.
    """
    api, labels = site.api, {RUN_LABEL: run, DEPLOYMENT_LABEL: site.deployment}
    for look in range(_LOOKS):
        containers = labeled(api, "/containers/json", labels)
        for container in containers:
            api.do("DELETE", f"/containers/{container.id}", {"force": "1", "v": "1"}, besides=_GONE)
        for network in labeled(api, "/networks", labels):
            api.do("DELETE", f"/networks/{network.id}", besides=(*_GONE, HTTPStatus.FORBIDDEN))  # one still ends in it
        if look == 0 and os.geteuid() != 0:
            _empty_folders(site, run, labels)
        for volume in labeled(api, "/volumes", labels):
            api.do("DELETE", f"/volumes/{volume.name}", {"force": "1"}, besides=_GONE)
        if not containers:
            break
    _remove_images(api, set(place.made_images()))


def _remove_images(api: Api, images: set[str]) -> None:
    """Names first. What has a name then is another run's too, and so is what a container uses."""
    ids = {image for image in images if image.startswith("sha256:")}
    for name in images - ids:
        api.do("DELETE", f"/images/{name}", besides=(*_GONE, HTTPStatus.BAD_REQUEST))
    for image in ids:
        found = api.do("GET", f"/images/{image}/json", besides=_GONE)
        if found.status == HTTPStatus.OK and not found.read(_Image).repo_tags:
            api.do("DELETE", f"/images/{image}", besides=_GONE)


def _empty_folders(site: Site, run: str, labels: Mapping[str, str]) -> None:
    """Steps wrote there as users that they chose; a worker that is not root could not remove it."""
    api = site.api
    volumes = {engine_name(run, name): place for name, place in _FOLDERS.items()}
    there = {
        name: place for name, place in volumes.items() if api.ask("GET", f"/volumes/{name}").status == HTTPStatus.OK
    }
    if not there:
        return
    folders = there.values()
    body: Json = {
        "Image": site.image,
        "Cmd": ["/bin/find", *folders, "-mindepth", "1", "-maxdepth", "1", "-exec", "/bin/rm", "-rf", "{}", "+"],
        "User": "0:0",
        "Labels": dict(labels),
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": ["DAC_OVERRIDE", "FOWNER"],
            "SecurityOpt": ["no-new-privileges"],
            "LogConfig": {"Type": "none"},
            "Binds": [f"{name}:{place}" for name, place in there.items()],
            "Ulimits": list(site.ulimits),
        },
    }
    made = api.do("POST", "/containers/create", body=body).read(Made)
    api.do("POST", f"/containers/{made.id}/start")
    exit_code(api, made.id)
    api.do("DELETE", f"/containers/{made.id}", {"force": "1"}, besides=_GONE)


def labeled(api: Api, path: str, labels: Mapping[str, str]) -> list[Labeled]:
    """Containers, networks or volumes. Raises EngineFailed."""
    filters = {"label": [f"{name}={value}" for name, value in labels.items()]}
    query = {"filters": msgspec.json.encode(filters).decode()} | ({"all": "1"} if path == "/containers/json" else {})
    answer = api.do("GET", path, query)
    return answer.read(_Volumes).volumes or [] if path == "/volumes" else answer.read(list[Labeled])


def runs_of(api: Api, deployment: str) -> set[str]:
    """Whose runs have anything in the engine. Raises EngineFailed."""
    found = [each for path in _LISTS for each in labeled(api, path, {DEPLOYMENT_LABEL: deployment})]
    return {each.labels[RUN_LABEL] for each in found if each.labels and RUN_LABEL in each.labels}
