"""What the tests of this folder hold: servers side by side, connections that stay open to them, their catalog."""

import base64
import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import Connection, select
from tests.services import Registry, wait_until

from entrepot.access.sealing import Sealer
from entrepot.catalog.model import RegistryId
from entrepot.db.database import Database
from entrepot.db.tables import registry
from entrepot.registries.model import Making

PULL = "/v2/app/manifests/v1"
_ASK = "/oauth2/token?scope=repository:app:pull&scope=registry:catalog:*"
# Of each server: with so many, no worker is left out.
CONNECTIONS = 16


@dataclass(frozen=True)
class Deployment:
    """Two servers on one catalog, and the key that they seal with."""

    servers: tuple[Registry, Registry]
    database: Database
    key: bytes

    @property
    def sealer(self) -> Sealer:
        return Sealer(base64.b64decode(self.key))

    @property
    def making(self) -> Making:
        return Making(datetime.now(UTC), lambda: str(uuid4()))

    def here(self, work: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401  what the work answers
        """A function of the default registry."""
        return self.database.write(lambda tx: work(tx, registry_id(tx), *arguments))

    def token(self, user: str, password: str, host: str = "localhost") -> str:
        """An access token of the second server, as soon as that knows the account."""
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {"authorization": f"Basic {basic}", "host": host}
        found: list[str] = []

        def is_given() -> bool:
            with closing(connect(self.servers[1])) as connection:
                connection.request("GET", _ASK, headers=headers)
                answer = connection.getresponse()
                body = answer.read()
                found.extend([json.loads(body)["access_token"]] if answer.status == HTTPStatus.OK else [])
            return bool(found)

        wait_until(is_given, "the account signs in")
        return found[0]

    @contextmanager
    def clients(self, token: str, target: str = PULL, host: str = "localhost") -> Iterator["Clients"]:
        """Connections to every worker that ask for one thing."""
        with ExitStack() as stack:
            made = [
                stack.enter_context(closing(connect(server))) for server in self.servers for _ in range(CONNECTIONS)
            ]
            yield Clients(made, target, {"authorization": f"Bearer {token}", "host": host})


def connect(server: Registry) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(server.endpoint).netloc, timeout=30)


def registry_id(tx: Connection, name: str = "local") -> RegistryId:
    return RegistryId(tx.execute(select(registry.c.id).where(registry.c.name == name)).scalar_one())


@dataclass(frozen=True)
class Clients:
    """Connections that are kept open between requests."""

    connections: list[http.client.HTTPConnection]
    target: str
    headers: dict[str, str]

    def statuses(self) -> set[int]:
        """One request on each."""
        found: set[int] = set()
        for connection in self.connections:
            connection.request("GET", self.target, headers=self.headers)
            answer = connection.getresponse()
            answer.read()
            found.add(answer.status)
        return found

    def seconds_until(self, status: int, limit: float = 10) -> float:
        """How long until every one of them answers so, on the connection that it began with."""
        started = time.monotonic()
        while self.statuses() != {status}:
            assert time.monotonic() - started < limit, "it does not stop"
        return time.monotonic() - started

    @property
    def ports(self) -> list[int]:
        """Ours, which change when a connection is made anew."""
        return [connection.sock.getsockname()[1] for connection in self.connections if connection.sock]
