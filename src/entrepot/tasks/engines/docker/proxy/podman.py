"""What podman's docker interface does otherwise than docker's, as far as a run would notice. Source: podman 4.3.

Bridges: one reaches the others, unless they are told to be apart, which podman's own interface alone can do; docker's
never do.

Internal networks: the engine's machine has an address in each that has names, and answers there for all its services;
names that are none of the network's are asked elsewhere. Without names it has one of IPv6 all the same. So a run that
is to reach nothing does not run on podman.

Waiting for what is not started yet: ``next-exit`` waits for ever where the container ended quickly, ``removed`` says 0
whatever the exit code was. So containers are never removed by podman itself: whoever waits for that, has it done here;
one that nobody waits for (``--detach --rm``) stays until the run ends.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import msgspec

from entrepot.tasks.engines.docker.proxy.model import Json, Manner, Passed, Run
from entrepot.tasks.engines.model import EngineFailed

VERSION: Final = "4.0.0"
NOT_CLOSED: Final = "from an internal one its containers reach the engine's machine and its name servers"
NETWORKS: Final = "/libpod/networks/create"
_ENDED: Final = frozenset({"exited", "stopped", "dead"})
_ALIVE: Final = frozenset({"running", "paused", "stopping", "restarting"})


class _Network(msgspec.Struct):
    id: str


class _State(msgspec.Struct, rename="pascal"):
    status: str
    exit_code: int = 0
    error: str = ""


class _Container(msgspec.Struct, rename="pascal"):
    state: _State


def network(body: Json) -> Passed:
    """``body``: of docker's interface."""
    return Passed(NETWORKS, body=network_body(body), answer=_network_made, version=f"/v{VERSION}")


def network_body(body: Json) -> Json:
    """Of docker's, for NETWORKS. ``isolate``: netavark 1.1."""
    return {
        "name": body["Name"],
        "driver": "bridge",
        "internal": body["Internal"],
        "labels": body["Labels"],
        "dns_enabled": True,
        "options": {"isolate": "true"},
    }


def _network_made(body: bytes) -> bytes:
    """The answer in docker's words."""
    return msgspec.json.encode({"Id": msgspec.json.decode(body, type=_Network).id, "Warning": ""})


def wait(run: Run, container: str, condition: str) -> Passed:
    """``condition``: docker's."""

    def ended(is_gone: Callable[[], bool]) -> bytes:
        """Each look whether the client is gone takes a moment, so this is the pause between two of ours."""
        while True:
            state = _state(run, container)
            if state is None or state.status in _ENDED or (not condition and state.status not in _ALIVE):
                break
            if is_gone():
                raise EngineFailed("nobody waits any more")
        if condition == "removed":
            run.ask("DELETE", f"/containers/{container}", {"force": "1", "v": "1"})
        code = 0 if state is None else state.exit_code
        return msgspec.json.encode({"StatusCode": code})

    return Passed(f"/containers/{container}/wait", manner=Manner.LATE, late=ended)


def _state(run: Run, container: str) -> _State | None:
    """None once it is gone."""
    status, body = run.ask("GET", f"/containers/{container}/json")
    if status == HTTPStatus.NOT_FOUND:
        return None
    try:
        return msgspec.json.decode(body, type=_Container).state
    except msgspec.MsgspecError as error:
        raise EngineFailed(f"podman tells no state of a container: {error}") from None
