"""SQL of what Graph lists: principals and applications of a tenant, by what clients filter for."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, delete, func, or_, select

from entrepot.arm.filters import Term
from entrepot.db.access_tables import application, group_member, principal, role_assignment
from entrepot.db.tables import subscription
from entrepot.identities.model import Application, Kind, Principal

_PRINCIPAL: Final = (
    principal.c.id,
    principal.c.tenant_id,
    principal.c.kind,
    principal.c.name,
    principal.c.enabled,
    principal.c.created_at,
    principal.c.client_id,
    principal.c.type,
    principal.c.upn,
    principal.c.provisioned,
    principal.c.attributes,
)


def principals(
    tx: Connection, tenant_id: str, kind: Kind, terms: Sequence[Term], page: tuple[str, int]
) -> list[Principal]:
    """Of one kind, in the order of their ids. ``page``: the id to go on after, and how many."""
    after, limit = page
    rows = tx.execute(
        select(*_PRINCIPAL)
        .outerjoin_from(principal, application, application.c.principal_id == principal.c.id)
        .where(
            principal.c.tenant_id == tenant_id,
            principal.c.kind == kind.value,
            principal.c.provisioned,
            principal.c.id > after,
            *(_fits(term) for term in terms),
        )
        .order_by(principal.c.id)
        .limit(limit)
    )
    return [Principal(*row) for row in rows]


def principals_by_ids(tx: Connection, tenant_id: str, ids: Collection[str]) -> list[Principal]:
    rows = tx.execute(
        select(*_PRINCIPAL)
        .where(principal.c.tenant_id == tenant_id, principal.c.id.in_(ids), principal.c.provisioned, _IN_DIRECTORY)
        .order_by(principal.c.id)
    )
    return [Principal(*row) for row in rows]


# Tokens and admin accounts of registries are principals too, but nobody of the directory.
_IN_DIRECTORY: Final = principal.c.kind.in_([kind.value for kind in Kind])


def applications(tx: Connection, tenant_id: str, terms: Sequence[Term], page: tuple[str, int]) -> list[Application]:
    """In the order of their ids."""
    after, limit = page
    statement = _applications().where(
        principal.c.tenant_id == tenant_id,
        application.c.id > after,
        *(_fits(term, application.c.name, application.c.id) for term in terms),
    )
    return [Application(*row) for row in tx.execute(statement.order_by(application.c.id).limit(limit))]


def application_of(tx: Connection, principal_id: str) -> Application | None:
    """The application that a service principal stands for; None for a managed identity."""
    row = tx.execute(_applications().where(application.c.principal_id == principal_id)).one_or_none()
    return None if row is None else Application(*row)


def applications_of(tx: Connection, principal_ids: Collection[str]) -> dict[str, Application]:
    """The same of several, by the ids of their service principals."""
    rows = tx.execute(_applications().where(application.c.principal_id.in_(principal_ids)))
    return {row[1]: Application(*row) for row in rows}


def _applications() -> Select[*tuple[Any, ...]]:
    return select(
        application.c.id,
        application.c.principal_id,
        principal.c.tenant_id,
        principal.c.client_id,
        application.c.name,
        application.c.created_at,
        application.c.attributes,
    ).join_from(application, principal, principal.c.id == application.c.principal_id)


def _fits(
    term: Term, name: ColumnElement[str] = principal.c.name, key: ColumnElement[str] = principal.c.id
) -> ColumnElement[bool]:
    """What one comparison of a filter asks. Graph compares names without case."""
    lower = term.value.lower()
    asked: dict[str, Callable[[], ColumnElement[bool]]] = {
        "displayName eq": lambda: func.lower(name) == lower,
        "startswith(displayName)": lambda: func.lower(name).startswith(lower, autoescape=True),
        "id eq": lambda: key == lower,
        "appId eq": lambda: principal.c.client_id == term.value,
        "userPrincipalName eq": lambda: principal.c.upn == lower,
        "mail eq": lambda: principal.c.upn == lower,
        "startswith(userPrincipalName)": lambda: principal.c.upn.startswith(lower, autoescape=True),
        "mailNickname eq": lambda: _attribute("mailNickname", term.value),
        "identifierUris/any": lambda: _listed(term.value),
        "servicePrincipalNames/any": lambda: or_(principal.c.client_id == term.value, _listed(term.value)),
    }
    return asked[term.what]()


def _listed(text: str) -> ColumnElement[bool]:
    """That the application's JSON holds the text as a member of a list: only identifier URIs are such."""
    written = msgspec.json.encode(text).decode()
    return application.c.attributes.contains(written, autoescape=True)


def _attribute(member: str, text: str) -> ColumnElement[bool]:
    written = f'"{member}":{msgspec.json.encode(text).decode()}'
    return principal.c.attributes.contains(written, autoescape=True)


def subscriptions_of(tx: Connection, tenant_id: str) -> list[str]:
    return list(tx.execute(select(subscription.c.id).where(subscription.c.tenant_id == tenant_id)).scalars())


def take_away_rights(tx: Connection, principal_id: str) -> None:
    """Its roles and its memberships."""
    tx.execute(delete(role_assignment).where(role_assignment.c.principal_id == principal_id))
    tx.execute(delete(group_member).where(group_member.c.member_id == principal_id))
