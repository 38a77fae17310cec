"""Tasks as resources: what can be written of one, what is shown, and what is kept secret."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select
from tests.integration.rows import add_principal
from tests.management import Management, management
from tests.registry import Registry

from entrepot.db.access_tables import audit_entry, principal
from entrepot.db.tables import registry as registry_table
from entrepot.db.task_tables import task
from entrepot.tasks.runs.model import Tick
from entrepot.tasks.runs.queries import NewRun, insert_run
from entrepot.tasks.triggers.timers import fire_one

Json = Any
CONTEXT = "https://git.example/app.git#main:src"
CONTRIBUTOR = "fb382eab-e894-4461-af04-94435c366c3f"
LENT = "/subscriptions/{}/resourceGroups/any/providers/Microsoft.ManagedIdentity/userAssignedIdentities/build machine"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


STEP: Json = {
    "type": "Docker",
    "dockerFilePath": "Dockerfile",
    "imageNames": ["app:{{.Run.ID}}"],
    "isPushEnabled": True,
    "noCache": False,
    "arguments": [
        {"type": "Argument", "name": "version", "value": "1", "isSecret": False},
        {"type": "Argument", "name": "key", "value": "the-key", "isSecret": True},
    ],
    "contextPath": CONTEXT,
    "contextAccessToken": "the-context-token",
}
TRIGGER: Json = {
    "timerTriggers": [{"name": "t1", "schedule": "0 4 * * *", "status": "Enabled"}],
    "sourceTriggers": [
        {
            "name": "defaultSourceTriggerName",
            "status": "Enabled",
            "sourceTriggerEvents": ["commit"],
            "sourceRepository": {
                "sourceControlType": "Github",
                "repositoryUrl": CONTEXT,
                "branch": "main",
                "sourceControlAuthProperties": {"tokenType": "PAT", "token": "the-git-token", "scope": "repo"},
            },
        }
    ],
    "baseImageTrigger": {
        "name": "defaultBaseimageTriggerName",
        "baseImageTriggerType": "Runtime",
        "status": "Enabled",
        "updateTriggerPayloadType": "Default",
    },
}
CREDENTIALS: Json = {
    "customRegistries": {
        "other.example": {
            "userName": {"type": "Opaque", "value": "robot"},
            "password": {"type": "Opaque", "value": "the-password"},
        }
    }
}
SECRETS = ("the-key", "the-context-token", "the-git-token", "the-password")


def body(**properties: Json) -> Json:
    """As az sends one."""
    given = {
        "status": "Enabled",
        "platform": {"os": "linux", "architecture": "amd64"},
        "agentConfiguration": {"cpu": 2},
        "timeout": 3600,
        "isSystemTask": False,
        "credentials": {},
        "step": STEP,
        "trigger": TRIGGER,
        **properties,
    }
    return {"location": "eastus", "properties": {name: value for name, value in given.items() if value is not None}}


@pytest.fixture
async def path(arm: Management) -> str:
    """Of a task with everything in it."""
    made = f"{arm.registry()}/tasks/Full-task_1"
    answer = await arm.put(made, body(credentials=CREDENTIALS))
    assert answer.status == 200, answer.body
    return made


async def details(arm: Management, path: str) -> Json:
    answer = await arm.post(f"{path}/listDetails")
    assert answer.status == 200, answer.body
    return answer.json()["properties"]


# --- what is shown ----------------------------------------------------------------------------------------------------


async def test_a_task_shows_what_was_written_and_its_defaults(arm: Management) -> None:
    path = f"{arm.registry()}/tasks/first"
    step = {"type": "FileTask", "taskFilePath": "acb.yaml", "contextPath": CONTEXT}
    sent = {"location": "eastus", "properties": {"platform": {"os": "Linux"}, "step": step, "credentials": {}}}
    made = await arm.put(path, sent)
    assert made.status == 200
    document = made.json()
    assert (document["id"], document["name"], document["location"]) == (path, "first", "eastus")
    assert document["type"] == "Microsoft.ContainerRegistry/registries/tasks"
    properties = document["properties"]
    assert properties.pop("creationDate").endswith("0+00:00")
    assert properties == {
        "provisioningState": "Succeeded",
        "status": "Enabled",
        "platform": {"os": "Linux"},
        "agentConfiguration": {"cpu": 2},
        "timeout": 3600,
        "step": {**step, "values": []},
        "isSystemTask": False,
    }
    assert (await arm.get(f"{arm.registry()}/tasks/FIRST")).json()["id"] == path
    assert await arm.names(f"{arm.registry()}/tasks") == ["first"]


async def test_the_task_of_the_system_says_how_quick_runs_are(arm: Management) -> None:
    path = f"{arm.registry()}/tasks/quicktask"
    made = await arm.put(path, {"location": "eastus", "properties": {"isSystemTask": True, "timeout": 600}})
    assert (made.status, made.json()["properties"]["timeout"]) == (200, 600)


async def test_a_deleted_task_is_gone(arm: Management, path: str) -> None:
    assert (await arm.delete(path)).status == 200
    assert (await arm.delete(path)).status == 204
    assert (await arm.get(path)).status == 404


@pytest.mark.parametrize("version", ["2018-09-01", "2019-04-01", "2019-06-01-preview", "2025-03-01-preview"])
async def test_each_version_that_has_tasks_is_served(arm: Management, path: str, version: str) -> None:
    assert (await Management(arm.http, arm.subscription, version).get(path)).status == 200


# --- secrets ----------------------------------------------------------------------------------------------------------


async def test_secrets_are_shown_by_list_details_alone_and_kept_sealed(
    arm: Management, registry: Registry, path: str
) -> None:
    shown = (await arm.get(path)).body.decode() + (await arm.get(f"{arm.registry()}/tasks")).body.decode()
    kept = str(registry.query(lambda tx: tx.execute(select(task)).all()))
    written_down = str(registry.query(lambda tx: tx.execute(select(audit_entry.c.detail)).scalars().all()))
    for secret in SECRETS:
        assert secret not in shown
        assert secret not in kept
        assert secret not in written_down
    assert "robot" in shown
    told = await details(arm, path)
    assert told["step"] == STEP
    assert (told["trigger"], told["credentials"]) == (TRIGGER, CREDENTIALS)


async def test_who_may_read_a_task_may_not_read_its_secrets(arm: Management, registry: Registry, path: str) -> None:
    reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret", role=reader))
    guest = await management(registry, "guest")
    assert (await guest.get(path)).status == 200
    assert (await guest.post(f"{path}/listDetails")).status == 403


async def test_a_change_that_names_no_secret_keeps_it(arm: Management, path: str) -> None:
    step = {**STEP, "arguments": [{"name": "key", "isSecret": True}, {"name": "new", "value": "n"}]}
    del step["contextAccessToken"]
    for patch in ({"status": "Disabled"}, {"step": {"noCache": True}}, {"step": step}):
        assert (await arm.patch(path, {"properties": patch})).status == 200
    told = await details(arm, path)
    assert (told["status"], told["step"]["noCache"]) == ("Disabled", False)
    assert [each.get("value") for each in told["step"]["arguments"]] == ["the-key", "n"]
    assert told["step"]["contextAccessToken"] == "the-context-token"
    assert told["trigger"] == TRIGGER


async def test_a_secret_does_not_become_readable_by_calling_it_none(arm: Management, path: str) -> None:
    arguments = [{"name": "key", "isSecret": False}]
    changed = await arm.patch(path, {"properties": {"step": {"arguments": arguments}}})
    assert (changed.status, "value" in changed.json()["properties"]["step"]["arguments"][0]) == (200, False)
    assert "the-key" not in str(await details(arm, path))


async def test_a_put_replaces_secrets_too(arm: Management, path: str) -> None:
    assert (await arm.put(path, body(trigger=None, step={**STEP, "contextAccessToken": None}))).status == 200
    told = await details(arm, path)
    assert "contextAccessToken" not in told["step"]
    assert "trigger" not in told
    assert "credentials" not in told


# --- changes ----------------------------------------------------------------------------------------------------------


async def test_triggers_are_changed_and_added_by_their_names(arm: Management, path: str) -> None:
    timers = [{"name": "t1", "status": "Disabled"}, {"name": "t2", "schedule": "0 5 * * *"}]
    sources = [{"name": "defaultSourceTriggerName", "sourceRepository": {"branch": "other"}}]
    patch = {"trigger": {"timerTriggers": timers, "sourceTriggers": sources, "baseImageTrigger": {}}}
    assert (await arm.patch(path, {"properties": patch})).status == 200
    told = (await details(arm, path))["trigger"]
    assert told["timerTriggers"] == [
        {"name": "t1", "schedule": "0 4 * * *", "status": "Disabled"},
        {"name": "t2", "schedule": "0 5 * * *", "status": "Enabled"},
    ]
    source = TRIGGER["sourceTriggers"][0]["sourceRepository"]
    assert told["sourceTriggers"][0]["sourceRepository"] == {**source, "branch": "other"}
    assert told["baseImageTrigger"] == TRIGGER["baseImageTrigger"]


async def test_a_trigger_is_disabled_and_keeps_its_token_as_az_does_it(arm: Management, path: str) -> None:
    """Without events, and with a kind of token alone."""
    auth: Json = {"sourceControlAuthProperties": {"tokenType": "PAT"}}
    disabled = {"name": "defaultSourceTriggerName", "status": "Disabled", "sourceTriggerEvents": []}
    patch = {"trigger": {"sourceTriggers": [{**disabled, "sourceRepository": auth}]}}
    assert (await arm.patch(path, {"properties": patch})).status == 200
    trigger = (await details(arm, path))["trigger"]["sourceTriggers"][0]
    assert (trigger["status"], trigger["sourceTriggerEvents"]) == ("Disabled", [])
    assert trigger["sourceRepository"]["sourceControlAuthProperties"]["token"] == "the-git-token"


async def test_credentials_are_added_changed_and_removed_one_by_one(arm: Management, path: str) -> None:
    login = {"userName": {"type": "Opaque", "value": "u"}, "password": {"type": "Opaque", "value": "p"}}

    async def patch(registries: Json) -> Json:
        changed = await arm.patch(path, {"properties": {"credentials": {"customRegistries": registries}}})
        assert changed.status == 200, changed.body
        return (await details(arm, path)).get("credentials")

    other = CREDENTIALS["customRegistries"]["other.example"]
    assert await patch({"third.example": login}) == {
        "customRegistries": {"other.example": other, "third.example": login}
    }
    assert await patch({"other.example": None}) == {"customRegistries": {"third.example": login}}
    assert await patch({"third.example": None}) is None


async def test_a_change_of_the_step_leaves_the_agent_pool(arm: Management) -> None:
    assert (await arm.put(f"{arm.registry()}/agentPools/pool1", {"location": "eastus"})).status == 201
    path = f"{arm.registry()}/tasks/pooled"
    assert (await arm.put(path, body(agentPoolName="pool1"))).status == 200
    changed = await arm.patch(path, {"properties": {"credentials": CREDENTIALS, "step": {"type": "Docker"}}})
    assert changed.json()["properties"]["agentPoolName"] == "pool1"


async def test_a_step_of_one_kind_becomes_one_of_another(arm: Management, path: str) -> None:
    step = {"type": "FileTask", "taskFilePath": "acb.yaml", "values": [{"name": "a", "value": "b"}]}
    changed = await arm.patch(path, {"properties": {"step": step}})
    value = {"type": "SetValue", "name": "a", "value": "b", "isSecret": False}
    assert changed.json()["properties"]["step"] == {**step, "values": [value], "contextPath": CONTEXT}


async def test_a_task_stays_where_it_is(arm: Management, path: str) -> None:
    refused = await arm.patch(path, {"location": "westus"})
    assert (refused.status, refused.json()["error"]["code"]) == (409, "InvalidResourceLocation")


# --- what is refused --------------------------------------------------------------------------------------------------


def of_step(**members: Json) -> Json:
    step = {"type": "EncodedTask", "encodedTaskContent": encoded("steps:\n- cmd: bash echo hi\n"), **members}
    return {"step": step}


def timers(*pairs: tuple[str, str]) -> Json:
    return {"trigger": {"timerTriggers": [{"name": name, "schedule": schedule} for name, schedule in pairs]}}


def source(url: str, *events: str, **repository: Json) -> Json:
    told = {"sourceControlType": "Github", "repositoryUrl": url, **repository}
    return {"trigger": {"sourceTriggers": [{"name": "s", "sourceTriggerEvents": events, "sourceRepository": told}]}}


def login(server: str, **registry: Json) -> Json:
    return {"credentials": {"customRegistries": {server: registry}}}


OPAQUE = {"type": "Opaque", "value": "a"}
VAULT = {"type": "Vaultsecret", "value": "https://v.example/secrets/a"}


@pytest.mark.parametrize(
    ("properties", "target", "says"),
    [
        ({"platform": None}, "platform", "os, architecture"),
        ({"platform": {"os": "plan9"}}, "platform.os", ""),
        ({"step": None}, "step", "Docker, FileTask or EncodedTask"),
        ({"step": {"type": "Nothing"}}, "step.type", "Docker, FileTask, EncodedTask"),
        ({"timeout": 299}, "timeout", "300"),
        ({"agentConfiguration": {"cpu": 0}}, "agentConfiguration.cpu", ""),
        ({"agentPoolName": "nothing"}, "agentPoolName", "no agent pool"),
        ({"isSystemTask": True}, "isSystemTask", "quicktask"),
        (of_step(contextPath="file:///etc"), "step.contextPath", "no context"),
        (of_step(contextPath="source/1.tar.gz"), "step.contextPath", "keeps no files"),
        (of_step(encodedTaskContent="*"), "step.encodedTaskContent", "Base64"),
        (of_step(encodedTaskContent=encoded("FROM alpine\nRUN make\n")), "step.encodedTaskContent", "is a Dockerfile"),
        (of_step(encodedTaskContent=encoded("version: 1.0.0\n")), "step.encodedTaskContent", "invalid version"),
        (of_step(encodedTaskContent=encoded("steps:\n- cmd: {{if}}\n")), "step.encodedTaskContent", "parse template"),
        (timers(("t", "@daily")), "trigger.timerTriggers[0].schedule", "5 components"),
        (timers(("t", "0 0 * * 7")), "trigger.timerTriggers[0].schedule", "weekday"),
        (timers(("t", "0 0 * * *"), ("t", "1 0 * * *")), "trigger.timerTriggers", "name 't'"),
        (timers(("t", "0 0 * * *"), ("u", "0 0 * * *")), "trigger.timerTriggers", "schedule"),
        (source(CONTEXT), "trigger.sourceTriggers[0].sourceTriggerEvents", "commit"),
        (
            source(CONTEXT, "commit", sourceControlAuthProperties={"tokenType": "PAT"}),
            "trigger.sourceTriggers[0].sourceRepository.sourceControlAuthProperties.token",
            "token",
        ),
        (
            source("https://files.example/a.tar.gz", "commit"),
            "trigger.sourceTriggers[0].sourceRepository.repositoryUrl",
            "git",
        ),
        (source("ext::sh", "commit"), "trigger.sourceTriggers[0].sourceRepository.repositoryUrl", ""),
        (
            {"trigger": {"baseImageTrigger": {**TRIGGER["baseImageTrigger"], "updateTriggerEndpoint": "file:///x"}}},
            "trigger.baseImageTrigger.updateTriggerEndpoint",
            "http",
        ),
        (login("a b", identity="[system]"), "credentials.customRegistries.a b", "host"),
        (login("a.example", userName=OPAQUE), "credentials.customRegistries.a.example", "password"),
        (login("a.example", userName=VAULT, password=VAULT), "credentials.customRegistries.a.example", "identity"),
    ],
)
async def test_what_is_wrong_in_a_task_is_told_when_it_is_written(
    arm: Management, properties: Json, target: str, says: str
) -> None:
    path = f"{arm.registry()}/tasks/wrong"
    refused = await arm.put(path, body(**properties))
    assert refused.status == 400, refused.body
    error = refused.json()["error"]
    assert error["target"] == f"properties.{target}"
    assert says in error["message"]
    assert (await arm.get(path)).status == 404


@pytest.mark.parametrize("name", ["four", "a" * 51, "a.b.c.d", "with blank"])
async def test_a_name_that_is_none_is_refused(arm: Management, name: str) -> None:
    refused = await arm.put(f"{arm.registry()}/tasks/{name.replace(' ', '%20')}", body())
    assert (refused.status, refused.json()["error"]["code"]) == (400, "InvalidResourceName")


# --- identities -------------------------------------------------------------------------------------------------------


def principals(registry: Registry) -> set[str]:
    return set(registry.query(lambda tx: tx.execute(select(principal.c.name)).scalars().all()))


async def test_an_identity_of_its_own_comes_and_goes_with_the_task(
    arm: Management, registry: Registry, path: str
) -> None:
    assigned = await arm.patch(path, {"identity": {"type": "SystemAssigned"}})
    identity = assigned.json()["identity"]
    assert (identity["type"], bool(identity["tenantId"])) == ("SystemAssigned", True)
    named = registry.query(
        lambda tx: tx.execute(select(principal.c.name).where(principal.c.id == identity["principalId"])).scalar_one()
    )
    assert named == "local/tasks/Full-task_1"
    assert (await arm.patch(path, {"properties": {"timeout": 300}})).json()["identity"] == identity
    assert "identity" not in (await arm.patch(path, {"identity": {"type": "None"}})).json()
    assert named not in principals(registry)
    await arm.patch(path, {"identity": {"type": "SystemAssigned"}})
    await arm.delete(path)
    assert named not in principals(registry)


async def test_a_managed_identity_is_lent_to_it_by_who_may(arm: Management, registry: Registry, path: str) -> None:
    registry.query(lambda tx: add_principal(tx, "machine", "secret", None))
    registry.query(
        lambda tx: tx.execute(
            principal.update()
            .where(principal.c.client_id == "machine")
            .values(name="Build machine", type="ManagedIdentity")
        )
    )
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret", role=CONTRIBUTOR))
    lent = LENT.format(arm.subscription)
    wanted = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {lent: {}}}}
    guest = await management(registry, "guest")
    refused = await guest.patch(path, wanted)
    assert (refused.status, "userAssignedIdentities/assign/action" in refused.body.decode()) == (403, True)
    assigned = await arm.patch(path, wanted)
    assert assigned.json()["identity"] == {
        "type": "UserAssigned",
        "userAssignedIdentities": {lent: {"principalId": "id-machine", "clientId": "machine"}},
    }
    # What it has already anybody who may write the task may leave as it is.
    assert (await guest.patch(path, {"properties": {"timeout": 300}})).status == 200
    removed = await guest.patch(path, {"identity": {"userAssignedIdentities": {lent: None}}})
    assert (removed.status, "identity" in removed.json()) == (200, False)


@pytest.mark.parametrize(
    "ids", [{}, {"/subscriptions/s": {}}, {LENT.format("s"): {}}], ids=["none", "other", "unknown"]
)
async def test_what_names_no_managed_identity_is_refused(arm: Management, path: str, ids: Json) -> None:
    refused = await arm.patch(path, {"identity": {"type": "UserAssigned", "userAssignedIdentities": ids}})
    assert (refused.status, refused.json()["error"]["target"]) == (400, "identity.userAssignedIdentities")


# --- why --------------------------------------------------------------------------------------------------------------


async def test_a_task_tells_when_it_runs_and_why_it_ran(arm: Management, registry: Registry) -> None:
    name = f"{arm.registry()}/tasks/nightly"
    timers = [{"name": "t1", "schedule": "*/5 * * * *"}, {"name": "off", "schedule": "* * * * *", "status": "Disabled"}]
    step = {"type": "EncodedTask", "encodedTaskContent": encoded("steps: []\n")}
    properties = {"platform": {"os": "linux"}, "step": step, "trigger": {"timerTriggers": timers}}
    assert (await arm.put(name, {"location": "eastus", "properties": properties})).status == 200
    before = (await arm.post(f"{name}/explainTriggers")).json()
    (timer,) = before["timers"]
    assert (timer["name"], timer["schedule"], before["evaluations"]) == ("t1", "*/5 * * * *", [])
    later = registry.clock() + timedelta(minutes=12)
    begun: list[tuple[int, Tick]] = []

    def begin(_tx: Connection, task_id: int, tick: Tick) -> int:
        begun.append((task_id, tick))
        return run_id

    run_id = registry.database.write(a_run)
    assert registry.database.write(fire_one, begin, later)
    assert not registry.database.write(fire_one, begin, later)
    after = (await arm.post(f"{name}/explainTriggers")).json()
    (evaluation,) = after["evaluations"]
    assert len(begun) == 1
    assert (evaluation["kind"], evaluation["trigger"], evaluation["runId"]) == ("timer", "t1", "ca1")
    assert "passed without a worker" in evaluation["reason"]
    assert after["timers"][0]["nextTime"] > timer["nextTime"]
    # A task that is disabled waits for nothing.
    assert (await arm.patch(name, {"properties": {"status": "Disabled"}})).status == 200
    assert (await arm.post(f"{name}/explainTriggers")).json()["timers"] == []


def a_run(tx: Connection) -> int:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    registry_id = tx.execute(select(registry_table.c.id)).scalar_one()
    made = NewRun(registry_id, 1, "ca1", "nightly", None, "AutoRun", "{}", None, False, now, "", "")
    return insert_run(tx, made)
