"""Who a run is: what it may at registries of the deployment, and whose tokens it gets. Source: ACR-TASKS 5.5, 8."""

import base64
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from sqlalchemy import Connection, select
from tests.content import an_image
from tests.directory import claims_of, is_good
from tests.integration.accounts import SEALER
from tests.integration.conftest import StartRegistry, Until
from tests.integration.rows import add_principal, add_registry
from tests.management import Management, management
from tests.registry import HOST, Registry

from entrepot.access.queries import Assignment, find_holder, insert_role, raise_epoch
from entrepot.app.parts import hosts_of
from entrepot.app.task_site import reach_of
from entrepot.db.access_tables import credential, principal
from entrepot.db.task_tables import task, task_run
from entrepot.identities.applications import Ids, add_managed_identity
from entrepot.identities.model import Principal
from entrepot.identities.queries import tenants
from entrepot.tasks.execution.model import Login
from entrepot.tasks.resource.queries import task_of
from entrepot.tasks.runs.identity import SignedIn, SignInFailed, Signing, passwords_of, sign_in, sign_out
from entrepot.tasks.runs.model import Plan, Secrets, Tick
from entrepot.tasks.runs.queries import RunRow, run_of
from entrepot.tasks.runs.schedule import Scheduler, purpose_of
from entrepot.tasks.wishes import wish_of_tick

Json = Any
PULL, PUSH = "7f951dda-4ed3-4680-a7ca-43fe172d538d", "8311e382-0749-4cb8-b61a-304f252e45ec"
READER, WRITER = "b93aa761-3e63-49ed-ac28-beffa264f7ac", "2a1e307c-b015-4ebd-883e-5b7698a07328"
TASKS_CONTRIBUTOR = "fb382eab-e894-4461-af04-94435c366c3f"
LENT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/lent"
OTHER = "other.entrepot.localhost:5000"
NIGHTLY = "tasks/nightly"
CLEARED: Json = {"identity": {"type": "None"}, "properties": {"credentials": None}}
CONTENT = base64.b64encode(b"version: v1.1.0\nsteps:\n  - cmd: bash echo hello\n").decode()
PLATFORM = {"os": "linux"}
QUICK: Json = {"type": "EncodedTaskRunRequest", "encodedTaskContent": CONTENT, "platform": PLATFORM}


@dataclass(frozen=True)
class World:
    """A worker, its owner's client of the management API, and a second registry, ``other``."""

    registry: Registry
    arm: Management
    start: StartRegistry

    async def task(self, credentials: Json, identity: str = "SystemAssigned") -> str:
        """A task of this name; the principal of its own identity."""
        step = {"type": "EncodedTask", "encodedTaskContent": CONTENT}
        body = {"platform": PLATFORM, "step": step, "credentials": credentials}
        sent = {"location": "eastus", "identity": {"type": identity}, "properties": body}
        made = await self.arm.put(f"{self.arm.registry()}/{NIGHTLY}", sent)
        assert made.status == 200, made.body
        return made.json().get("identity", {}).get("principalId", "")

    async def run_of_task(self) -> RunRow:
        return await self.run({"type": "TaskRunRequest", "taskId": f"{self.arm.registry()}/{NIGHTLY}"})

    async def run(self, request: Json, caller: Management | None = None) -> RunRow:
        made = await (caller or self.arm).post(f"{self.arm.registry()}/scheduleRun", request)
        assert made.status == 200, made.body
        return self.registry.query(_last_run)

    def sign_in(self, row: RunRow, **settings: Json) -> SignedIn:
        """As a worker does it."""
        changed = self.registry.settings.model_copy(update=settings)
        reach = reach_of(changed, hosts_of(changed))
        plan = msgspec.json.decode(row.request, type=Plan)
        passwords = passwords_of(plan, self.secrets(row), reach.vaults)
        return self.registry.query(sign_in, Signing(row, plan, passwords), reach, self.registry.clock())

    def secrets(self, row: RunRow) -> Secrets:
        assert row.secrets is not None
        text = SEALER.open(row.secrets, purpose_of(row.registry_id, row.name))
        return msgspec.json.decode(text, type=Secrets)

    async def may(self, login: Login, server: str | None = None) -> str:
        """What it may do in a repository; another worker says it, which remembers nothing."""
        worker = replace(await self.start(), host=server or login.server)
        http = worker.nobody.signed_in(login.user, login.password)
        asked = f"/oauth2/token?service={worker.host}&scope=repository:app:pull,push,delete"
        answer = await http.get(asked)
        if answer.status == 401:
            return "nobody"
        access = claims_of(answer.json()["access_token"])["access"]
        return ",".join(access[0]["actions"]) if access else ""

    async def mode(self, mode: str) -> None:
        changed = await self.arm.patch(self.arm.registry(), {"properties": {"roleAssignmentMode": mode}})
        assert changed.status == 200, changed.body

    def give(self, to: str, role: str, registry: str = "local") -> None:
        made = Assignment(str(uuid4()), to, role, self.arm.registry(registry), self.registry.clock())
        self.registry.query(insert_role, made)
        self.registry.query(raise_epoch)


