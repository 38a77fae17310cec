"""The end of a container of the worker's own, by looking: podman's wait takes 20 s for one that has ended already."""

import time
from typing import Final

import msgspec

from entrepot.tasks.engines.docker.api import PATIENCE, Api
from entrepot.tasks.engines.model import EngineFailed

_LOOK_AGAIN: Final = 0.05
_GOING: Final = frozenset({"created", "initialized", "running", "stopping"})


class _State(msgspec.Struct, rename="pascal"):
    status: str
    exit_code: int = 0


class _Container(msgspec.Struct, rename="pascal"):
    state: _State


def exit_code(api: Api, container: str) -> int:
    """Once it has ended. Raises EngineFailed."""
    until = time.monotonic() + PATIENCE
    while (state := api.do("GET", f"/containers/{container}/json").read(_Container).state).status in _GOING:
        if time.monotonic() > until:
            raise EngineFailed(f"a container of the worker's own does not end within {PATIENCE:.0f} s")
        time.sleep(_LOOK_AGAIN)
    return state.exit_code
