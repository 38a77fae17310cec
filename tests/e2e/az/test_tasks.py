"""Tasks and agent pools as resources, as az makes and changes them."""

from typing import Any
from uuid import uuid4

import pytest
from tests.e2e.az.cli import Az

pytestmark = pytest.mark.timeout(600)

Json = Any  # what az prints
CONTEXT = "https://git.example/team/app.git#main"
HOST = "registry.example"


def test_a_task_of_a_repository_is_made_changed_and_deleted(az: Az) -> None:
    name = f"task-{uuid4().hex[:12]}"
    this = ("--registry", "local", "--name", name)
    build = ("--context", CONTEXT, "--file", "Dockerfile", "--image", "app:{{.Run.ID}}")
    arguments = ("--arg", "version=1", "--secret-arg", "key=the-key", "--git-access-token", "the-token")
    made = az.json("acr", "task", "create", *this, *build, *arguments, "--schedule", "0 4 * * *")
    assert (made["name"], made["provisioningState"], made["status"]) == (name, "Succeeded", "Enabled")
    assert (made["platform"]["os"], made["agentConfiguration"]["cpu"], made["timeout"]) == ("linux", 2, 3600)
    assert (made["step"]["type"], made["step"]["contextPath"]) == ("Docker", CONTEXT)
    assert [each.get("value") for each in made["step"]["arguments"]] == ["1", None]
    assert made["trigger"]["baseImageTrigger"]["name"] == "defaultBaseimageTriggerName"
    assert made["trigger"]["sourceTriggers"][0]["sourceTriggerEvents"] == ["commit"]
    assert made["trigger"]["timerTriggers"][0]["schedule"] == "0 4 * * *"
    # az 2.91 cannot change a task that has a source trigger: it fails at writing its own request.
    again = az.json("acr", "task", "create", *this, *build, *arguments, "--commit-trigger-enabled", "false")
    assert (again["id"], again["trigger"]["sourceTriggers"]) == (made["id"], None)
    changed = az.json("acr", "task", "update", *this, "--status", "Disabled", "--no-cache", "true")
    assert (changed["status"], changed["step"]["noCache"], changed["step"]["dockerFilePath"]) == (
        "Disabled",
        True,
        "Dockerfile",
    )
    assert [each["name"] for each in changed["step"]["arguments"]] == ["version", "key"]
    listed, shown, details = az.at_once(
        ("acr", "task", "list", "--registry", "local"),
        ("acr", "task", "show", *this),
        ("acr", "task", "show", *this, "--with-secure-properties"),
    )
    assert name in {each["name"] for each in listed}
    assert (shown, "the-key" in str(shown), "the-token" in str(shown)) == (changed, False, False)
    assert [each["value"] for each in details["step"]["arguments"]] == ["1", "the-key"]
    assert details["step"]["contextAccessToken"] == "the-token"
    az.run("acr", "task", "delete", *this, "--yes")
    assert name not in {each["name"] for each in az.json("acr", "task", "list", "--registry", "local")}


def test_a_task_without_files_has_timers_logins_and_an_identity(az: Az) -> None:
    this = ("--registry", "local", "--name", f"task-{uuid4().hex[:12]}")
    made = az.json("acr", "task", "create", *this, "--cmd", "bash echo hello", "--context", "/dev/null")
    assert (made["step"]["type"], made.get("identity"), made.get("credentials")) == ("EncodedTask", None, None)
    _timers(az, *this)
    _logins(az, *this)
    _identity(az, *this)
    az.run("acr", "task", "delete", *this, "--yes")


def _timers(az: Az, *this: str) -> None:
    timer = ("acr", "task", "timer")
    for name, schedule in (("first", "0 1 * * *"), ("second", "0 2 * * *")):
        az.run(*timer, "add", *this, "--timer-name", name, "--schedule", schedule)
    az.run(*timer, "update", *this, "--timer-name", "second", "--enabled", "false")
    listed = az.json(*timer, "list", *this)
    assert [(each["name"], each["schedule"], each["status"]) for each in listed] == [
        ("first", "0 1 * * *", "Enabled"),
        ("second", "0 2 * * *", "Disabled"),
    ]
    az.run(*timer, "remove", *this, "--timer-name", "first")
    assert [each["name"] for each in az.json(*timer, "list", *this)] == ["second"]


def _logins(az: Az, *this: str) -> None:
    credential, server = ("acr", "task", "credential"), ("--login-server", HOST)
    added = az.json(*credential, "add", *this, *server, "--username", "robot", "--password", "the-password")
    assert added[HOST]["userName"]["value"] == "robot"
    assert "the-password" not in str(added)
    az.run(*credential, "update", *this, *server, "--username", "robot", "--password", "another")
    assert az.json(*credential, "list", *this)[HOST]["password"]["value"] == "another"
    az.run(*credential, "remove", *this, *server)
    assert not az.json(*credential, "list", *this)


def _identity(az: Az, *this: str) -> None:
    identity = ("acr", "task", "identity")
    az.run(*identity, "assign", *this)
    shown = az.json(*identity, "show", *this)
    assert (shown["type"], bool(shown["principalId"]), bool(shown["tenantId"])) == ("SystemAssigned", True, True)
    az.run(*identity, "remove", *this, "--identities", "[all]")
    assert not az.json(*identity, "show", *this)


def test_a_pool_is_made_scaled_and_deleted(az: Az) -> None:
    name = f"pool{uuid4().hex[:12]}"
    this = ("--registry", "local", "--name", name)
    made = az.json("acr", "agentpool", "create", *this, "--tier", "S2", "--count", "2")
    assert (made["name"], made["tier"], made["count"], made["os"]) == (name, "S2", 2, "Linux")
    assert az.json("acr", "agentpool", "update", *this, "--count", "0")["count"] == 0
    queue, listed = az.at_once(
        ("acr", "agentpool", "show", *this, "--queue-count"), ("acr", "agentpool", "list", "--registry", "local")
    )
    assert queue == {"count": 0}
    assert name in {each["name"] for each in listed}
    az.run("acr", "agentpool", "delete", *this, "--yes")
    assert name not in {each["name"] for each in az.json("acr", "agentpool", "list", "--registry", "local")}
