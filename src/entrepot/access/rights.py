"""What a principal may do, whatever kind of principal it is: in a registry, or to a resource. A worker remembers both.

One look-up of few statements. Deny by default.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from entrepot.access import queries, roles
from entrepot.access.builtin_roles import BUILT_IN_ROLES
from entrepot.access.definitions import Mode, Permission, RoleDefinition
from entrepot.access.model import Everything, Nothing, Rights
from entrepot.access.queries import CustomRole, Holder
from entrepot.access.roles import Assigned, RoleRights, scopes_above
from entrepot.access.scope_maps import ScopeMapRights, parse_actions


class Where(NamedTuple):
    """A registry as rights see it: its row, its resource id, and how it reads roles."""

    registry: int
    scope: str
    mode: Mode


def rights_of(tx: Connection, principal_id: str, where: Where) -> Rights:
    """Of admin accounts, runs of tasks and repository tokens in their own registry alone; of others by their roles."""
    match queries.find_holder(tx, principal_id):
        case None:
            return Nothing()
        case Holder("Admin" | "Run" | "Token", of) if of != where.registry:
            return Nothing()
        case Holder("Admin"):
            return Everything()
        case Holder("Run", acts_as=other):
            return _rights_of_run(tx, other, where)
        case Holder("Token"):
            return _rights_of_token(tx, principal_id)
        case _:
            assigned = assignments_of(tx, principal_id, where.scope)
            return RoleRights(assigned, where.scope, where.mode) if assigned else Nothing()


def _rights_of_run(tx: Connection, acts_as: str | None, where: Where) -> Rights:
    """By itself all that an admin account may, but for where rights go by repository (ACR-REFERENCE 5.2); or else what
    that principal may by now, and no more.
    """
    if acts_as is not None:
        return rights_of(tx, acts_as, where)
    return Everything() if where.mode is Mode.LEGACY else Nothing()


def may_manage(tx: Connection, principal_id: str, operation: str, resource_id: str) -> bool:
    """Whether the principal may do the management operation to the resource: by its roles alone."""
    if queries.find_holder(tx, principal_id) is None:
        return False
    return roles.manages(assignments_of(tx, principal_id, resource_id), operation, resource_id)


def may_manage_each(tx: Connection, principal_id: str, asked: Sequence[tuple[str, str]]) -> list[bool]:
    """The answer of ``may_manage`` for each operation on a resource, by one look-up for all of them."""
    if queries.find_holder(tx, principal_id) is None:
        return [False] * len(asked)
    every = frozenset[str]().union(*(scopes_above(resource_id) for _, resource_id in asked))
    by_scope: dict[str, list[Assigned]] = {}
    for given in _assigned_at(tx, principal_id, every):
        by_scope.setdefault(given.scope.removesuffix("/").lower(), []).append(given)
    return [
        roles.manages(
            [given for scope in scopes_above(resource_id) for given in by_scope.get(scope, ())], operation, resource_id
        )
        for operation, resource_id in asked
    ]


def assignments_of(tx: Connection, principal_id: str, resource_id: str) -> list[Assigned]:
    """The roles that a principal has on a resource, from there or from above, by itself or through its groups."""
    return _assigned_at(tx, principal_id, scopes_above(resource_id))


def _assigned_at(tx: Connection, principal_id: str, scopes: frozenset[str]) -> list[Assigned]:
    held = queries.assignments_of(tx, principal_id, scopes)
    ids = {role_id: role_id.lower() for role_id in {row[0] for row in held}}
    known = dict(BUILT_IN_ROLES)
    unknown = set(ids.values()) - known.keys()
    if unknown:
        known |= {role.id: _read_role(role) for role in queries.custom_roles(tx, unknown)}
    roles_held = {role_id: known[low] for role_id, low in ids.items() if low in known}
    return [
        Assigned(roles_held[role_id], scope, condition, through)
        for role_id, scope, condition, through in held
        if role_id in roles_held
    ]


def _rights_of_token(tx: Connection, principal_id: str) -> Rights:
    """Those of its scope map; none when that was deleted."""
    found = queries.scope_map_of(tx, principal_id)
    if found is None:
        return Nothing()
    name, actions = found
    return ScopeMapRights(name, parse_actions(msgspec.json.decode(actions, type=list[str])))


class _Permission(msgspec.Struct, rename="camel"):
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def _read_role(role: CustomRole) -> RoleDefinition:
    written = msgspec.json.decode(role.permissions, type=list[_Permission])
    permissions = tuple(
        Permission(each.actions, each.not_actions, each.data_actions, each.not_data_actions) for each in written
    )
    return RoleDefinition(role.id, role.name, role.description, permissions)
