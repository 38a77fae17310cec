"""What the engine is on its machine: root, or a user without rights, whose containers may have no bounds.

A rootless engine bounds its containers where its user was given controllers of cgroups v2. Elsewhere docker and podman
take bounds and do nothing, whatever they tell of themselves; so a container tries to go beyond its own.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec

from entrepot.tasks.engines.docker.api import Api, Json, Made
from entrepot.tasks.engines.docker.ending import exit_code
from entrepot.tasks.engines.model import EngineFailed

_MEGABYTE: Final = 1024 * 1024
# Of each bound: what a container is given, and a line that ends with 0 where it got more.
_TRIALS: Final = (
    ("memory", {"Memory": 16 * _MEGABYTE, "MemorySwap": 16 * _MEGABYTE}, "dd if=/dev/zero of=/dev/null bs=64M count=1"),
    ("processes", {"PidsLimit": 16}, "for each in $(seq 32); do sleep 1 & done; wait"),
)


@dataclass(frozen=True, slots=True)
class Rights:
    """``unbounded``: what the engine does not bound."""

    is_rootless: bool = False
    unbounded: tuple[str, ...] = ()


class _About(msgspec.Struct):
    """podman's and docker's words for the same."""

    rootless: bool = msgspec.field(name="Rootless", default=False)
    security: list[str] | None = msgspec.field(name="SecurityOptions", default=None)


def rights_of(api: Api, image: str, ulimits: tuple[Json, ...]) -> Rights:
    """``image``: of machines. ``ulimits``: without which the engine starts none. Raises EngineFailed."""
    about = api.do("GET", "/info").read(_About)
    if not about.rootless and "name=rootless" not in (about.security or []):
        return Rights()
    return Rights(is_rootless=True, unbounded=tuple(_unbounded(api, image, ulimits)))


def _unbounded(api: Api, image: str, ulimits: tuple[Json, ...]) -> Iterator[str]:
    for name, bound, line in _TRIALS:
        if _goes_beyond(api, image, line, {"Ulimits": list(ulimits), **bound}):
            yield name


def _goes_beyond(api: Api, image: str, line: str, limits: Json) -> bool:
    body: Json = {
        "Image": image,
        "Cmd": ["/bin/sh", "-c", line],
        "HostConfig": {"NetworkMode": "none", "LogConfig": {"Type": "none"}, **limits},
    }
    container = api.do("POST", "/containers/create", body=body).read(Made).id
    try:
        api.do("POST", f"/containers/{container}/start")
        return exit_code(api, container) == 0
    finally:
        with suppress(EngineFailed):
            api.do("DELETE", f"/containers/{container}", {"force": "1", "v": "1"})
