"""SQL of explanations: whom a name means."""

from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from entrepot.db.access_tables import principal, scope_map, token

_LIMIT: Final = 5


class Named(NamedTuple):
    """A principal, whether it can sign in or not."""

    id: str
    kind: str
    name: str
    upn: str | None
    is_active: bool


def find_named(tx: Connection, text: str, tenant_id: str, registry_id: int) -> list[Named]:
    """The principal with this object id, application id, user principal name, or name of a token of the registry; or
    else those of the directory that are called so, a few.
    """
    in_directory = (principal.c.tenant_id == tenant_id, principal.c.registry_id.is_(None))
    of_token = select(token.c.principal_id).where(
        token.c.registry_id == registry_id, func.lower(token.c.name) == text.lower()
    )
    for conditions in (
        (*in_directory, principal.c.id == text.lower()),
        (*in_directory, principal.c.client_id == text),
        (*in_directory, principal.c.upn == text.lower()),
        (principal.c.id.in_(of_token),),
        (*in_directory, principal.c.name == text),
    ):
        found = _named(tx, *conditions)
        if found:
            return found
    return []


def find_admin_account(tx: Connection, registry_id: int) -> Named | None:
    found = _named(tx, principal.c.registry_id == registry_id, principal.c.kind == "Admin")
    return found[0] if found else None


def _named(tx: Connection, *conditions: ColumnElement[bool]) -> list[Named]:
    rows = tx.execute(
        select(
            principal.c.id,
            principal.c.kind,
            principal.c.name,
            principal.c.upn,
            principal.c.enabled,
            principal.c.provisioned,
        )
        .where(*conditions)
        .order_by(principal.c.id)
        .limit(_LIMIT)
    )
    return [Named(row[0], row[1], row[2], row[3], row[4] and row[5]) for row in rows]


class MapOfToken(NamedTuple):
    """A token's scope map: its name, and whether it is one of the system's."""

    name: str
    is_system: bool


def map_of_token(tx: Connection, token_principal: str) -> MapOfToken | None:
    row = tx.execute(
        select(scope_map.c.name, scope_map.c.type)
        .join_from(token, scope_map, scope_map.c.id == token.c.scope_map_id)
        .where(token.c.principal_id == token_principal)
    ).one_or_none()
    return None if row is None else MapOfToken(row[0], row[1] == "SystemDefined")
