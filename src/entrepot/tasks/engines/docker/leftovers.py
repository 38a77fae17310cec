"""What a run has in the engine and on the disk, and how it goes: after the run, or after its worker died.

The engine's objects are found by label. What labels cannot tell lies in a folder of the worker's: the run's socket, a
link to its source folder, a list of the images that it made.
"""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec

from entrepot.tasks.engines.docker.api import Api, Json, Made
from entrepot.tasks.engines.docker.proxy.model import DEPLOYMENT_LABEL, RUN_LABEL, engine_name
from entrepot.tasks.engines.docker.site import WORKSPACE_VOLUME, Site
from entrepot.tasks.engines.model import WORKSPACE, EngineFailed

_GONE: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
_LOOKS: Final = 3
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


@dataclass(frozen=True, slots=True)
class Place:
    """A run's folder on the worker, that nobody else may enter."""

    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / "docker.sock"

    @property
    def images(self) -> Path:
        return self.folder / "images"

    def make(self, source: Path) -> None:
        """Raises EngineFailed."""
        try:
            self.folder.mkdir(mode=0o700, parents=True)
            (self.folder / "source").symlink_to(source.resolve(strict=True))
        except OSError as error:
            raise EngineFailed(f"{self.folder}: {error}") from None

    def made_images(self) -> list[str]:
        try:
            return self.images.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def remove(self) -> None:
        """The source folder too. Links in it are not followed."""
        with suppress(OSError):
            shutil.rmtree((self.folder / "source").readlink(), ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def places(folder: Path) -> dict[str, Place]:
    """By run."""
    return {each.name: Place(each) for each in folder.iterdir()} if folder.is_dir() else {}


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
            _empty_workspace(site, engine_name(run, WORKSPACE_VOLUME), labels)
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


def _empty_workspace(site: Site, volume: str, labels: Mapping[str, str]) -> None:
    """Steps wrote there as users that they chose; a worker that is not root could not remove it."""
    api = site.api
    if api.ask("GET", f"/volumes/{volume}").status != HTTPStatus.OK:
        return
    body: Json = {
        "Image": site.image,
        "Cmd": ["/bin/find", WORKSPACE, "-mindepth", "1", "-maxdepth", "1", "-exec", "/bin/rm", "-rf", "{}", "+"],
        "User": "0:0",
        "Labels": dict(labels),
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": ["DAC_OVERRIDE", "FOWNER"],
            "SecurityOpt": ["no-new-privileges"],
            "LogConfig": {"Type": "none"},
            "Binds": [f"{volume}:{WORKSPACE}"],
            "Ulimits": list(site.ulimits),
        },
    }
    made = api.do("POST", "/containers/create", body=body).read(Made)
    api.do("POST", f"/containers/{made.id}/start")
    api.do("POST", f"/containers/{made.id}/wait")
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
