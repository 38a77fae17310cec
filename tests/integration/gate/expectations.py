"""What a route's declaration and a role's own definition say together: the expectation of the matrix of roles.

Written anew from the documents (ACR-REFERENCE 5.1 to 5.5), with nothing of ``access/roles.py`` in it.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

from entrepot.access.definitions import Mode, Permission, RoleDefinition
from entrepot.access.model import GRANTED_BY, REPOSITORY_WORDS, Access, Action, All, OwnUpload, Public, SignedIn
from entrepot.access.operations import PERMITTED_BY

# What anonymous pull opens (ACR-REFERENCE 4.6).
ANYBODY: Final = frozenset({Action.CATALOG_LIST, Action.CONTENT_READ, Action.METADATA_READ})


def _names(patterns: Iterable[str], operation: str) -> bool:
    return any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), operation, re.IGNORECASE) for pattern in patterns
    )


def _permits(permission: Permission, operation: str) -> bool:
    return _names(permission.actions, operation) and not _names(permission.not_actions, operation)


def _permits_data(permission: Permission, operation: str) -> bool:
    return _names(permission.data_actions, operation) and not _names(permission.not_data_actions, operation)


def may_manage(role: RoleDefinition, operation: str) -> bool:
    return any(_permits(each, operation) for each in role.permissions)


def actions_of(role: RoleDefinition, mode: Mode) -> frozenset[Action]:
    """What the role permits on the data plane of a registry in this mode."""
    if mode not in role.modes:
        return frozenset()
    found = set[Action]()
    for action, permitting in PERMITTED_BY.items():
        for permission in role.permissions:
            if mode is Mode.LEGACY and any(_permits(permission, each) for each in permitting.classic):
                found.add(action)
            if mode is Mode.ABAC and _permits_data(permission, permitting.data):
                found.add(action)
    return frozenset(found)


def actions_of_verbs(verbs: Collection[str]) -> frozenset[Action]:
    """What a scope map with these verbs on a repository permits in it."""
    return frozenset(action for action, each in PERMITTED_BY.items() if not set(each.scope_map).isdisjoint(verbs))


def by_token(held: frozenset[Action]) -> frozenset[Action]:
    """What is left of rights in an access token that was asked to list everything."""
    words = {word for word, action in REPOSITORY_WORDS.items() if action in held}
    listed = {action for action in Action if not GRANTED_BY[action].isdisjoint(words)}
    return frozenset(held & (listed | {Action.CATALOG_LIST, Action.DELETED_LIST}))


def opens(access: Access, held: frozenset[Action], *, signed_in: bool) -> bool:
    """Whether the row lets somebody with these rights through, who is there and whose token has not ended."""
    match access:
        case Public():
            return True
        case SignedIn():
            return signed_in
        case OwnUpload(action=action):
            return action in held
        case All(actions=actions):
            return held.issuperset(actions)
        case Action():
            return access in held
        case _:
            raise AssertionError(access)