def _last_run(tx: Connection) -> RunRow | None:
    return run_of(tx, tx.execute(select(task_run.c.id).order_by(task_run.c.id.desc()).limit(1)).scalar_one())


def managed(tx: Connection, name: str, now: datetime) -> Principal:
    ids = Ids(*(str(uuid4()) for _ in range(3)))
    return add_managed_identity(tx, ids, tenants(tx)[0].id, name, now)


@pytest.fixture
async def world(registry: Registry, start_registry: StartRegistry) -> World:
    registry.query(add_registry, "other", "rid-other")
    return World(registry, await management(registry), start_registry)


# --- its own registry -------------------------------------------------------------------------------------------------

EVERYTHING = "delete,pull,push"
CALLER = {"sourceRegistry": {"identity": "[caller]"}}
SYSTEM = {"sourceRegistry": {"identity": "[system]"}}
OFF = {"sourceRegistry": {"loginMode": "None"}}
LEGACY, ABAC = "LegacyRegistryPermissions", "AbacRepositoryPermissions"


@pytest.mark.parametrize(
    ("mode", "credentials", "role", "may"),
    [
        (LEGACY, {}, None, EVERYTHING),
        (LEGACY, {"sourceRegistry": {"loginMode": "Default"}}, None, EVERYTHING),
        (LEGACY, OFF, PUSH, None),
        (LEGACY, CALLER, PULL, "pull"),
        (LEGACY, CALLER, PUSH, "pull,push"),
        (ABAC, {}, WRITER, None),
        (ABAC, {"sourceRegistry": {"loginMode": "Default"}}, WRITER, None),
        (ABAC, CALLER, READER, "pull"),
        (ABAC, CALLER, WRITER, "pull,push"),
        # Roles of the other mode do not count.
        (ABAC, CALLER, PUSH, ""),
        (ABAC, {"sourceRegistry": {"loginMode": "None", "identity": "[caller]"}}, WRITER, "pull,push"),
    ],
)
async def test_a_quick_run_may_in_its_own_registry_what_its_caller_may_and_no_more(
    world: World, mode: str, credentials: Json, role: str | None, may: str | None
) -> None:
    await world.mode(mode)
    world.registry.query(add_principal, "guest", "the-guest's-secret", TASKS_CONTRIBUTOR)
    if role is not None:
        world.give("id-guest", role)
    row = await world.run({**QUICK, "credentials": credentials}, await management(world.registry, "guest"))
    logins = world.sign_in(row).logins
    assert [await world.may(login) for login in logins] == ([] if may is None else [may])


@pytest.mark.parametrize(
    ("mode", "role", "may"),
    [(LEGACY, PULL, "pull"), (LEGACY, PUSH, "pull,push"), (ABAC, READER, "pull"), (ABAC, WRITER, "pull,push")],
)
async def test_a_run_of_a_task_is_the_identity_that_the_task_names(
    world: World, mode: str, role: str, may: str
) -> None:
    await world.mode(mode)
    world.give(await world.task(SYSTEM), role)
    (login,) = world.sign_in(await world.run_of_task()).logins
    assert await world.may(login) == may
    assert await world.may(login, OTHER) == "nobody"


