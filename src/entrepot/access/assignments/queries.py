"""SQL of role assignments and custom role definitions as resources."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, true, update

from entrepot.access.queries import scope_key
from entrepot.db.access_tables import group_member, principal, role_assignment, role_definition


class AssignmentRow(NamedTuple):
    """A role given to a principal at a scope, with what of the principal is shown beside it."""

    id: str
    principal_id: str
    principal_kind: str
    role_id: str
    scope: str
    condition: str | None
    condition_version: str | None
    description: str
    created_at: datetime
    updated_at: datetime | None
    created_by: str


_ASSIGNMENT: Final = (
    role_assignment.c.id,
    role_assignment.c.principal_id,
    principal.c.kind,
    role_assignment.c.role_id,
    role_assignment.c.scope,
    role_assignment.c.condition,
    role_assignment.c.condition_version,
    role_assignment.c.description,
    role_assignment.c.created_at,
    role_assignment.c.updated_at,
    role_assignment.c.created_by,
)


def find_assignment(tx: Connection, assignment_id: str) -> AssignmentRow | None:
    return _first(tx, role_assignment.c.id == assignment_id.lower())


def find_same(tx: Connection, principal_id: str, role_id: str, scope: str) -> AssignmentRow | None:
    """The one by which the principal has the role at this very scope already."""
    return _first(
        tx,
        role_assignment.c.principal_id == principal_id,
        role_assignment.c.role_id == role_id,
        role_assignment.c.scope_key == scope_key(scope),
    )


def _first(tx: Connection, *conditions: ColumnElement[bool]) -> AssignmentRow | None:
    row = tx.execute(
        select(*_ASSIGNMENT)
        .join_from(role_assignment, principal, principal.c.id == role_assignment.c.principal_id)
        .where(*conditions)
    ).one_or_none()
    return None if row is None else AssignmentRow(*row)


class Wanted(NamedTuple):
    """Which assignments a list holds: those at one of ``at``, those below ``below``, to one of ``principals``."""

    at: Collection[str] = ()
    below: str | None = None
    principals: Collection[str] | None = None


def assignments(tx: Connection, wanted: Wanted, after: str, limit: int) -> Sequence[AssignmentRow]:
    """In the order of their ids."""
    at = role_assignment.c.scope_key.in_([scope_key(scope) for scope in wanted.at])
    place = at if wanted.below is None else or_(at, _is_below(wanted.below))
    whose = true() if wanted.principals is None else role_assignment.c.principal_id.in_(wanted.principals)
    rows = tx.execute(
        select(*_ASSIGNMENT)
        .join_from(role_assignment, principal, principal.c.id == role_assignment.c.principal_id)
        .where(place, whose, role_assignment.c.id > after)
        .order_by(role_assignment.c.id)
        .limit(limit)
    )
    return [AssignmentRow(*row) for row in rows]


def insert_assignment(tx: Connection, made: AssignmentRow) -> None:
    values: dict[str, Any] = made._asdict()  # columns of several types
    del values["principal_kind"]
    tx.execute(insert(role_assignment).values(**values, scope_key=scope_key(made.scope)))


def update_assignment(tx: Connection, changed: AssignmentRow) -> None:
    """Condition and description: what an assignment gives to whom stays."""
    tx.execute(
        update(role_assignment)
        .where(role_assignment.c.id == changed.id)
        .values(
            condition=changed.condition,
            condition_version=changed.condition_version,
            description=changed.description,
            updated_at=changed.updated_at,
        )
    )


def delete_assignment(tx: Connection, assignment_id: str) -> None:
    tx.execute(delete(role_assignment).where(role_assignment.c.id == assignment_id))


def delete_at_or_below(tx: Connection, scope: str) -> None:
    """Of a resource that goes: one of the same name that comes later begins without them."""
    tx.execute(delete(role_assignment).where((role_assignment.c.scope_key == scope_key(scope)) | _is_below(scope)))


def _is_below(scope: str) -> ColumnElement[bool]:
    """Not by a range: PostgreSQL's locale may sort a slash anywhere."""
    return role_assignment.c.scope_key.startswith(f"{scope_key(scope)}/", autoescape=True)


