"""A pull runs one statement: what is known of access is remembered (DESIGN D9)."""

import time
from typing import Any

import psycopg
import pytest
from tests.content import an_image
from tests.integration.accounts import make_token, turn_admin_on
from tests.integration.oauth.forms import NIL, refresh_token
from tests.registry import Registry
from tests.wire import Client

PULLS = 200


class Counted:
    """The statements of this process: SQLite's hot reader tells each, and PostgreSQL's driver is asked for each."""

    def __init__(self, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        self._seen: list[str] = []
        self._since = time.monotonic()
        if registry.database.is_sqlite:
            for connection in registry.app._doors._reader._every:
                connection.set_trace_callback(self._seen.append)
        else:
            execute = psycopg.Cursor.execute

            def count(cursor: Any, query: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401  the driver's signature
                self._seen.append(str(query))
                return execute(cursor, query, *rest, **named)

            monkeypatch.setattr(psycopg.Cursor, "execute", count)

    @property
    def number(self) -> int:
        return len(self._seen)

    @property
    def chores(self) -> int:
        """At most so many are the worker's own: it looks at the access epoch, notes pulls, and writes the audit log."""
        return 20 + 20 * round(time.monotonic() - self._since)


async def _clients(worker: Registry, admin: str, token: str) -> dict[str, Client]:
    refresh = await refresh_token(worker)
    return {
        "the owner's token": await worker.bearer("repository:app:pull"),
        "the owner": worker.http,
        "the admin account": worker.nobody.signed_in("local", admin),
        "a repository token": worker.nobody.signed_in("ci-token", token),
        "a refresh token": worker.nobody.signed_in(NIL, refresh),
        "a repository token's access token": worker.nobody.bearing(
            await worker.token("repository:app:pull", client=worker.nobody.signed_in("ci-token", token))
        ),
    }


async def test_a_pull_runs_one_statement_whatever_it_is_signed_in_with(
    registry: Registry, start_registry, monkeypatch
) -> None:
    await registry.repository("app").push(an_image(), "v1")
    admin = turn_admin_on(registry).passwords[0].value
    token = make_token(registry, "ci-token", "repositories/app/content/read").passwords[0].value
    worker = await start_registry()
    clients = await _clients(worker, admin, token)
    for client in clients.values():
        assert (await client.get("/v2/app/manifests/v1")).status == 200
    counted = Counted(worker, monkeypatch)
    for _ in range(PULLS):
        for client in clients.values():
            assert (await client.get("/v2/app/manifests/v1")).status == 200
    expected = PULLS * len(clients)
    assert expected <= counted.number <= expected + counted.chores
