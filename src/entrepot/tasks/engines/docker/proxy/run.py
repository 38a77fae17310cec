"""What is a run's own on a shared engine: names by their beginning, ids by the label of what they stand for."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec

from entrepot.tasks.engines.docker.api import Api
from entrepot.tasks.engines.docker.proxy import podman
from entrepot.tasks.engines.docker.proxy.model import (
    IDENTIFIER,
    NAME,
    OWN_LABEL,
    Flavor,
    Json,
    Refused,
    WayThrough,
    engine_name,
)
from entrepot.tasks.engines.docker.proxy.networks import Network, network_body
from entrepot.tasks.engines.model import Allowance, RunRegistry

# Stands for docker's plain bridge, on which the containers of all runs would meet.
PLAIN: Final = "bridge"
# Docker has addresses for some thirty networks, and all runs of an engine share them.
NETWORKS: Final = 8
# Seconds after which a network that was asked for is there, or will never be.
_COMING: Final = 30.0


class _Labeled(msgspec.Struct, rename="pascal"):
    labels: dict[str, str] | None = None


class _Network(_Labeled, kw_only=True, rename="pascal"):
    name: str
    containers: dict[str, object] | None = None


class _Listed(msgspec.Struct, rename="pascal"):
    names: list[str] | None = None


class _Container(msgspec.Struct, rename="pascal"):
    id: str
    config: _Labeled


class _Execution(msgspec.Struct):
    container: str = msgspec.field(name="ContainerID")


class _Image(msgspec.Struct, rename="pascal"):
    id: str
    repo_tags: list[str] | None = None


@dataclass(slots=True)
class EngineRun:
    """``images``: a file with the images that the run made, for whoever clears up after a dead worker.

    ``acr_image``: makes the image ``acr``, if need be; its id. ``brought``: is told of images before they are pulled.
    """

    api: Api
    name: str
    socket: str
    allowance: Allowance
    labels: Mapping[str, str]
    ulimits: tuple[Json, ...]
    grpc: bool
    images: Path
    registry: RunRegistry | None
    acr_image: Callable[[], str]
    is_closed: bool
    flavor: Flavor = Flavor.DOCKER
    brought: Callable[[str], None] | None = None
    gateway: WayThrough | None = None
    _lock: Lock = field(default_factory=Lock)
    _made: set[str] = field(default_factory=set[str])
    _pulled: set[str] = field(default_factory=set[str])
    _coming: dict[str, float] = field(default_factory=dict[str, float])

    def ask(self, method: str, path: str, query: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        answer = self.api.ask(method, path, query)
        return answer.status, answer.body

    def new_name(self) -> str:
        return secrets.token_hex(6)

    def container(self, reference: str) -> str:
        reference = reference.removeprefix("/")
        for name in self._names(reference):
            found = self.api.ask("GET", f"/containers/{name}/json")
            if found.status == HTTPStatus.OK:
                told = found.read(_Container)
                if self._is_own(told.config):
                    return told.id
        raise Refused(f"No such container: {reference[:200]}", HTTPStatus.NOT_FOUND)

    def network(self, reference: str) -> str:
        for name in self._names(reference):
            found = self.api.ask("GET", f"/networks/{name}")
            if found.status == HTTPStatus.OK:
                told = found.read(_Network)
                if self._is_own(told):
                    with self._lock:
                        self._coming.pop(told.name, None)
                    return told.name
        raise Refused(f"network {reference[:200]} not found", HTTPStatus.NOT_FOUND)

    def execution(self, identifier: str) -> str:
        if IDENTIFIER.fullmatch(identifier):
            found = self.api.ask("GET", f"/exec/{identifier}/json")
            if found.status == HTTPStatus.OK:
                self.container(found.read(_Execution).container)
                return identifier
        raise Refused(f"No such exec instance: {identifier[:80]}", HTTPStatus.NOT_FOUND)

    def plain_network(self) -> str:
        name = engine_name(self.name, PLAIN)
        with self._lock:
            if self.api.ask("GET", f"/networks/{name}").status == HTTPStatus.NOT_FOUND:
                body = network_body(self, Network(name=PLAIN))
                if self.flavor is Flavor.PODMAN:
                    own = replace(self.api, version=podman.VERSION)
                    own.do("POST", podman.NETWORKS, body=podman.network_body(body))
                else:
                    self.api.do("POST", "/networks/create", body=body)
                if self.gateway is not None:
                    self.gateway.join(name)
        return name

    def make_room(self, network: str) -> None:
        """What is on its way counts, so that requests at once cannot pass together."""
        now = time.monotonic()
        with self._lock:
            listed = self.api.do("GET", "/networks", self._owned).read(list[_Network])
            there = {each.name for each in listed}
            awaited = {name: since for name, since in self._coming.items() if now - since < _COMING}
            coming = {name: since for name, since in awaited.items() if name not in there}
            name = engine_name(self.name, network)
            if len(there | coming.keys() | {name}) > NETWORKS:
                raise Refused(f"a run may have {NETWORKS} networks at a time; remove one first (docker network rm)")
            self._coming = coming | {name: now}

    def containers(self) -> list[str]:
        listed = self.api.do("GET", "/containers/json", {"all": "1", **self._owned}).read(list[_Listed])
        own = f"/{self.name}_"
        return [name.removeprefix(own) for each in listed for name in each.names or () if name.startswith(own)]

    def is_alone(self, network: str) -> bool:
        there = self.api.do("GET", f"/networks/{network}").read(_Network).containers or {}
        return self.gateway is not None and set(there) <= {self.gateway.container}

    def volume(self, name: str) -> str:
        """Made before the engine makes it by itself, which would give it no label."""
        full = engine_name(self.name, name)
        with self._lock:
            if self.api.ask("GET", f"/volumes/{full}").status == HTTPStatus.NOT_FOUND:
                self.api.do("POST", "/volumes/create", body={"Name": full, "Labels": dict(self.labels)})
        return full

    def made(self, image: str) -> None:
        with self._lock:
            if image not in self._made:
                self._made.add(image)
                with self.images.open("a", encoding="utf-8") as file:
                    file.write(f"{image}\n")

    def may_remove(self, image: str) -> bool:
        with self._lock:
            if image in self._made and not image.startswith("sha256:"):
                return True
        found = self.api.ask("GET", f"/images/{image}/json")
        if found.status != HTTPStatus.OK:
            return False
        told = found.read(_Image)
        with self._lock:
            return told.id in self._made and self._made.issuperset(told.repo_tags or ())

    def pulled(self, image: str) -> None:
        if self.brought is not None:
            self.brought(image)
        with self._lock:
            self._pulled.add(image)

    def knows(self, image: str) -> bool:
        with self._lock:
            return image in self._made or image in self._pulled

    def _names(self, reference: str) -> list[str]:
        """A name of the run first, then an id. Both are looked up, so neither can be mistaken for the other."""
        if NAME.fullmatch(reference) is None:
            return []
        return [engine_name(self.name, reference), *([reference] if IDENTIFIER.fullmatch(reference) else [])]

    @property
    def _owned(self) -> dict[str, str]:
        """The query of a list of what is the run's own."""
        return {"filters": json.dumps({"label": [f"{OWN_LABEL}={self.name}"]})}

    def _is_own(self, labeled: _Labeled) -> bool:
        return (labeled.labels or {}).get(OWN_LABEL) == self.name