class DefinitionRow(NamedTuple):
    """A custom role. ``permissions`` and ``assignable_scopes`` are JSON, as Azure writes them."""

    id: str
    tenant_id: str
    name: str
    description: str
    permissions: str
    assignable_scopes: str
    created_at: datetime
    updated_at: datetime


_DEFINITION: Final = (
    role_definition.c.id,
    role_definition.c.tenant_id,
    role_definition.c.name,
    role_definition.c.description,
    role_definition.c.permissions,
    role_definition.c.assignable_scopes,
    role_definition.c.created_at,
    role_definition.c.updated_at,
)


def definitions(tx: Connection, tenant_id: str) -> list[DefinitionRow]:
    """Every custom role of the tenant."""
    rows = tx.execute(select(*_DEFINITION).where(role_definition.c.tenant_id == tenant_id))
    return [DefinitionRow(*row) for row in rows]


def find_definition(tx: Connection, role_id: str) -> DefinitionRow | None:
    row = tx.execute(select(*_DEFINITION).where(role_definition.c.id == role_id.lower())).one_or_none()
    return None if row is None else DefinitionRow(*row)


def definition_named(tx: Connection, tenant_id: str, name: str) -> DefinitionRow | None:
    """Names compare without case."""
    row = tx.execute(
        select(*_DEFINITION).where(
            role_definition.c.tenant_id == tenant_id, func.lower(role_definition.c.name) == name.lower()
        )
    ).one_or_none()
    return None if row is None else DefinitionRow(*row)


def insert_definition(tx: Connection, made: DefinitionRow) -> None:
    tx.execute(insert(role_definition).values(**made._asdict()))


def update_definition(tx: Connection, changed: DefinitionRow) -> None:
    values: dict[str, Any] = changed._asdict()  # columns of several types
    del values["id"], values["tenant_id"], values["created_at"]
    tx.execute(update(role_definition).where(role_definition.c.id == changed.id).values(**values))


def delete_definition(tx: Connection, role_id: str) -> None:
    tx.execute(delete(role_definition).where(role_definition.c.id == role_id))


def is_assigned(tx: Connection, role_id: str) -> bool:
    return (
        tx.execute(select(role_assignment.c.id).where(role_assignment.c.role_id == role_id).limit(1)).one_or_none()
        is not None
    )


class PrincipalRow(NamedTuple):
    id: str
    tenant_id: str
    kind: str


def find_principal(tx: Connection, principal_id: str) -> PrincipalRow | None:
    """One of the directory's that can be given a role."""
    row = tx.execute(
        select(principal.c.id, principal.c.tenant_id, principal.c.kind).where(
            principal.c.id == principal_id, principal.c.provisioned, principal.c.registry_id.is_(None)
        )
    ).one_or_none()
    return None if row is None else PrincipalRow(*row)


def groups_of(tx: Connection, principal_id: str) -> frozenset[str]:
    """Every group that it is in, directly or by way of groups."""
    direct = select(group_member.c.group_id).where(group_member.c.member_id == principal_id)
    reached = direct.cte("reached", recursive=True)
    # UNION, not UNION ALL: groups that hold each other end it.
    every = reached.union(
        select(group_member.c.group_id).join_from(group_member, reached, group_member.c.member_id == reached.c.group_id)
    )
    return frozenset(tx.execute(select(every.c.group_id)).scalars())


def scopes_of(tx: Connection, principal_id: str) -> list[str]:
    """Where it has a role, by itself or through its groups, in the form in which scopes compare."""
    holders = groups_of(tx, principal_id) | {principal_id}
    found = select(role_assignment.c.scope_key).where(role_assignment.c.principal_id.in_(holders)).distinct()
    return list(tx.execute(found).scalars())
