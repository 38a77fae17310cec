from uuid import NAMESPACE_OID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.access.condition_texts import CONDITIONS, CONTENT_READ, NAMES, OPERATIONS, guarded

from entrepot.access.builtin_roles import BUILT_IN_ROLES, OWNER
from entrepot.access.definitions import Mode, Permission, RoleDefinition
from entrepot.access.model import Action
from entrepot.access.operations import ACTIONS, DATA_ACTIONS
from entrepot.access.roles import Assigned, RoleRights, covers, manages, may_manage

SUBSCRIPTION = "/subscriptions/S"
GROUP = f"{SUBSCRIPTION}/resourceGroups/G"
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/local"
REGISTRIES = "Microsoft.ContainerRegistry/registries"
ROLES = {role.name: role for role in BUILT_IN_ROLES.values()}
READER = ROLES["Container Registry Repository Reader"]
WRITER = ROLES["Container Registry Repository Writer"]
LISTER = ROLES["Container Registry Repository Catalog Lister"]


def a_role(**permissions: tuple[str, ...]) -> RoleDefinition:
    """A custom role; one that permits something else is another."""
    made = Permission(**permissions)
    return RoleDefinition(str(uuid5(NAMESPACE_OID, repr(made))), "custom", "", (made,))


def rights(*assigned: Assigned, mode: Mode = Mode.ABAC) -> RoleRights:
    return RoleRights(assigned, REGISTRY, mode)


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ("/", True),
        ("/subscriptions/S", True),
        ("/subscriptions/S/", True),
        ("/SUBSCRIPTIONS/s", True),
        ("/subscriptions/S/resourceGroups/G", True),
        (REGISTRY, True),
        (REGISTRY.lower(), True),
        ("", False),
        ("//", False),
        ("subscriptions/S", False),
        (REGISTRY + "2", False),
        (REGISTRY[:-1], False),
        ("/subscriptions/S2", False),
        ("/subscriptions/S/resourceGroups/G2", False),
        ("/subscriptions/S/resourceGroups/G/providers/Microsoft.ContainerRegistry/registries/local/scopeMaps/x", False),
    ],
)
def test_an_assignment_reaches_what_lies_under_its_scope(scope: str, covered: bool) -> None:
    assert covers(scope, REGISTRY) is covered
    assert rights(Assigned(ROLES["AcrPull"], scope), mode=Mode.LEGACY).allow(Action.CONTENT_READ, "app") is covered


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("action", Action)
def test_without_an_assignment_nothing_is_permitted(action: Action, mode: Mode) -> None:
    decision = rights(mode=mode).explain(action, "app")
    assert not rights(mode=mode).allow(action, "app")
    assert (decision.allowed, decision.considered) == (False, ())


def test_a_condition_limits_an_assignment_to_its_repositories() -> None:
    both = guarded([CONTENT_READ, f"{REGISTRIES}/repositories/metadata/read"], "StringEquals 'app'")
    found = rights(Assigned(READER, REGISTRY, both))
    assert found.allow(Action.CONTENT_READ, "app")
    assert not found.allow(Action.CONTENT_READ, "other")
    assert not found.allow(Action.CONTENT_WRITE, "app")


def test_an_operation_that_a_condition_does_not_name_is_permitted_everywhere() -> None:
    found = rights(Assigned(WRITER, REGISTRY, guarded([CONTENT_READ], "StringEquals 'app'")))
    assert not found.allow(Action.CONTENT_READ, "other")
    assert found.allow(Action.CONTENT_WRITE, "other")


def test_a_condition_on_repositories_leaves_the_catalog_as_it_is() -> None:
    assert rights(Assigned(LISTER, REGISTRY, guarded([CONTENT_READ], "StringEquals 'app'"))).allow(
        Action.CATALOG_LIST, None
    )


def test_assignments_add_up() -> None:
    found = rights(
        Assigned(READER, REGISTRY, guarded([CONTENT_READ], "StringEquals 'app'")),
        Assigned(READER, GROUP, guarded([CONTENT_READ], "StringStartsWith 'team/'")),
        Assigned(LISTER, SUBSCRIPTION),
    )
    assert found.allow(Action.CONTENT_READ, "app")
    assert found.allow(Action.CONTENT_READ, "team/app")
    assert not found.allow(Action.CONTENT_READ, "other")
    assert found.allow(Action.CATALOG_LIST, None)


def test_an_assignment_without_a_condition_outweighs_those_with_one() -> None:
    limited = Assigned(READER, REGISTRY, guarded([CONTENT_READ], "StringEquals 'app'"))
    assert rights(limited, Assigned(READER, GROUP)).allow(Action.CONTENT_READ, "other")


