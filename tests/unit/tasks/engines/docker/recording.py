"""A run without an engine: it has one container, one network and one exec, and records what was made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlencode

from entrepot.tasks.engines.docker.gateway.container import leading
from entrepot.tasks.engines.docker.proxy.model import Flavor, Json, Passed, Refused, WayThrough, engine_name
from entrepot.tasks.engines.docker.proxy.routes import find
from entrepot.tasks.engines.model import Allowance, RunRegistry, WayOut

CONTAINER = "c0ffee" + "0" * 58
EXECUTION = "e" * 64
LABELS = {"entrepot.run": "r1", "entrepot.own": "r1", "entrepot.deployment": "d"}


@dataclass
class RecordingGateway:
    way: WayOut
    container: str = "9a7e" * 16
    joined: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def join(self, network: str) -> None:
        self.joined.append(network)

    def leave(self, network: str) -> None:
        self.left.append(network)

    def variables(self, given: Iterable[str], near: Iterable[str]) -> dict[str, str]:
        return leading(given, near)


@dataclass
class RecordingRun:
    name: str = "r1"
    socket: str = "/run/entrepot/r1/docker.sock"
    allowance: Allowance = field(default_factory=Allowance)
    labels: Mapping[str, str] = field(default_factory=lambda: dict(LABELS))
    ulimits: tuple[Json, ...] = ()
    grpc: bool = False
    registry: RunRegistry | None = None
    is_closed: bool = False
    gateway: WayThrough | None = None
    names: list[str] = field(default_factory=list)
    crowded: set[str] = field(default_factory=set)
    images: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    volumes: list[str] = field(default_factory=list)
    flavor: Flavor = Flavor.DOCKER
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, query: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """One of ``answers`` after another."""
        self.asked.append(f"{method} {path}{'?' if query else ''}{urlencode(query or {})}")
        return self.answers.pop(0)

    def container(self, reference: str) -> str:
        if reference in {"nginx", CONTAINER}:
            return CONTAINER
        raise Refused(f"No such container: {reference}", HTTPStatus.NOT_FOUND)

    def network(self, reference: str) -> str:
        if reference == "app":
            return "r1_app"
        raise Refused(f"network {reference} not found", HTTPStatus.NOT_FOUND)

    def execution(self, identifier: str) -> str:
        if identifier == EXECUTION:
            return identifier
        raise Refused("No such exec instance", HTTPStatus.NOT_FOUND)

    def make_room(self, network: str) -> None:
        if network == "one-too-many":
            raise Refused("no room")

    def containers(self) -> list[str]:
        return self.names

    def is_alone(self, network: str) -> bool:
        return network not in self.crowded

    def plain_network(self) -> str:
        return "r1_bridge"

    def new_name(self) -> str:
        return "nameless"

    def volume(self, name: str) -> str:
        self.volumes.append(name)
        return engine_name(self.name, name)

    def acr_image(self) -> str:
        return f"sha256:{'a' * 64}"

    def made(self, image: str) -> None:
        self.images.add(image)

    def may_remove(self, image: str) -> bool:
        return image in self.images

    def pulled(self, image: str) -> None:
        self.shared.add(image)

    def knows(self, image: str) -> bool:
        return image in self.images | self.shared


def passed(line: str, body: Json | None = None, run: RecordingRun | None = None) -> Passed:
    """``line``: a method and a target."""
    method, _, target = line.partition(" ")
    return find(method, target).passed(run or RecordingRun(), body or {})
