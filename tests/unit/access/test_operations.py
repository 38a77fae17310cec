import pytest

from entrepot.access.model import Action
from entrepot.access.operations import ACTIONS, DATA_ACTIONS, PERMITTED_BY, PROVIDER, names_nothing
from entrepot.access.scope_maps import parse_actions

REGISTRIES = "Microsoft.ContainerRegistry/registries"


def test_every_action_of_the_data_plane_says_what_permits_it() -> None:
    assert PERMITTED_BY.keys() == set(Action)


@pytest.mark.parametrize("action", Action)
def test_what_permits_an_action_is_an_operation_that_a_role_can_name(action: Action) -> None:
    permitting = PERMITTED_BY[action]
    assert permitting.classic
    assert set(permitting.classic) <= set(ACTIONS)
    assert permitting.data in DATA_ACTIONS


# Lists of a whole registry, and what was deleted (ACR-REFERENCE 5.2).
NEVER = {Action.CATALOG_LIST, Action.DELETED_LIST, Action.DELETED_READ, Action.DELETED_RESTORE}


@pytest.mark.parametrize("action", set(Action) - NEVER, ids=lambda action: action.name)
def test_a_scope_map_can_permit_what_is_done_to_what_is_there(action: Action) -> None:
    verbs = PERMITTED_BY[action].scope_map
    assert len(parse_actions(f"repositories/a/{verb}" for verb in verbs)) == len(verbs) > 0


@pytest.mark.parametrize("action", NEVER, ids=lambda action: action.name)
def test_no_scope_map_can_permit_the_catalog_or_undo(action: Action) -> None:
    assert PERMITTED_BY[action].scope_map == ()


def test_no_operation_is_listed_twice_or_under_another_provider() -> None:
    operations = [operation.lower() for operation in (*ACTIONS, *DATA_ACTIONS)]
    assert len(operations) == len(set(operations))
    assert all(operation.startswith(f"{PROVIDER.lower()}/") for operation in operations)


@pytest.mark.parametrize(
    ("pattern", "nothing"),
    [
        (f"{REGISTRIES}/pull/read", False),
        (f"{REGISTRIES.upper()}/PULL/READ", False),
        (f"{REGISTRIES}/*/read", False),
        (f"{PROVIDER}/*", False),
        ("*", False),
        ("Microsoft.Storage/storageAccounts/read", False),
        (f"{REGISTRIES}/pul/read", True),
        (f"{REGISTRIES}/pull/write", True),
        (f"{REGISTRIES}/repositories/content/read", True),
    ],
)
def test_a_pattern_of_ours_that_names_no_control_action_is_found(pattern: str, nothing: bool) -> None:
    assert names_nothing(pattern, ACTIONS) is nothing
