import uuid

import pytest

from entrepot.access.builtin_roles import BUILT_IN_ROLES
from entrepot.access.definitions import Mode, RoleDefinition
from entrepot.access.model import Action
from entrepot.access.roles import Assigned, RoleRights, may_manage

REGISTRY = "/subscriptions/S/resourceGroups/G/providers/Microsoft.ContainerRegistry/registries/local"
REGISTRIES = "Microsoft.ContainerRegistry/registries"
ROLES = {role.name: role for role in BUILT_IN_ROLES.values()}

ALL = set(Action)
READ = {Action.CATALOG_LIST, Action.CONTENT_READ, Action.METADATA_READ}
OF_REGISTRY = {Action.CATALOG_LIST, Action.DELETED_LIST}
REPOSITORY_READ = {Action.CONTENT_READ, Action.METADATA_READ}
REPOSITORY_WRITE = REPOSITORY_READ | {Action.CONTENT_WRITE, Action.METADATA_WRITE}
NOTHING: set[Action] = set()

# What ACR's documents say of each role: in the mode LegacyRegistryPermissions, in AbacRepositoryPermissions.
DATA_PLANE = {
    "Owner": (ALL, NOTHING),
    "Contributor": (ALL, NOTHING),
    "Reader": (READ | {Action.DELETED_LIST, Action.DELETED_READ}, NOTHING),
    "User Access Administrator": (NOTHING, NOTHING),
    "Role Based Access Control Administrator": (NOTHING, NOTHING),
    "AcrPull": (READ, NOTHING),
    "AcrPush": (READ | {Action.CONTENT_WRITE}, NOTHING),
    "AcrDelete": ({Action.CONTENT_DELETE, Action.TAG_DELETE}, NOTHING),
    "AcrImageSigner": (NOTHING, NOTHING),
    "AcrQuarantineReader": (NOTHING, NOTHING),
    "AcrQuarantineWriter": (NOTHING, NOTHING),
    "Container Registry Repository Reader": (NOTHING, REPOSITORY_READ),
    "Container Registry Repository Writer": (NOTHING, REPOSITORY_WRITE),
    "Container Registry Repository Contributor": (NOTHING, ALL - OF_REGISTRY),
    "Container Registry Repository Catalog Lister": (NOTHING, OF_REGISTRY),
    "Container Registry Data Importer and Data Reader": (READ, READ | OF_REGISTRY),
    "Container Registry Contributor and Data Access Configuration Administrator": (NOTHING, NOTHING),
    "Container Registry Configuration Reader and Data Access Configuration Reader": (NOTHING, NOTHING),
    "Container Registry Tasks Contributor": (NOTHING, NOTHING),
    "Container Registry Transfer Pipeline Contributor": (NOTHING, NOTHING),
    "Container Registry Cache Rule Administrator": (NOTHING, NOTHING),
    "Container Registry Cache Rule Reader": (NOTHING, NOTHING),
    "Container Registry Credential Set Administrator": (NOTHING, NOTHING),
    "Container Registry Credential Set Reader": (NOTHING, NOTHING),
}
# And of the control plane: one operation that the role permits, and one that it does not.
CONTROL_PLANE = {
    "Owner": ("Microsoft.Authorization/roleAssignments/write", None),
    "Contributor": (f"{REGISTRIES}/write", "Microsoft.Authorization/roleAssignments/write"),
    "Reader": (f"{REGISTRIES}/read", f"{REGISTRIES}/listCredentials/action"),
    "User Access Administrator": ("Microsoft.Authorization/roleAssignments/delete", f"{REGISTRIES}/write"),
    "Role Based Access Control Administrator": (
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Authorization/roleDefinitions/write",
    ),
    "AcrPull": (f"{REGISTRIES}/pull/read", f"{REGISTRIES}/read"),
    "Container Registry Repository Contributor": (None, f"{REGISTRIES}/read"),
    "Container Registry Data Importer and Data Reader": (
        f"{REGISTRIES}/importImage/action",
        f"{REGISTRIES}/write",
    ),
    "Container Registry Contributor and Data Access Configuration Administrator": (
        f"{REGISTRIES}/generateCredentials/action",
        f"{REGISTRIES}/tasks/write",
    ),
    "Container Registry Configuration Reader and Data Access Configuration Reader": (
        f"{REGISTRIES}/listCredentials/action",
        f"{REGISTRIES}/regenerateCredential/action",
    ),
    "Container Registry Tasks Contributor": (f"{REGISTRIES}/scheduleRun/action", f"{REGISTRIES}/write"),
    "Container Registry Transfer Pipeline Contributor": (
        f"{REGISTRIES}/pipelineRuns/write",
        f"{REGISTRIES}/importImage/action",
    ),
    "Container Registry Cache Rule Administrator": (
        f"{REGISTRIES}/cacheRules/delete",
        f"{REGISTRIES}/credentialSets/read",
    ),
    "Container Registry Cache Rule Reader": (f"{REGISTRIES}/cacheRules/read", f"{REGISTRIES}/cacheRules/write"),
    "Container Registry Credential Set Administrator": (
        f"{REGISTRIES}/credentialSets/delete",
        f"{REGISTRIES}/cacheRules/read",
    ),
    "Container Registry Credential Set Reader": (
        f"{REGISTRIES}/credentialSets/read",
        f"{REGISTRIES}/credentialSets/write",
    ),
}


def test_each_built_in_role_is_in_the_table_of_this_file() -> None:
    assert ROLES.keys() == DATA_PLANE.keys()


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", DATA_PLANE)
def test_a_built_in_role_permits_what_azure_s_documents_say(name: str, mode: Mode) -> None:
    rights = RoleRights([Assigned(ROLES[name], "/subscriptions/S")], REGISTRY, mode)
    expected = DATA_PLANE[name][0 if mode is Mode.LEGACY else 1]
    asked = {action: None if action in OF_REGISTRY else "app" for action in Action}
    assert {action for action, repository in asked.items() if rights.allow(action, repository)} == expected


@pytest.mark.parametrize(("name", "operations"), CONTROL_PLANE.items(), ids=CONTROL_PLANE)
def test_a_built_in_role_manages_what_it_is_for_and_not_the_next_thing(
    name: str, operations: tuple[str | None, str | None]
) -> None:
    permitted, denied = operations
    assigned = [Assigned(ROLES[name], REGISTRY)]
    assert permitted is None or may_manage(assigned, permitted, REGISTRY).allowed
    assert denied is None or not may_manage(assigned, denied, REGISTRY).allowed


@pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
def test_a_built_in_role_names_operations_that_exist(role: RoleDefinition) -> None:
    assert [pattern for permission in role.permissions for pattern in permission.unknown()] == []


@pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
def test_a_built_in_role_has_azure_s_form_of_an_id_and_a_description(role: RoleDefinition) -> None:
    assert str(uuid.UUID(role.id)) == role.id
    assert role.description


def test_the_ids_that_scripts_have_written_down_are_azure_s() -> None:
    written = {
        "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
        "AcrPush": "8311e382-0749-4cb8-b61a-304f252e45ec",
        "AcrDelete": "c2f4ef07-c644-48eb-af81-4b1b4947fb11",
        "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    }
    assert {name: ROLES[name].id for name in written} == written
