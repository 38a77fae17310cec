"""Webhooks, as az makes and uses them. The receiver is on loopback, which this server may not call, and says so."""

from typing import Any
from uuid import uuid4

import pytest
from tests.e2e.az.cli import Az
from tests.services import wait_until

pytestmark = pytest.mark.timeout(400)

Json = Any  # what az prints
URI = "https://127.0.0.1:1/hook"


def test_a_webhook_is_made_shown_pinged_changed_and_deleted(az: Az) -> None:
    name = f"hook{uuid4().hex[:12]}"
    this = ("--registry", "local", "--name", name)
    headers = ("--headers", "Authorization=Basic YWJjZGVm", "X-Team=blue")
    made = az.json("acr", "webhook", "create", *this, "--uri", URI, "--actions", "push", "delete", *headers)
    assert (made["name"], made["actions"], made["status"]) == (name, ["push", "delete"], "enabled")
    assert made["provisioningState"] == "Succeeded"
    assert made["scope"] == ""
    config = az.json("acr", "webhook", "get-config", *this)
    assert config == {"customHeaders": {"Authorization": "Basic YWJjZGVm", "X-Team": "blue"}, "serviceUri": URI}
    pinged = az.json("acr", "webhook", "ping", *this)
    wait_until(lambda: bool(_events(az, *this)), "the ping was tried", within=90)
    (event,) = _events(az, *this)
    assert event["id"] == pinged["id"]
    assert event["eventRequestMessage"]["content"]["action"] == "ping"
    assert event["eventRequestMessage"]["headers"]["Authorization"] == "******"
    assert event["eventResponseMessage"]["statusCode"] == "0"
    assert "outbound_allow" in event["eventResponseMessage"]["content"]
    changed = az.json(
        "acr", "webhook", "update", *this, "--scope", "app:*", "--status", "disabled", "--actions", "push"
    )
    assert (changed["scope"], changed["status"], changed["actions"]) == ("app:*", "disabled", ["push"])
    listed, shown = az.at_once(("acr", "webhook", "list", "--registry", "local"), ("acr", "webhook", "show", *this))
    assert name in {each["name"] for each in listed}
    assert (shown["scope"], shown["status"]) == ("app:*", "disabled")
    assert az.json("acr", "webhook", "get-config", *this) == config
    az.run("acr", "webhook", "delete", *this)
    assert "was not found" in az.refused("acr", "webhook", "show", *this)


def _events(az: Az, *this: str) -> list[Json]:
    """Those that a call was made of."""
    found = az.json("acr", "webhook", "list-events", *this)
    return [each for each in found if each.get("eventResponseMessage")]
