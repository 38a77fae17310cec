"""A dockerd of this machine, as an engine of runs."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from entrepot.tasks.engines.docker.api import Api, Json, Made
from entrepot.tasks.engines.docker.disk import disk_of
from entrepot.tasks.engines.docker.image import Programs, ensure_image, found_programs
from entrepot.tasks.engines.docker.leftovers import remove_of, runs_of
from entrepot.tasks.engines.docker.machine import DockerMachine
from entrepot.tasks.engines.docker.places import Place, places
from entrepot.tasks.engines.docker.proxy.model import Flavor
from entrepot.tasks.engines.docker.rights import rights_of
from entrepot.tasks.engines.docker.site import Site
from entrepot.tasks.engines.model import EngineFailed, Machine, Order

SOCKET: Final = Path("/var/run/docker.sock")

# The newest version of the API that this was written against.
_NEWEST: Final = (1, 43)
# What every machine permits. podman raises both by default, docker none.
_CAPPED: Final[Mapping[Flavor, tuple[Json, ...]]] = {
    Flavor.DOCKER: ({"Name": "nofile", "Soft": 1024, "Hard": 1024},),
    Flavor.PODMAN: (
        {"Name": "nofile", "Soft": 1024, "Hard": 1024},
        {"Name": "nproc", "Soft": 1024, "Hard": 1024},
    ),
}


class _Part(msgspec.Struct, rename="pascal"):
    name: str = ""


class _Version(msgspec.Struct, rename="pascal"):
    version: str
    api_version: str
    components: list[_Part] = []

    @property
    def flavor(self) -> Flavor:
        is_podman = any(part.name == "Podman Engine" for part in self.components)
        return Flavor.PODMAN if is_podman else Flavor.DOCKER


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of the engine's disk. ``budget``: for the build cache and what runs pulled. ``least``: has to stay free."""

    budget: int
    least: int


@dataclass(frozen=True, slots=True)
class DockerEngine:
    """``folder``: where its runs' sockets lie, and nothing else. The engine mounts them from there, so it has the same
    path for both. ``site``: see there.
    """

    version: str
    folder: Path
    site: Site

    @property
    def name(self) -> str:
        return self.site.flavor

    def machine(self, order: Order) -> Machine:
        return DockerMachine(self.site, Place(self.folder / order.run), order)

    def clear(self, going: Callable[[], set[str]]) -> Mapping[str, str]:
        left = places(self.folder)
        there = runs_of(self.site.api, self.site.deployment) | left.keys()
        stays: dict[str, str] = {}
        for run in sorted(there - going()):
            place = left.get(run, Place(self.folder / run))
            try:
                remove_of(self.site, run, place)
            except EngineFailed as failed:
                stays[run] = str(failed)
            else:
                place.remove()
        if self.site.disk is not None:
            self.site.disk.tidy()
        return stays


def find(
    folder: Path, deployment: str, socket: Path = SOCKET, programs: Programs | None = None, room: Room | None = None
) -> DockerEngine:
    """The engine behind a socket, ready for runs: it has the machine's image, and has run it once.

    ``folder``: of this worker alone; what the engine keeps in it lies below ``docker``.
    ``deployment``: what tells this deployment's objects from another's on the same engine. Raises EngineFailed, with
    what is missing. ``room``: of its disk; None: it is not looked at.
    """
    told = Api(socket).do("GET", "/version").read(_Version)
    api = Api(socket, _version(told.api_version))
    grpc = told.flavor is Flavor.DOCKER and _refuses_its_network(api)
    programs = programs or found_programs()
    image = ensure_image(api, programs, with_buildx=grpc)
    closed = ensure_image(api, programs, with_buildx=False) if grpc else image
    runs = folder / "docker"
    disk = None if room is None else disk_of(api, folder, runs, room.budget, room.least)
    ulimits = _ulimits(api, image, told.flavor)
    rights = rights_of(api, image, ulimits)
    site = Site(api, image, closed, deployment, ulimits, grpc, told.flavor, disk, rights)
    return DockerEngine(told.version, runs, site)


def _version(engines: str) -> str:
    try:
        major, minor = (int(part) for part in engines.split("."))
    except ValueError:
        raise EngineFailed(f"the engine's API has the version {engines!r}, which is none") from None
    return "{}.{}".format(*min((major, minor), _NEWEST))


def _refuses_its_network(api: Api) -> bool:
    """Whether builds are kept out of the machine's network by the engine itself (``builder.entitlements``).

    BuildKit looks at what a build asks for before anything else; this one has no context that could be fetched.
    """
    query = {"version": "2", "networkmode": "host", "remote": "http://127.0.0.1:0/"}
    return b"network.host is not allowed" in api.ask("POST", "/build", query).body


def _ulimits(api: Api, image: str, flavor: Flavor) -> tuple[Json, ...]:
    """None as a rule. An engine that cannot raise its limits, told to give more, starts none: then it gives less."""
    try:
        _try(api, image, ())
    except EngineFailed as error:
        if "rlimit" not in str(error):
            raise
        _try(api, image, _CAPPED[flavor])
        return _CAPPED[flavor]
    return ()


def _try(api: Api, image: str, ulimits: tuple[Json, ...]) -> None:
    """Raises EngineFailed when a container does not start."""
    body: Json = {
        "Image": image,
        "Cmd": ["/bin/true"],
        "HostConfig": {
            "NetworkMode": "none",
            "AutoRemove": True,
            "LogConfig": {"Type": "none"},
            "Ulimits": list(ulimits),
        },
    }
    identifier = api.do("POST", "/containers/create", body=body).read(Made).id
    try:
        api.do("POST", f"/containers/{identifier}/start")
    finally:
        with suppress(EngineFailed):
            api.do("DELETE", f"/containers/{identifier}", {"force": "1", "v": "1"})
