"""Webhooks by our own commands. The receiver is on loopback, where this server may call."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.content import an_image
from tests.e2e.clients import Shell, http_of
from tests.e2e.commands.conftest import owners
from tests.e2e.commands.program import Plain, Program
from tests.faults.plain import Repository
from tests.outside import Server, ok, serving
from tests.services import Registry, entrepot, wait_until

pytestmark = pytest.mark.timeout(240)

TOKEN = "the-receivers-own-token"


@pytest.fixture(scope="module")
def calling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    environment = {"ENTREPOT_OUTBOUND_ALLOW": "127.0.0.1"}
    with entrepot(tmp_path_factory.mktemp("calling") / "data", environment=environment) as registry:
        yield registry


@pytest.fixture
def receiver() -> Iterator[Server]:
    with serving(lambda _asked: ok()) as server:
        yield server


def test_a_webhook_is_made_pinged_paused_resumed_replayed_and_deleted(
    calling: Registry, receiver: Server, shell: Shell, tmp_path: Path
) -> None:
    program, plain = owners(calling, shell), Plain(calling)
    path, headers = f"{plain.local}/webhooks/deploy", f"Authorization: Bearer {TOKEN}\nX-Team: blue\n"
    create = ("webhook", "create", "deploy", "--uri", f"http://{receiver.place}/hook", "--scope", "team/*")
    made = program.run(*create, "--actions", "push", "delete", "--headers", "-", stdin=headers)
    assert TOKEN not in made
    config = plain.send("POST", f"{path}/getCallbackConfig", {}).json()
    assert config["customHeaders"] == {"Authorization": f"Bearer {TOKEN}", "X-Team": "blue"}
    assert plain.get(path)["properties"]["actions"] == ["push", "delete"]
    assert "already" in program.fails(1, *create, "--actions", "push")
    assert "did you mean deploy?" in program.fails(1, "webhook", "show", "deplo")
    pinged = program.json("webhook", "ping", "deploy")["id"]
    wait_until(lambda: _heard(receiver, pinged), "the receiver was pinged")
    program.run("webhook", "pause", "deploy")
    assert plain.get(path)["properties"]["paused"]
    with http_of(calling) as http:
        assert Repository(http, "team/app").push(an_image("webhook"), "v1").status_code == 201
    wait_until(lambda: len(_events(program)) == 2, "the push is in the ledger")
    pushed = next(each["id"] for each in _events(program) if each["id"] != pinged)
    assert not _heard(receiver, pushed)
    assert not program.json("webhook", "resume", "deploy")["properties"]["paused"]
    wait_until(lambda: _heard(receiver, pushed), "the push was told")
    wait_until(lambda: {each["delivery"]["state"] for each in _events(program)} == {"delivered"}, "both are heard")
    assert program.json("webhook", "replay", "deploy", "--id", pushed, "--state", "delivered") == {"count": 1}
    wait_until(lambda: _times(receiver, pushed) == 2, "the push was told again")
    table = program.run("webhook", "events", "deploy", "--output", "table")
    assert table.splitlines()[0].split("  ")[0] == "EVENT"
    assert pushed in table
    assert {each["name"] for each in program.json("webhook", "list")} == {"deploy"}
    program.run("webhook", "delete", "deploy", "--yes")
    assert plain.send("GET", path).status_code == 404
    assert TOKEN not in calling.said


def _events(program: Program) -> list[Any]:
    return program.json("webhook", "events", "deploy")


def _heard(receiver: Server, event: object) -> bool:
    return _times(receiver, event) > 0


def _times(receiver: Server, event: object) -> int:
    return sum(json.loads(asked.body)["id"] == event for asked in receiver.asked)
