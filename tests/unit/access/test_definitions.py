import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples

from entrepot.access.definitions import Permission, RoleDefinition
from entrepot.access.patterns import names_operation

REGISTRIES = "Microsoft.ContainerRegistry/registries"


def a_role(*permissions: Permission) -> RoleDefinition:
    return RoleDefinition("11111111-2222-3333-4444-555555555555", "a role", "", permissions)


@pytest.mark.parametrize(
    ("pattern", "operation", "named"),
    [
        ("*", "Microsoft.Any/thing/read", True),
        ("*/read", "Microsoft.Any/thing/read", True),
        ("*/read", "Microsoft.Any/thing/write", False),
        ("*/READ", "microsoft.any/thing/Read", True),
        ("Microsoft.Any/*", "Microsoft.Any/thing/below/read", True),
        ("Microsoft.Any/*", "Microsoft.Anything/read", False),
        ("Microsoft.Any/*/read", "Microsoft.Any/a/b/read", True),
        ("Microsoft.Any/*/read", "Microsoft.Any/read", False),
        ("a*b*b", "abb", True),
        ("a*b*b", "ab", False),
        ("Microsoft.Any/thing", "Microsoft.Any/thing/read", False),
        ("Microsoft.Any/thing/read", "MicrosoftxAny/thing/read", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_a_star_stands_for_any_text_and_case_does_not_count(pattern: str, operation: str, named: bool) -> None:
    assert names_operation(pattern, operation) is named


def naively(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(naively(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] == text[0] and naively(pattern[1:], text[1:])


@examples(200)
@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_pattern_names_what_trying_each_way_finds(pattern: str, text: str) -> None:
    assert names_operation(pattern, text) is naively(pattern, text)


def test_many_stars_take_no_longer() -> None:
    begun = time.process_time()
    assert not names_operation("*a" * 4000 + "*b", "a" * 255)
    assert not names_operation("a*" * 250 + "b", "a" * 10_000)
    assert time.process_time() - begun < 2


def test_what_a_permission_excludes_another_may_give() -> None:
    less = Permission(actions=("*",), not_actions=("Microsoft.Authorization/*/write",))
    more = Permission(actions=("Microsoft.Authorization/roleAssignments/write",))
    operation = "Microsoft.Authorization/roleAssignments/write"
    assert not a_role(less).permits(operation)
    assert a_role(less, more).permits(operation)


def test_control_actions_and_data_actions_do_not_stand_in_for_each_other() -> None:
    control, data = a_role(Permission(actions=("*",))), a_role(Permission(data_actions=("*",)))
    assert control.permits("Microsoft.Any/read")
    assert not control.permits_data("Microsoft.Any/read")
    assert data.permits_data("Microsoft.Any/read")
    assert not data.permits("Microsoft.Any/read")


def test_data_actions_are_excluded_in_the_same_way() -> None:
    role = a_role(
        Permission(
            data_actions=(f"{REGISTRIES}/repositories/*",), not_data_actions=(f"{REGISTRIES}/repositories/*/delete",)
        )
    )
    assert role.permits_data(f"{REGISTRIES}/repositories/content/write")
    assert not role.permits_data(f"{REGISTRIES}/repositories/content/delete")


def test_patterns_of_a_custom_role_that_name_nothing_are_told_each() -> None:
    permission = Permission(
        actions=(f"{REGISTRIES}/pull/read", f"{REGISTRIES}/pul/read"),
        not_actions=("Microsoft.Network/anything/at/all",),
        data_actions=(f"{REGISTRIES}/repositories/content/read", f"{REGISTRIES}/pull/read"),
        not_data_actions=(f"{REGISTRIES}/repositories/*/fly",),
    )
    assert permission.unknown() == (
        f"{REGISTRIES}/pul/read",
        f"{REGISTRIES}/pull/read",
        f"{REGISTRIES}/repositories/*/fly",
    )