@pytest.mark.parametrize("condition", ["", "true", "@Request[other] StringEquals 'a'", "(" * 40])
def test_a_condition_that_cannot_be_read_permits_nothing(condition: str) -> None:
    found = rights(Assigned(READER, REGISTRY, condition))
    assert not found.allow(Action.CONTENT_READ, "app")
    (considered,) = found.explain(Action.CONTENT_READ, "app").considered
    assert considered.reason == "its condition cannot be read"


def test_a_condition_gives_nothing_in_a_registry_that_knows_none() -> None:
    """Its data actions say nothing of the control actions that count there, and would leave them to everybody."""
    importer = ROLES["Container Registry Data Importer and Data Reader"]
    assigned = Assigned(importer, REGISTRY, guarded([CONTENT_READ], "StringEquals 'app'"))
    assert rights(assigned, mode=Mode.ABAC).allow(Action.CONTENT_READ, "app")
    legacy = rights(assigned, mode=Mode.LEGACY)
    assert not legacy.allow(Action.CONTENT_READ, "app")
    (considered,) = legacy.explain(Action.CONTENT_READ, "app").considered
    assert "AbacRepositoryPermissions" in considered.reason


@pytest.mark.parametrize(
    ("role", "permitted"),
    [
        (a_role(actions=(f"{REGISTRIES}/*",)), set(Action)),
        (a_role(actions=(f"{REGISTRIES}/metadata/read",)), {Action.METADATA_READ}),
        (
            a_role(actions=("*",), not_actions=(f"{REGISTRIES}/*/delete",)),
            set(Action) - {Action.CONTENT_DELETE, Action.TAG_DELETE},
        ),
        (a_role(data_actions=("*",)), set()),
    ],
)
def test_a_custom_role_s_wildcards_count_on_the_data_plane(role: RoleDefinition, permitted: set[Action]) -> None:
    found = rights(Assigned(role, REGISTRY), mode=Mode.LEGACY)
    assert {action for action in Action if found.allow(action, "app")} == permitted


def test_a_custom_role_s_data_actions_count_where_repositories_have_permissions() -> None:
    found = rights(Assigned(a_role(actions=("*",), data_actions=(f"{REGISTRIES}/*/read",)), REGISTRY))
    permitted = {action for action in Action if found.allow(action, "app")}
    assert permitted == {Action.CATALOG_LIST, Action.CONTENT_READ, Action.DELETED_LIST, Action.METADATA_READ}


def test_a_denial_names_the_permission_that_is_missing_and_where() -> None:
    legacy = rights(Assigned(ROLES["AcrPull"], REGISTRY), mode=Mode.LEGACY).explain(Action.CONTENT_WRITE, "a/b")
    assert legacy.reason == f"missing: {REGISTRIES}/push/write on {REGISTRY}, repository a/b"
    abac = rights(Assigned(ROLES["AcrPush"], REGISTRY)).explain(Action.CONTENT_WRITE, "a/b")
    assert abac.reason == f"missing: {REGISTRIES}/repositories/content/write on {REGISTRY}, repository a/b"
    catalog = rights().explain(Action.CATALOG_LIST, None)
    assert catalog.reason == f"missing: {REGISTRIES}/catalog/read on {REGISTRY}"


def test_an_explanation_lists_each_assignment_with_its_reason() -> None:
    limited = guarded([CONTENT_READ], "StringEquals 'app'")
    elsewhere = REGISTRY.replace("local", "another")
    decision = rights(
        Assigned(READER, elsewhere),
        Assigned(ROLES["Owner"], "/"),
        Assigned(LISTER, REGISTRY),
        Assigned(READER, REGISTRY, limited),
        Assigned(READER, GROUP, None, through="developers"),
    ).explain(Action.CONTENT_READ, "other")
    assert decision.allowed
    assert [(found.permits, found.reason) for found in decision.considered] == [
        (False, "its scope does not reach the registry"),
        (False, "the role does not count on the data plane in the mode AbacRepositoryPermissions"),
        (False, f"the role does not permit {CONTENT_READ}"),
        (False, "its condition does not hold"),
        (True, "it permits this"),
    ]
    last = decision.considered[-1]
    assert (last.what, last.scope, last.through) == (f"role {READER.name}", GROUP, "developers")
    assert decision.considered[3].condition == limited


DRAWN_ROLES = st.sampled_from(list(BUILT_IN_ROLES.values())) | st.builds(
    lambda actions, without: a_role(
        actions=tuple(actions), not_actions=tuple(without), data_actions=tuple(actions), not_data_actions=tuple(without)
    ),
    st.lists(st.sampled_from(["*", "*/read", f"{REGISTRIES}/repositories/*", *ACTIONS, *DATA_ACTIONS]), max_size=3),
    st.lists(st.sampled_from(["*/delete", "*/metadata/*", *DATA_ACTIONS]), max_size=2),
)
DRAWN = st.builds(
    Assigned,
    DRAWN_ROLES,
    st.sampled_from(["/", SUBSCRIPTION, GROUP, REGISTRY, REGISTRY.upper(), f"{SUBSCRIPTION}/resourceGroups/H"]),
    st.none()
    | CONDITIONS.map(str)
    | st.builds(
        lambda names: guarded(OPERATIONS, *(f"StringEquals '{name}'" for name in names)), st.lists(NAMES, min_size=1)
    )
    | st.just("not a condition"),
)