async def test_a_run_that_a_timer_began_is_the_identity_too(world: World) -> None:
    world.give(await world.task(SYSTEM), PULL)
    scheduler = Scheduler(SEALER)

    def begin(tx: Connection) -> None:
        row = task_of(tx, tx.execute(select(task.c.id)).scalar_one())
        wish = wish_of_tick(SEALER, row, Tick("t1", "2026-01-01T00:00:00Z"))
        scheduler.schedule(tx, row.registry_id, wish, world.registry.clock())

    world.registry.query(begin)
    (login,) = world.sign_in(world.registry.query(_last_run)).logins
    assert await world.may(login) == "pull"


async def test_a_run_of_a_template_is_the_identity_that_is_lent_to_it(world: World) -> None:
    lent = world.registry.query(managed, "lent", world.registry.clock())
    world.give(lent.id, PULL)
    request = {**QUICK, "credentials": {"sourceRegistry": {"identity": lent.client_id}}}
    sent = {
        "location": "eastus",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {LENT: {}}},
        "properties": {"runRequest": request},
    }
    made = await world.arm.put(f"{world.arm.registry()}/taskRuns/template", sent)
    assert made.status == 201, made.body
    signed_in = world.sign_in(world.registry.query(_last_run))
    assert [await world.may(login) for login in signed_in.logins] == ["pull"]
    assert set(signed_in.environment) == {"IDENTITY_ENDPOINT", "IDENTITY_HEADER"}


async def test_an_identity_without_a_role_is_told_before_anything_runs(world: World) -> None:
    identity = await world.task(SYSTEM)
    row = await world.run_of_task()
    with pytest.raises(SignInFailed, match=f"{identity} has no role on {HOST}"):
        world.sign_in(row)


async def test_a_run_has_no_more_than_its_identity_has_by_now(world: World) -> None:
    identity = await world.task(SYSTEM)
    world.give(identity, PUSH)
    (login,) = world.sign_in(await world.run_of_task()).logins
    assert (await world.arm.patch(f"{world.arm.registry()}/{NIGHTLY}", CLEARED)).status == 200
    assert await world.may(login) == ""


async def test_an_image_is_pushed_as_the_identity(world: World) -> None:
    world.give(await world.task(SYSTEM), PUSH)
    (login,) = world.sign_in(await world.run_of_task()).logins
    worker = await world.start()
    repository = worker.repository("built", worker.nobody.signed_in(login.user, login.password))
    assert (await repository.push(an_image(), "v1")).status == 201


# --- other registries -------------------------------------------------------------------------------------------------


def custom(server: str, **registry: Json) -> Json:
    return {"customRegistries": {server: registry}}


@pytest.mark.parametrize(("role", "may"), [(PULL, "pull"), (PUSH, "pull,push")])
async def test_an_identity_signs_in_to_another_registry_of_the_deployment(world: World, role: str, may: str) -> None:
    world.give(await world.task({**OFF, **custom(OTHER, identity="[system]")}), role, "other")
    (login,) = world.sign_in(await world.run_of_task()).logins
    assert login.server == OTHER
    assert await world.may(login) == may
    # Not even where the run is from.
    assert await world.may(login, HOST) == "nobody"


async def test_an_identity_without_a_role_in_another_registry_does_not_get_in(world: World) -> None:
    world.give(await world.task({**OFF, **custom(OTHER, identity="[system]")}), PUSH)
    row = await world.run_of_task()
    with pytest.raises(SignInFailed, match=f"no role on {OTHER}.*az role assignment create"):
        world.sign_in(row)


async def test_what_a_run_has_by_itself_is_nothing_in_another_registry(world: World) -> None:
    (login,) = world.sign_in(await world.run(QUICK)).logins
    assert (await world.may(login), await world.may(login, OTHER)) == (EVERYTHING, "nobody")


