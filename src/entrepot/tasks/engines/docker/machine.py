"""One run's machine on a shared docker engine: a container with a shell and the client, and a socket of its own.

The container has no network, a root that cannot be written, no capabilities but one, and never the engine's socket.
Whatever the run starts, it starts through its own socket, beside this container, not in it.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec

from entrepot.tasks.engines.docker.acr_image import gateway_start
from entrepot.tasks.engines.docker.api import Json, Made
from entrepot.tasks.engines.docker.calls import Calls
from entrepot.tasks.engines.docker.folders import Folders
from entrepot.tasks.engines.docker.gateway.container import NAME, Gateway, gateway_of
from entrepot.tasks.engines.docker.gateway.inside import PLACE
from entrepot.tasks.engines.docker.leftovers import remove_of
from entrepot.tasks.engines.docker.places import Place
from entrepot.tasks.engines.docker.proxy import podman
from entrepot.tasks.engines.docker.proxy.containers import NOBODY, HostConfig, allowed
from entrepot.tasks.engines.docker.proxy.model import (
    DEPLOYMENT_LABEL,
    OWN_LABEL,
    RUN_LABEL,
    SOCKET,
    Flavor,
    engine_name,
)
from entrepot.tasks.engines.docker.proxy.run import EngineRun
from entrepot.tasks.engines.docker.proxy.server import Proxy
from entrepot.tasks.engines.docker.site import Site
from entrepot.tasks.engines.model import (
    HOME,
    HOME_VOLUME,
    WORKSPACE,
    WORKSPACE_VOLUME,
    Call,
    EngineFailed,
    EngineImage,
    Order,
    WayOut,
)

_RUN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_PROCESSES: Final = 1024
_PROCESSES_OF_GATEWAY: Final = 16

# The first process waits, and takes in what has lost its parent.
_STAY: Final = 'trap "exit 0" TERM; while :; do sleep 86400 & wait $!; done'


class _Image(msgspec.Struct, rename="pascal"):
    repo_tags: list[str] | None = None
    repo_digests: list[str] | None = None


class DockerMachine:
    def __init__(self, site: Site, place: Place, order: Order) -> None:
        """Raises EngineFailed; then nothing is left."""
        if _RUN.fullmatch(order.run) is None:
            raise EngineFailed(f"{order.run!r} is no name of a run: letters, digits and - only")
        if order.is_closed and site.flavor is Flavor.PODMAN:
            raise EngineFailed(f"podman cannot close a run's network ({podman.NOT_CLOSED}): its egress has to be open")
        self._site, self._place, self._order = site, place, order
        self._labels = {RUN_LABEL: order.run, DEPLOYMENT_LABEL: site.deployment}
        self._lock, self._closed = Lock(), False
        # Which has no network for its instructions but the engine's own, or none.
        self.has_buildkit = site.flavor is Flavor.DOCKER and order.way_out is None
        place.make(order.source)
        self._folders = Folders({WORKSPACE: order.source.resolve(), HOME: place.home})
        run = self._names()
        self._proxy = Proxy(place.socket, site.api.socket, run)
        self._gateway: Gateway | None = None
        try:
            if order.way_out is not None:
                run.gateway = self._gateway = self._opened(order.way_out, run.plain_network())
            self._calls = Calls(site.api, self._started(), self._watch)
        except BaseException:
            self.close()
            raise

    def shell(self, line: str, call: Call) -> int:
        return self._calls.run(["/bin/sh", "-c", line], call)

    def client(self, arguments: Sequence[str], call: Call) -> int:
        return self._calls.run(["/bin/docker", *arguments], call)

    def write(self, path: str, content: bytes) -> None:
        self._folders.write(path, content)

    def read(self, path: str, limit: int) -> bytes | None:
        return self._folders.read(path, limit)

    def images(self, names: Sequence[str]) -> list[EngineImage]:
        # Whatever the engine has against a name: it has no such image, and the others are told all the same.
        answers = [self._site.api.ask("GET", f"/images/{name}/json") for name in names]
        found = [answer.read(_Image) for answer in answers if answer.status == HTTPStatus.OK]
        return [EngineImage(tuple(each.repo_tags or ()), tuple(each.repo_digests or ())) for each in found]

    def remove(self, container: str) -> None:
        name = engine_name(self._order.run, container)
        gone = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)  # or about to go
        self._site.api.do("DELETE", f"/containers/{name}", {"force": "1", "v": "1"}, besides=gone)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._proxy.close()
        if self._gateway is not None:
            self._gateway.close()
        with suppress(EngineFailed):
            remove_of(self._site, self._order.run, self._place)
        self._place.remove()

    def _watch(self) -> None:
        if self._site.disk is not None:
            self._site.disk.watch(self._order.run)

    # --- how it is made -----------------------------------------------------------------------------------------------

    def _names(self) -> EngineRun:
        return EngineRun(
            self._site.api,
            self._order.run,
            str(self._place.socket),
            self._order.allowance,
            {**self._labels, OWN_LABEL: self._order.run},
            self._site.ulimits,
            self._site.grpc and not self._order.is_closed,
            self._place.images,
            self._order.registry,
            lambda: self._site.acr.ensure(self._site.api),
            self._order.is_closed,
            self._site.flavor,
            None if self._site.disk is None else self._site.disk.brought,
        )

    def _started(self) -> str:
        """The id of the container."""
        api, run = self._site.api, self._order.run
        self._volume(WORKSPACE_VOLUME, self._order.source.resolve())
        self._volume(HOME_VOLUME, self._place.home)
        made = api.do("POST", "/containers/create", {"name": f"{run}_.machine"}, self._container()).read(Made)
        api.do("POST", f"/containers/{made.id}/start")
        return made.id

    def _opened(self, way: WayOut, network: str) -> Gateway:
        """Raises EngineFailed."""
        site, limits = self._site, allowed(self._order.allowance, HostConfig(pids_limit=_PROCESSES_OF_GATEWAY))

        def container(place: str) -> Json:
            return {
                "Image": site.acr.ensure(site.api),
                "Entrypoint": gateway_start(),
                "User": "65534:65534",
                "Labels": self._labels,
                "HostConfig": {
                    "NetworkMode": network,
                    "Dns": [NOBODY],
                    "ReadonlyRootfs": True,
                    "CapDrop": ["ALL"],
                    "SecurityOpt": ["no-new-privileges"],
                    "LogConfig": {"Type": "none"},
                    "Binds": [f"{place}:{PLACE}"],
                    "Ulimits": list(site.ulimits),
                    **limits,
                },
                "NetworkingConfig": {"EndpointsConfig": {network: {"Aliases": [NAME]}}},
            }

        return gateway_of(site.api, self._place.folder, self._order.run, way, container)

    def _volume(self, name: str, folder: Path) -> None:
        body: Json = {
            "Name": engine_name(self._order.run, name),
            "Driver": "local",
            "DriverOpts": {"type": "none", "o": "bind", "device": str(folder)},
            "Labels": self._labels,
        }
        self._site.api.do("POST", "/volumes/create", body=body)

    def _container(self) -> Json:
        run = self._order.run
        limits = allowed(self._order.allowance, HostConfig(pids_limit=_PROCESSES))
        return {
            "Image": self._site.closed_image if self._order.is_closed else self._site.image,
            "Cmd": ["/bin/sh", "-c", _STAY],
            "WorkingDir": WORKSPACE,
            "User": "0:0",
            "Labels": self._labels,
            "HostConfig": {
                "NetworkMode": "none",
                "ReadonlyRootfs": True,
                "CapDrop": ["ALL"],
                # Steps write as whatever user their image has; a shell line or a build reads it all the same.
                "CapAdd": ["DAC_OVERRIDE"],
                "SecurityOpt": ["no-new-privileges"],
                "Tmpfs": {"/tmp": "size=64m,mode=1777"},  # noqa: S108  in the container
                "LogConfig": {"Type": "none"},
                "Binds": [
                    f"{engine_name(run, WORKSPACE_VOLUME)}:{WORKSPACE}",
                    f"{engine_name(run, HOME_VOLUME)}:{HOME}",
                    f"{self._place.socket}:{SOCKET}",
                ],
                "Ulimits": list(self._site.ulimits),
                **limits,
            },
        }
