"""The simulator: the gate's answer with what was looked at, and what would permit it."""

import shlex

import pytest
from sqlalchemy import delete, select, update
from tests.integration.access.test_rights import ACR_PULL, ADA, CONDITION, READER, World
from tests.integration.accounts import add_person, make_token, registry_id, turn_admin_on
from tests.integration.rows import disable
from tests.registry import OWNER, Registry

from entrepot.access.builtin_roles import BUILT_IN_ROLES
from entrepot.access.definitions import Mode
from entrepot.access.explaining.acts import Act, parse_act
from entrepot.access.explaining.explain import Explanation, Question, Subject, explain
from entrepot.access.operations import REGISTRIES
from entrepot.access.rights import Where, may_manage, rights_of
from entrepot.db.access_tables import credential, principal, role_assignment
from entrepot.errors import Kind, Problem
from entrepot.registries.scope_maps import delete_scope_map

ROLES = {role.name: role.id for role in BUILT_IN_ROLES.values()}
READ = "repositories/app/content/read"


class Simulator:
    """Questions about the registry ``local``."""

    def __init__(self, registry: Registry, world: World) -> None:
        self.registry, self.world = registry, world
        self.mode, self.anonymous_pull, self.admin_enabled = Mode.LEGACY, False, False

    @property
    def where(self) -> Where:
        return Where(self.registry.query(registry_id), self.world.registry, self.mode)

    def __call__(self, who: str, action: str, repository: str | None = None) -> Explanation:
        tenant = self.registry.query(
            lambda tx: tx.execute(select(principal.c.tenant_id).where(principal.c.id == ADA)).scalar_one()
        )
        subject = Subject(self.where, "local", tenant, self.anonymous_pull, self.admin_enabled)
        asked = Question(who, action, repository)
        return self.registry.query(lambda tx: explain(tx, asked, subject, self.registry.clock.now))


@pytest.fixture
async def world(registry: Registry) -> World:
    return World(registry)


@pytest.fixture
async def ask(registry: Registry, world: World) -> Simulator:
    return Simulator(registry, world)


async def test_each_assignment_is_told_with_its_scope_group_and_condition(ask: Simulator, world: World) -> None:
    ask.mode = Mode.ABAC
    world.group("team", ADA)
    world.give(ACR_PULL, world.subscription)
    world.give(READER, world.registry, "team", CONDITION)
    for repository, allowed, reason, outcome in (
        ("team/app", True, "its condition holds", "true"),
        ("other", False, "its condition does not hold", "false"),
    ):
        found = ask("ada", "pull", repository)
        assert (found.allowed, found.role_assignment_mode) == (allowed, "AbacRepositoryPermissions")
        assert found.permission == f"{REGISTRIES}/repositories/content/read"
        told = {each.what: each for each in found.considered}
        by_role = told["role Container Registry Repository Reader"]
        assert (by_role.scope, by_role.through, by_role.permits, by_role.reason) == (
            world.registry,
            "team",
            allowed,
            reason,
        )
        assert by_role.condition == CONDITION
        assert by_role.outcomes == [f"'{repository}' StringStartsWith 'team/': {outcome}"]
        legacy = told["role AcrPull"]
        assert (legacy.scope, legacy.permits) == (world.subscription, False)
        assert legacy.reason == "the role does not count on the data plane in the mode AbacRepositoryPermissions"
        assert bool(found.grant) is not allowed


@pytest.mark.parametrize("name", ["id-ada", "ID-ADA", "ada"])
async def test_a_principal_is_found_by_its_ids_and_its_name(ask: Simulator, name: str) -> None:
    assert ask(name, "pull", "app").principal.id == ADA


async def test_people_tokens_the_admin_account_and_nobody_are_asked_about_by_their_names(
    ask: Simulator, registry: Registry
) -> None:
    add_person(registry)
    make_token(registry, "ci-token", READ)
    turn_admin_on(registry)
    ask.admin_enabled = ask.anonymous_pull = True
    found = {who: ask(who, "pull", "app") for who in ("Ada@example.com", "CI-token", "admin", "LOCAL", "anonymous")}
    assert [each.principal.kind for each in found.values()] == ["User", "Token", "Admin", "Admin", "Anonymous"]
    assert all(each.allowed for each in found.values())
    (looked_at,) = found["CI-token"].considered
    assert (looked_at.what, looked_at.scope) == ("scope map ci-token-map", "repositories/app")
    assert not any(ask(who, "artifact-sign", "app").allowed for who in ("CI-token", "admin", "anonymous"))
    assert (ask("admin", "quarantine-read", "app").allowed, ask(OWNER, "artifact-sign", "app").allowed) == (True, True)
    ask.admin_enabled = ask.anonymous_pull = False
    assert [ask(who, "pull", "app").grant for who in ("admin", "anonymous")] == [
        ["az acr update --name local --admin-enabled true"],
        ["az acr update --name local --anonymous-pull-enabled true"],
    ]
    assert ask("anonymous", "push", "app").grant == []