async def test_the_log_in_that_a_task_names_for_its_own_registry_counts(world: World) -> None:
    world.give(await world.task(custom(HOST, identity="[system]")), PULL)
    (login,) = world.sign_in(await world.run_of_task()).logins
    assert await world.may(login) == "pull"


async def test_passwords_are_signed_in_with_as_they_are(world: World) -> None:
    opaque = custom("foreign.example", userName={"value": "me"}, password={"value": "correct-horse"})
    own, foreign = world.sign_in(await world.run({**QUICK, "credentials": opaque})).logins
    assert (own.server, foreign) == (HOST, Login("foreign.example", "me", "correct-horse"))


@pytest.mark.parametrize("server", ["foreign.example", "localhost:5001", "127.0.0.1:5000", "8.8.8.8:5000"])
async def test_an_identity_is_offered_to_no_foreign_host(world: World, server: str) -> None:
    body = {"platform": PLATFORM, "step": {"type": "EncodedTask", "encodedTaskContent": CONTENT}}
    sent: Json = {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": body}
    sent["properties"]["credentials"] = custom(server, identity="[system]")
    refused = await world.arm.put(f"{world.arm.registry()}/{NIGHTLY}", sent)
    assert (refused.status, "no registry of this deployment" in refused.body.decode()) == (400, True), refused.body


@pytest.mark.parametrize(
    "credentials",
    [SYSTEM, {"sourceRegistry": {"identity": str(uuid4())}}, custom(OTHER, identity="[system]")],
    ids=["own", "lent", "custom"],
)
async def test_a_quick_run_has_no_identity_of_its_own(world: World, credentials: Json) -> None:
    refused = await world.arm.post(f"{world.arm.registry()}/scheduleRun", {**QUICK, "credentials": credentials})
    assert (refused.status, "the run has no identity" in refused.body.decode()) == (400, True)


@pytest.mark.parametrize(
    ("credentials", "identity", "says"),
    [
        (CALLER, "SystemAssigned", "a trigger has no caller"),
        (SYSTEM, "None", "the run has no identity"),
        ({"sourceRegistry": {"identity": "0b0e0d0c-0000-4000-8000-000000000000"}}, "SystemAssigned", "it has: system"),
    ],
)
async def test_a_task_names_identities_that_it_has(world: World, credentials: Json, identity: str, says: str) -> None:
    body = {"platform": PLATFORM, "step": {"type": "EncodedTask", "encodedTaskContent": CONTENT}}
    sent = {"location": "eastus", "identity": {"type": identity}, "properties": {**body, "credentials": credentials}}
    refused = await world.arm.put(f"{world.arm.registry()}/{NIGHTLY}", sent)
    assert (refused.status, says in refused.body.decode()) == (400, True), refused.body


# --- tokens -----------------------------------------------------------------------------------------------------------

TOKEN = "/msi/token?api-version=2019-08-01&resource=https://management.azure.com/"


async def test_a_step_gets_tokens_of_its_tasks_identity_until_the_run_ends(world: World, until: Until) -> None:
    identity = await world.task({})
    row = await world.run_of_task()
    signed_in = world.sign_in(row)
    environment = signed_in.environment
    assert environment["IDENTITY_ENDPOINT"].endswith("://localhost:5000/msi/token")
    assert signed_in.warning().startswith("No step reaches the tokens")
    http = world.registry.nobody.having(x_identity_header=environment["IDENTITY_HEADER"])
    token = (await http.get(TOKEN)).json()["access_token"]
    assert claims_of(token)["oid"] == identity
    assert await is_good(world.registry, token)
    world.registry.query(sign_out, row)
    assert (await http.get(TOKEN)).status == 401

    async def has_ended() -> bool:
        return not await is_good(world.registry, token)

    await until(has_ended)


async def test_a_header_of_one_run_is_nothing_for_another(world: World) -> None:
    await world.task({})
    first, second = [world.sign_in(await world.run_of_task()).environment["IDENTITY_HEADER"] for _ in range(2)]
    for wrong in (
        f"{first.partition('.')[0]}.{second.partition('.')[2]}",
        f"{first}x",
        f"{first.partition('.')[0]}.",
        f"run-1.{first.partition('.')[2]}",
    ):
        assert (await world.registry.nobody.having(x_identity_header=wrong).get(TOKEN)).status == 401


async def test_another_attempt_ends_what_the_first_one_had(world: World) -> None:
    await world.task({})
    row = await world.run_of_task()
    first, second = world.sign_in(row).environment, world.sign_in(row).environment
    statuses = [
        (await world.registry.nobody.having(x_identity_header=each["IDENTITY_HEADER"]).get(TOKEN)).status
        for each in (first, second)
    ]
    assert statuses == [401, 200]


async def test_a_header_ends_with_the_runs_time(world: World) -> None:
    await world.task({})
    header = world.sign_in(await world.run_of_task()).environment["IDENTITY_HEADER"]
    world.registry.clock.advance(hours=1, minutes=11)
    assert (await world.registry.nobody.having(x_identity_header=header).get(TOKEN)).status == 401


async def test_a_step_of_a_run_without_identities_gets_nothing(world: World) -> None:
    assert world.sign_in(await world.run(QUICK)).environment == {}


async def test_of_several_identities_the_tasks_own_answers_unless_another_is_asked_for(world: World) -> None:
    lent = world.registry.query(managed, "lent", world.registry.clock())
    sent = {"identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {LENT: {}}}}
    own = await world.task({})
    assert (await world.arm.patch(f"{world.arm.registry()}/{NIGHTLY}", sent)).status == 200
    header = world.sign_in(await world.run_of_task()).environment["IDENTITY_HEADER"]
    http = world.registry.nobody.having(x_identity_header=header)

    async def principal_of(query: str) -> str:
        answer = await http.get(TOKEN + query)
        return claims_of(answer.json()["access_token"])["oid"] if answer.status == 200 else str(answer.status)

    assert await principal_of("") == own
    for query in (f"&client_id={lent.client_id}", f"&principal_id={lent.id}", f"&mi_res_id={LENT}"):
        assert await principal_of(query) == lent.id
    for query in (f"&client_id={uuid4()}", "&mi_res_id=/x/other", "&client_id=the-owner"):
        assert await principal_of(query) == "400"


async def test_nothing_of_it_is_kept_in_plain(world: World) -> None:
    await world.task({})
    signed_in = world.sign_in(await world.run_of_task())
    kept = str(world.registry.query(lambda tx: [tx.execute(select(table)).all() for table in (credential, principal)]))
    for secret in signed_in.secrets():
        assert secret not in kept
        assert secret.rpartition(".")[2] not in kept


async def test_the_identities_of_a_registrys_tasks_go_with_it(world: World) -> None:
    identity = await world.task({})
    assert world.registry.query(find_holder, identity) is not None
    assert (await world.arm.delete(world.arm.registry())).status in {200, 202}
    assert world.registry.query(find_holder, identity) is None


# --- vaults -----------------------------------------------------------------------------------------------------------

URL = "https://Builds.vault.azure.net/secrets/Robot"


def vault(url: str) -> Json:
    return {"type": "Vaultsecret", "value": url}


async def test_a_password_comes_from_a_vault_when_the_run_begins(world: World, tmp_path: Path) -> None:
    robot = custom("foreign.example", userName={"value": "me"}, password=vault(URL), identity="[system]")
    identity = await world.task({**OFF, **robot})
    row = await world.run_of_task()
    folder = tmp_path / "vault"
    folder.mkdir()
    (folder / "robot").write_text("the-robot's-password\n")
    settings = {"vaults": (f"builds={folder}",)}
    for says in ("may not read", None):
        if says is None:
            (folder / ".readers").write_text(f"# who builds\n{identity}\n")
            assert world.sign_in(row, **settings).logins == (Login("foreign.example", "me", "the-robot's-password"),)
        else:
            with pytest.raises(SignInFailed, match=says):
                world.sign_in(row, **settings)
    assert "the-robot" not in str(world.registry.query(lambda tx: tx.execute(select(task_run)).all()))