@examples(200)
@given(st.lists(DRAWN, max_size=5), st.sampled_from(Mode), st.sampled_from(Action), st.none() | NAMES)
def test_what_is_permitted_is_what_the_explanation_says(
    assigned: list[Assigned], mode: Mode, action: Action, repository: str | None
) -> None:
    found = rights(*assigned, mode=mode)
    assert found.allow(action, repository) is found.explain(action, repository).allowed
    assert found.allow(action, repository) is found.allow(action, repository)


@examples(100)
@given(st.lists(DRAWN, max_size=5), st.sampled_from([f"{REGISTRIES}/read", f"{REGISTRIES}/pull/read"]))
def test_what_is_managed_is_what_the_explanation_says(assigned: list[Assigned], operation: str) -> None:
    assert manages(assigned, operation, REGISTRY) is may_manage(assigned, operation, REGISTRY).allowed


@examples(100)
@given(st.lists(DRAWN, max_size=4), DRAWN, st.sampled_from(Mode), st.sampled_from(Action), NAMES)
def test_one_assignment_more_takes_nothing_away(
    assigned: list[Assigned], more: Assigned, mode: Mode, action: Action, repository: str
) -> None:
    if rights(*assigned, mode=mode).allow(action, repository):
        assert rights(*assigned, more, mode=mode).allow(action, repository)


def test_more_questions_than_are_remembered_are_still_answered() -> None:
    found = rights(Assigned(READER, REGISTRY, guarded([CONTENT_READ], "StringStartsWith 'team/'")))
    assert all(found.allow(Action.CONTENT_READ, f"team/{number}") for number in range(10_001))
    assert not found.allow(Action.CONTENT_READ, "other")
    assert found.allow(Action.CONTENT_READ, "team/0")


@pytest.mark.parametrize(
    ("role", "scope", "operation", "resource", "permitted"),
    [
        ("Owner", "/", "Microsoft.Resources/subscriptions/resourceGroups/write", GROUP, True),
        ("Owner", GROUP, "Microsoft.Authorization/roleAssignments/write", REGISTRY, True),
        ("Owner", REGISTRY, "Microsoft.Resources/subscriptions/resourceGroups/write", GROUP, False),
        ("Owner", REGISTRY, f"{REGISTRIES}/write", f"{REGISTRY}2", False),
        ("Contributor", SUBSCRIPTION, f"{REGISTRIES}/write", REGISTRY, True),
        ("Contributor", SUBSCRIPTION, "microsoft.authorization/roleassignments/WRITE", REGISTRY, False),
        ("Reader", SUBSCRIPTION, f"{REGISTRIES}/read", f"{REGISTRY}/scopeMaps/x", True),
        ("Reader", SUBSCRIPTION, f"{REGISTRIES}/delete", REGISTRY, False),
        ("User Access Administrator", REGISTRY, "Microsoft.Authorization/roleAssignments/write", REGISTRY, True),
    ],
)
def test_management_is_permitted_by_a_role_whose_scope_reaches_the_resource(
    role: str, scope: str, operation: str, resource: str, permitted: bool
) -> None:
    decision = may_manage([Assigned(ROLES[role], scope)], operation, resource)
    assert decision.allowed is permitted
    assert decision.reason == f"{'permitted by' if permitted else 'missing:'} {operation} on {resource}"


def test_management_explains_each_assignment() -> None:
    decision = may_manage(
        [
            Assigned(ROLES["Owner"], GROUP),
            Assigned(ROLES["Reader"], "/", through="auditors"),
            Assigned(ROLES["Contributor"], "/", "not a condition"),
            Assigned(ROLES["Contributor"], "/", "!(ActionMatches{'*/write'})"),
        ],
        "Microsoft.Resources/subscriptions/resourceGroups/write",
        f"{SUBSCRIPTION}/resourceGroups/H",
    )
    assert not decision.allowed
    assert [found.reason for found in decision.considered] == [
        "its scope does not reach the resource",
        "the role does not permit Microsoft.Resources/subscriptions/resourceGroups/write",
        "its condition cannot be read",
        "its condition does not hold",
    ]
    assert decision.considered[1].through == "auditors"


def test_data_actions_manage_nothing() -> None:
    everything = a_role(data_actions=("*",))
    assert not may_manage([Assigned(everything, "/")], f"{REGISTRIES}/read", REGISTRY).allowed


def test_the_owner_s_id_is_that_of_the_role() -> None:
    assert BUILT_IN_ROLES[OWNER].name == "Owner"
