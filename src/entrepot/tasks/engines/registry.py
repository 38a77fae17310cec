"""A run's own registry, asked by its worker through the guarded client."""

import json
from collections.abc import Callable
from http import HTTPStatus
from ssl import SSLContext
from typing import Final

from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound
from entrepot.outbound.connection import system_addresses
from entrepot.outbound.model import OutboundError, Request
from entrepot.tasks.engines.model import Answered, Asked, RunRegistry

_SECONDS: Final = 60.0
_LIMIT: Final = 16 * 1024 * 1024

# A client for one registry. Raises OSError for CAs that cannot be read.
Opened = Callable[[], Outbound]


def client_of(server: str, tls: SSLContext) -> Outbound:
    """For a registry that the operator named by its login server: its address may be private, or this machine's."""
    return Outbound(Permitted.of([server.rpartition(":")[0] or server]), tls, resolve=_resolved)


def own_registry(server: str, scheme: str, opened: Opened) -> RunRegistry:
    """``server``: its login server."""

    def ask(asked: Asked) -> Answered:
        try:
            outbound = opened()
        except OSError as error:
            return _failed(f"the registry's CA cannot be read: {error}")
        try:
            request = Request(
                asked.method, f"{scheme}://{server}{asked.target}", asked.headers, asked.body, _SECONDS, _LIMIT
            )
            answer = outbound.send(request)
        except OutboundError as error:
            return _failed(f"the worker does not reach the run's registry: {error}")
        finally:
            outbound.close()
        return Answered(answer.status, answer.headers, answer.body)

    return RunRegistry(server, ask)


def _resolved(host: str, port: int) -> list[str]:
    """Names below ``localhost`` are this machine (RFC 6761 section 6.3), which many resolvers do not know."""
    return system_addresses("localhost" if host.endswith(".localhost") else host, port)


def _failed(reason: str) -> Answered:
    body = json.dumps({"errors": [{"code": "UNAVAILABLE", "message": reason}]}).encode()
    return Answered(HTTPStatus.BAD_GATEWAY, {"content-type": "application/json"}, body)