EVERY_ACT = (
    *(("pull", "app"), ("push", "app"), ("delete", "app"), ("untag", "app"), ("list", "app"), ("list", None)),
    *(("catalog", None), ("metadata-read", "app"), ("metadata_write", "app"), ("artifact-sign", "app")),
    *(("quarantine-read", "app"), ("quarantine-write", "app")),
)
OPERATIONS = (
    f"{REGISTRIES}/read",
    f"{REGISTRIES}/tokens/write",
    f"{REGISTRIES}/listCredentials/action",
    "Microsoft.Authorization/roleAssignments/write",
)


@pytest.mark.parametrize("mode", Mode)
async def test_the_answer_is_the_gate_s_own_for_every_role(ask: Simulator, world: World, mode: Mode) -> None:
    ask.mode = mode
    where = ask.where
    for role, role_id in ROLES.items():
        ask.registry.query(lambda tx: tx.execute(delete(role_assignment).where(role_assignment.c.principal_id == ADA)))
        world.give(role_id, where.scope)
        rights = ask.registry.query(lambda tx: rights_of(tx, ADA, where))
        for word, repository in EVERY_ACT:
            act = parse_act(word, repository)
            if isinstance(act, Act) and act.action is not None:
                assert ask("ada", word, repository).allowed is rights.allow(act.action, repository), (role, word)
        for operation in OPERATIONS:
            may = ask.registry.query(lambda tx, name=operation: may_manage(tx, ADA, name, where.scope))
            assert ask("ada", operation).allowed is may, (role, operation)


@pytest.mark.parametrize("mode", Mode)
async def test_what_it_says_would_permit_it_does(ask: Simulator, world: World, mode: Mode) -> None:
    """And no more than that: a repository of another name stays closed where the mode has conditions."""
    ask.mode = mode
    asked = [*EVERY_ACT, *((operation, None) for operation in OPERATIONS)]
    for number, (word, repository) in enumerate(asked):
        found = ask("ada", word, repository)
        # Azure has no role that signs in the mode of conditions.
        if found.allowed or (word, mode) == ("artifact-sign", Mode.ABAC):
            continue
        (command,) = found.grant
        words = shlex.split(command)
        said = dict(zip(words[4::2], words[5::2], strict=True))
        assert words[:4] == ["az", "role", "assignment", "create"]
        assert (said["--assignee-object-id"], said["--assignee-principal-type"]) == (ADA, "ServicePrincipal")
        world.group(f"group-{number}", ADA)
        world.give(ROLES[said["--role"]], said["--scope"], f"group-{number}", said.get("--condition"))
        after = ask("ada", word, repository)
        assert (after.allowed, after.grant) == (True, []), word
        if "--condition" in said:
            assert not ask("ada", word, "other").allowed


@pytest.mark.parametrize(
    ("word", "repository", "mode", "role"),
    [
        ("pull", "app", Mode.LEGACY, "AcrPull"),
        ("push", "app", Mode.LEGACY, "AcrPush"),
        ("delete", "app", Mode.LEGACY, "AcrDelete"),
        ("catalog", None, Mode.LEGACY, "AcrPull"),
        ("pull", "app", Mode.ABAC, "Container Registry Repository Reader"),
        ("push", "app", Mode.ABAC, "Container Registry Repository Writer"),
        ("untag", "app", Mode.ABAC, "Container Registry Repository Contributor"),
        ("catalog", None, Mode.ABAC, "Container Registry Repository Catalog Lister"),
        ("Microsoft.Authorization/roleAssignments/write", None, Mode.LEGACY, "Role Based Access Control Administrator"),
    ],
)
async def test_the_least_role_is_named(
    ask: Simulator, word: str, repository: str | None, mode: Mode, role: str
) -> None:
    ask.mode = mode
    assert shlex.quote(role) in ask("ada", word, repository).grant[0]


