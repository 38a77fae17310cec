"""A run's gateway: a container in each of its networks, and the worker's proxy behind it.

It has the run's label, so that it goes with the run, and not the one by which a run finds its own: no step sees, stops,
enters or replaces it. It has no more network than the steps have, so it is worth nothing to whoever gets into it.
"""

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from entrepot.tasks.engines.docker.api import Api, Json, Made
from entrepot.tasks.engines.docker.gateway.inside import PORT
from entrepot.tasks.engines.docker.gateway.passing import CONNECTIONS, serve
from entrepot.tasks.engines.docker.proxy.server import listening
from entrepot.tasks.engines.docker.serving import Server
from entrepot.tasks.engines.model import EngineFailed, WayOut

# What it is called in the run's networks.
NAME: Final = "entrepot-egress"
_BEGINS_WITHIN: Final = 60.0
_HERE: Final = ("localhost", "127.0.0.1", "::1")
_PROXIES: Final = ("http_proxy", "https_proxy")
_NONE_FOR: Final = "no_proxy"


@dataclass(frozen=True, slots=True)
class Gateway:
    """``container``: its id."""

    api: Api
    container: str
    way: WayOut
    _server: Server
    _tie: socket.socket

    def join(self, network: str) -> None:
        """Raises EngineFailed."""
        body: Json = {"Container": self.container, "EndpointConfig": {"Aliases": [NAME]}}
        self.api.do("POST", f"/networks/{network}/connect", body=body)

    def leave(self, network: str) -> None:
        body: Json = {"Container": self.container, "Force": True}
        self.api.ask("POST", f"/networks/{network}/disconnect", body=body)

    def variables(self, given: Iterable[str], near: Iterable[str]) -> dict[str, str]:
        return leading(given, [*self.way.near, *near])

    def close(self) -> None:
        self._server.close()
        self._tie.close()


def leading(given: Iterable[str], near: Iterable[str]) -> dict[str, str]:
    """Variables that lead programs to the gateway, where ``given`` has no such name in either case.

    ``near``: hosts that are reached without it.
    """
    url = f"http://{NAME}:{PORT}"
    values = dict.fromkeys(_PROXIES, url) | {_NONE_FOR: ",".join(dict.fromkeys([*_HERE, *near]))}
    theirs = {name.lower() for name in given}
    return {form: values[name] for name in values if name not in theirs for form in (name, name.upper())}


def gateway_of(api: Api, folder: Path, name: str, way: WayOut, create: Callable[[str], Json]) -> Gateway:
    """``folder``: the run's, on this machine. ``create``: the body of the container, told where its socket is.
    Raises EngineFailed; then what there is of it has the run's label.
    """
    place = folder / "gateway.sock"
    with listening(place) as here:
        here.settimeout(_BEGINS_WITHIN)
        made = api.do("POST", "/containers/create", {"name": f"{name}_.gateway"}, create(str(place))).read(Made)
        api.do("POST", f"/containers/{made.id}/start")
        try:
            tie, _ = here.accept()
            listener = _handed(tie)
        except OSError as error:
            raise EngineFailed(f"the run's gateway does not begin: {error}") from None
        finally:
            place.unlink()
    return Gateway(api, made.id, way, Server(listener, name, partial(serve, way=way), CONNECTIONS), tie)


def _handed(tie: socket.socket) -> socket.socket:
    """Raises OSError."""
    tie.settimeout(_BEGINS_WITHIN)
    _, handed, *_ = socket.recv_fds(tie, 1, 1, socket.MSG_CMSG_CLOEXEC)
    if not handed:
        raise OSError("it hands on no socket")
    return socket.socket(fileno=handed[0])
