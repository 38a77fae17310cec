"""The audit log over HTTP: for whoever may read the subscription's activity log, page by page."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select
from tests.integration.auditing.conftest import write
from tests.integration.gate.credentials import ACR_PULL
from tests.integration.rows import add_principal
from tests.registry import Registry
from tests.wire import Answer, Client

from entrepot.access.directory_tokens import Assertion, issue_directory_token
from entrepot.access.keyring import open_key
from entrepot.access.keys import Use
from entrepot.access.queries import signing_keys
from entrepot.app.secret_key import open_sealer
from entrepot.auditing.chaining import Chainer
from entrepot.db.access_tables import credential, principal
from entrepot.db.tables import subscription

ARM = "https://management.azure.com/"


def directory_token(registry: Registry, client_id: str, audience: str = ARM) -> str:
    """A token of the directory for a principal, as its sign-in hands it out."""

    def look(tx: Connection) -> tuple[Any, str, list[Any]]:
        who = tx.execute(select(principal).where(principal.c.client_id == client_id)).one()
        proof = tx.execute(select(credential.c.id).where(credential.c.principal_id == who.id).limit(1)).scalar_one()
        return who, proof, signing_keys(tx)

    who, proof, rows = registry.query(look)
    key = open_key(next(row for row in rows if row.use == Use.DIRECTORY), open_sealer(registry.settings))
    now = registry.clock.now
    says = Assertion(who.id, who.tenant_id, audience, client_id, "", proof, now, now + timedelta(hours=1))
    return issue_directory_token(says, "https://sts.example.com/", "an-id", key)


def audit_of(registry: Registry) -> str:
    return (
        f"/entrepot/subscriptions/{registry.query(lambda tx: tx.execute(select(subscription.c.id)).scalar_one())}/audit"
    )


@pytest.fixture
def owner(registry: Registry) -> Client:
    return registry.nobody.bearing(directory_token(registry, "the-owner"))


@pytest.fixture
def path(registry: Registry, chainer: Chainer) -> str:
    """Where seven chained entries are, a minute apart."""
    write(registry.database, registry.clock, 7)
    chainer.chain()
    return audit_of(registry)


def sequences(answer: Answer) -> list[int]:
    assert answer.status == 200, answer.body
    return [entry["sequence"] for entry in answer.json()["value"]]


async def test_entries_come_page_by_page(owner: Client, path: str) -> None:
    first = await owner.get(f"{path}?n=3")
    assert sequences(first) == [1, 2, 3]
    second = await owner.get(first.json()["nextLink"].partition("5000")[2])
    assert sequences(second) == [4, 5, 6]
    third = await owner.get(second.json()["nextLink"].partition("5000")[2])
    assert sequences(third) == [7]
    assert "nextLink" not in third.json()


async def test_an_entry_shows_what_was_written(owner: Client, path: str) -> None:
    entry = (await owner.get(f"{path}?n=1")).json()["value"][0]
    assert (entry["action"], entry["principal"], entry["result"]) == ("sign_in", "principal-1", "success")
    assert (entry["detail"], len(entry["hash"])) == ({}, 64)
    assert entry["at"] == "2024-05-06T07:08:09Z"


async def test_json_lines_are_an_entry_each_and_the_next_page_is_a_link(owner: Client, path: str) -> None:
    answer = await owner.get(f"{path}?n=2&action=sign_*", {"accept": "application/jsonl"})
    assert answer["content-type"] == "application/jsonl"
    assert [json.loads(line)["sequence"] for line in answer.body.splitlines()] == [1, 2]
    assert answer["link"].endswith('?action=sign_%2A&n=2&after=2>; rel="next"')


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("principal=principal-2", [2]),
        ("action=sign_in&n=2", [1, 2]),
        ("action=sign*&after=5", [6, 7]),
        ("action=sign", []),
        ("action=%25", []),
        ("result=denied", []),
        ("registry=local", []),
        ("since=2024-05-06T07:12:09Z", [5, 6, 7]),
        ("until=2024-05-06T07:10:09Z", [1, 2]),
        ("since=2024-05-06T07:09:09&until=2024-05-06T09:11:09%2B02:00", [2, 3]),
        ("after=99999999999999999", []),
    ],
)
async def test_entries_are_picked_by_who_what_when_and_how_it_ended(owner: Client, path: str, query, expected) -> None:
    assert sequences(await owner.get(f"{path}?{query}")) == expected


@pytest.mark.parametrize("query", ["since=yesterday", "n=x", "after=-1", "principal=%00"])
async def test_a_query_that_cannot_be_read_is_refused(owner: Client, path: str, query: str) -> None:
    assert (await owner.get(f"{path}?{query}")).status == 400


async def test_nobody_else_sees_it(registry: Registry, path: str) -> None:
    registry.query(lambda tx: add_principal(tx, "reader", "the reader's secret", ACR_PULL))
    reader = registry.nobody.bearing(directory_token(registry, "reader"))
    assert (await reader.get(path)).status == 403
    assert (await registry.nobody.get(path)).status == 401
    assert (await registry.http.get(path)).status == 401
    other_audience = directory_token(registry, "the-owner", "https://graph.microsoft.com")
    assert (await registry.nobody.bearing(other_audience).get(path)).status == 401
    elsewhere = Client(registry.app, "local.entrepot.localhost:5000")
    assert (await elsewhere.bearing(directory_token(registry, "the-owner")).get(path)).status == 404


async def test_another_subscription_is_not_the_owner_s(owner: Client, path: str) -> None:
    assert (await owner.get("/entrepot/subscriptions/00000000-0000-0000-0000-000000000001/audit")).status == 403