async def test_a_token_is_told_what_its_scope_map_lacks(ask: Simulator, registry: Registry) -> None:
    make_token(registry, "ci-token", READ)
    found = ask("ci-token", "push", "app")
    assert (found.allowed, found.permission) == (False, "content/write")
    assert found.considered[0].reason == "it permits content/read"
    assert found.grant == [
        "az acr scope-map update --registry local --name ci-token-map --add-repository app content/write"
    ]
    assert ask("ci-token", "catalog").grant == []
    registry.query(lambda tx: delete_scope_map(tx, registry_id(tx), "ci-token-map"))
    found = ask("ci-token", "pull", "app")
    assert "Its scope map was deleted, so it may nothing." in found.notes
    assert found.grant == [
        "az acr scope-map create --registry local --name ci-token-scope-map --repository app content/read",
        "az acr token update --registry local --name ci-token --scope-map ci-token-scope-map",
    ]


async def test_what_keeps_somebody_out_beside_roles_is_noted(ask: Simulator, registry: Registry, world: World) -> None:
    world.give(ACR_PULL, world.registry + "2")
    assert any("do not reach this registry (1)" in note for note in ask("ada", "pull", "app").notes)
    world.group("idle")
    assert ask("idle", "pull", "app").notes == []
    registry.query(lambda tx: disable(tx, "ada"))
    found = ask("ada", "pull", "app")
    assert (found.allowed, found.grant) == (False, [])
    assert any(note.startswith("It is disabled") for note in found.notes)


async def test_who_has_nothing_to_sign_in_with_is_noted(ask: Simulator, registry: Registry) -> None:
    make_token(registry, "ci-token", READ)
    assert ask("ci-token", "pull", "app").notes == []
    registry.query(lambda tx: tx.execute(delete(credential)))
    assert any("nothing to sign in with" in note for note in ask("ci-token", "pull", "app").notes)


@pytest.mark.parametrize(
    ("arguments", "kind", "target"),
    [
        (("nobody", "pull", "app"), Kind.RESOURCE_INVALID, "principal"),
        (("", "pull", "app"), Kind.RESOURCE_INVALID, "principal"),
        (("a\0b", "pull", "app"), Kind.RESOURCE_INVALID, "principal"),
        (("x" * 1000, "pull", "app"), Kind.RESOURCE_INVALID, "principal"),
        (("ada", "fly", "app"), Kind.RESOURCE_INVALID, "action"),
        (("ada", f"{REGISTRIES}/fly", None), Kind.RESOURCE_INVALID, "action"),
        (("ada", "a/" * 1000, None), Kind.RESOURCE_INVALID, "action"),
        (("ada", "pull", None), Kind.RESOURCE_INVALID, "repository"),
        (("ada", "pull", "UPPER"), Kind.NAME_INVALID, None),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused(
    ask: Simulator, arguments: tuple[str, str, str | None], kind: Kind, target: str | None
) -> None:
    with pytest.raises(Problem) as refusal:
        ask(*arguments)
    assert (refusal.value.kind, refusal.value.detail.get("target")) == (kind, target)


async def test_a_name_of_several_is_refused_with_their_ids(ask: Simulator, world: World) -> None:
    world.group("one")
    world.group("two")
    same = update(principal).where(principal.c.kind == "Group").values(name="the same")
    ask.registry.query(lambda tx: tx.execute(same))
    with pytest.raises(Problem) as refusal:
        ask("the same", "pull", "app")
    assert refusal.value.detail["reason"] == "'the same' is the name of several: one (Group), two (Group)"


@pytest.mark.parametrize(
    ("operation", "repository", "word"),
    [
        (f"{REGISTRIES}/pull/read", "app", "pull"),
        (f"{REGISTRIES}/PULL/read", None, "catalog"),
        (f"{REGISTRIES}/repositories/metadata/delete", "app", "untag"),
        (f"{REGISTRIES}/sign/write", "app", "artifact-sign"),
        (f"{REGISTRIES}/tokens/WRITE", None, f"{REGISTRIES}/tokens/write"),
        ("Microsoft.Resources/subscriptions/read", None, "Microsoft.Resources/subscriptions/read"),
    ],
)
def test_an_operation_by_azure_s_name_stands_for_the_act_that_it_permits(
    operation: str, repository: str | None, word: str
) -> None:
    found = parse_act(operation, repository)
    assert (found.word if isinstance(found, Act) else found) == word
