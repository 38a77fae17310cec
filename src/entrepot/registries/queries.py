"""SQL of admin accounts, scope maps and repository tokens."""

import json
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from entrepot.access.scope_maps import SystemMap
from entrepot.catalog.model import RegistryId
from entrepot.db.access_tables import credential, principal, scope_map, token
from entrepot.db.tables import HIDDEN, registry, resource_group, subscription
from entrepot.registries.model import SYSTEM, KnownPassword, ScopeMap, Status, Token

# --- the registry's row ---------------------------------------------------------------------------------------------


class RegistryRow(NamedTuple):
    """What its accounts need to know of a registry."""

    name: str
    tenant_id: str
    admin_enabled: bool
    sku: str
    limits: str | None


def registry_row(tx: Connection, registry_id: RegistryId) -> RegistryRow:
    row = tx.execute(
        select(registry.c.name, subscription.c.tenant_id, registry.c.admin_enabled, registry.c.sku, registry.c.limits)
        .join_from(registry, resource_group)
        .join(subscription)
        .where(registry.c.id == registry_id)
    ).one()
    return RegistryRow(*row)


def set_admin_enabled(tx: Connection, registry_id: RegistryId, *, enabled: bool) -> None:
    tx.execute(update(registry).where(registry.c.id == registry_id).values(admin_enabled=enabled))


class LimitsRow(NamedTuple):
    """A registry as far as its limits go. ``limits``: JSON of its own ones."""

    id: RegistryId
    name: str
    sku: str
    limits: str | None


_LIMITS: Final = (registry.c.id, registry.c.name, registry.c.sku, registry.c.limits)


def limits_row(tx: Connection, name: str) -> LimitsRow | None:
    row = tx.execute(
        select(*_LIMITS).where(registry.c.name == name.lower(), registry.c.name.notlike(f"{HIDDEN}%"))
    ).one_or_none()
    return None if row is None else LimitsRow(*row)


def registries_with_limits(tx: Connection) -> list[LimitsRow]:
    """Those that have some of their own."""
    return [LimitsRow(*row) for row in tx.execute(select(*_LIMITS).where(registry.c.limits.is_not(None)))]


def set_limits(tx: Connection, registry_id: RegistryId, limits: str | None, storage: int) -> None:
    """``storage``: the bytes that a commit may fill it to."""
    tx.execute(update(registry).where(registry.c.id == registry_id).values(limits=limits, bytes_limit=storage))


def settle_storage(tx: Connection, sku: str, storage: int) -> None:
    """Of every registry of the tier that has no limits of its own and another figure."""
    other = (registry.c.bytes_limit.is_(None)) | (registry.c.bytes_limit != storage)
    plain = (registry.c.sku == sku, registry.c.limits.is_(None), other)
    tx.execute(update(registry).where(*plain).values(bytes_limit=storage))


def registry_ids(tx: Connection) -> list[RegistryId]:
    return [RegistryId(row[0]) for row in tx.execute(select(registry.c.id))]


# --- principals of registries and their passwords -------------------------------------------------------------------


class NewPrincipal(NamedTuple):
    """A principal that is of a registry."""

    id: str
    tenant_id: str
    kind: str
    name: str
    registry_id: RegistryId
    created_at: datetime


def insert_principal(tx: Connection, made: NewPrincipal) -> None:
    tx.execute(insert(principal).values(**made._asdict()))


def admin_principal(tx: Connection, registry_id: RegistryId) -> str | None:
    return tx.execute(
        select(principal.c.id).where(principal.c.registry_id == registry_id, principal.c.kind == "Admin")
    ).scalar_one_or_none()


def delete_principal(tx: Connection, principal_id: str) -> None:
    """Its credentials, and a token's row, go with it."""
    tx.execute(delete(principal).where(principal.c.id == principal_id))


class PasswordRow(NamedTuple):
    """A password as it is kept. ``body`` is its value, sealed, where it must be readable again."""

    id: str
    name: str
    secret_hash: str
    created_at: datetime
    expires_at: datetime | None = None
    body: str | None = None


def insert_password(tx: Connection, principal_id: str, kind: str, made: PasswordRow) -> None:
    tx.execute(insert(credential).values(principal_id=principal_id, kind=kind, **made._asdict()))


def passwords_of(tx: Connection, principal_id: str) -> list[PasswordRow]:
    rows = tx.execute(
        select(
            credential.c.id,
            credential.c.name,
            credential.c.secret_hash,
            credential.c.created_at,
            credential.c.expires_at,
            credential.c.body,
        )
        .where(credential.c.principal_id == principal_id)
        .order_by(credential.c.name)
    )
    return [PasswordRow(*row) for row in rows]


def delete_passwords(tx: Connection, principal_id: str, names: Collection[str]) -> None:
    tx.execute(delete(credential).where(credential.c.principal_id == principal_id, credential.c.name.in_(names)))


# --- scope maps -----------------------------------------------------------------------------------------------------


def _scope_map(name: str, kind: str, description: str, actions: str, created_at: datetime) -> ScopeMap:
    return ScopeMap(name, kind, description, tuple(json.loads(actions)), created_at)


_SCOPE_MAP: Final = (
    scope_map.c.name,
    scope_map.c.type,
    scope_map.c.description,
    scope_map.c.actions,
    scope_map.c.created_at,
)


def find_scope_map(tx: Connection, registry_id: RegistryId, name: str) -> ScopeMap | None:
    """Names of resources compare without case."""
    row = tx.execute(
        select(*_SCOPE_MAP).where(scope_map.c.registry_id == registry_id, func.lower(scope_map.c.name) == name.lower())
    ).one_or_none()
    return None if row is None else _scope_map(*row)


def scope_maps(tx: Connection, registry_id: RegistryId, after: str = "", limit: int | None = None) -> list[ScopeMap]:
    """By name in lower case, from the one after ``after`` on."""
    name = func.lower(scope_map.c.name)
    rows = tx.execute(
        select(*_SCOPE_MAP).where(scope_map.c.registry_id == registry_id, name > after).order_by(name).limit(limit)
    )
    return [_scope_map(*row) for row in rows]


def count_scope_maps(tx: Connection, registry_id: RegistryId) -> int:
    """Without the system's."""
    own = (scope_map.c.registry_id == registry_id, scope_map.c.type != SYSTEM)
    return tx.execute(select(func.count()).select_from(scope_map).where(*own)).scalar_one()


def insert_scope_map(tx: Connection, registry_id: RegistryId, made: ScopeMap) -> None:
    tx.execute(
        insert(scope_map).values(
            registry_id=registry_id,
            name=made.name,
            type=made.type,
            description=made.description,
            actions=json.dumps(made.actions),
            created_at=made.created_at,
        )
    )


def update_scope_map(tx: Connection, registry_id: RegistryId, changed: ScopeMap) -> None:
    tx.execute(
        update(scope_map)
        .where(scope_map.c.registry_id == registry_id, scope_map.c.name == changed.name)
        .values(description=changed.description, actions=json.dumps(changed.actions))
    )


def delete_scope_map(tx: Connection, registry_id: RegistryId, name: str) -> None:
    """Its tokens stay, without a scope map."""
    tx.execute(delete(scope_map).where(scope_map.c.registry_id == registry_id, scope_map.c.name == name))


def insert_system_map(tx: Connection, registry_id: RegistryId, made: SystemMap, now: datetime) -> None:
    insert_scope_map(tx, registry_id, ScopeMap(made.name, SYSTEM, made.description, made.actions, now))


# --- tokens ---------------------------------------------------------------------------------------------------------

_TOKEN: Final = (token.c.name, token.c.principal_id, scope_map.c.name, principal.c.enabled, token.c.created_at)


def find_token(tx: Connection, registry_id: RegistryId, name: str) -> Token | None:
    """With its passwords. Names of resources compare without case."""
    row = tx.execute(
        select(*_TOKEN)
        .join_from(token, principal)
        .outerjoin(scope_map, scope_map.c.id == token.c.scope_map_id)
        .where(token.c.registry_id == registry_id, func.lower(token.c.name) == name.lower())
    ).one_or_none()
    return None if row is None else _tokens(tx, [_TokenRow(*row)])[0]


def tokens(tx: Connection, registry_id: RegistryId, after: str, limit: int) -> list[Token]:
    """By name in lower case, from the one after ``after`` on, with their passwords: two statements."""
    name = func.lower(token.c.name)
    rows = tx.execute(
        select(*_TOKEN)
        .join_from(token, principal)
        .outerjoin(scope_map, scope_map.c.id == token.c.scope_map_id)
        .where(token.c.registry_id == registry_id, name > after)
        .order_by(name)
        .limit(limit)
    )
    return _tokens(tx, [_TokenRow(*row) for row in rows])


def count_tokens(tx: Connection, registry_id: RegistryId) -> int:
    return tx.execute(select(func.count()).select_from(token).where(token.c.registry_id == registry_id)).scalar_one()


class _TokenRow(NamedTuple):
    name: str
    principal_id: str
    scope_map: str | None
    enabled: bool
    created_at: datetime


def _tokens(tx: Connection, rows: list[_TokenRow]) -> list[Token]:
    known: defaultdict[str, list[KnownPassword]] = defaultdict(list)
    found = tx.execute(
        select(credential.c.principal_id, credential.c.name, credential.c.created_at, credential.c.expires_at)
        .where(credential.c.principal_id.in_([row.principal_id for row in rows]))
        .order_by(credential.c.name)
    )
    for principal_id, *password in found:
        known[principal_id].append(KnownPassword(*password))
    return [
        Token(
            row.name,
            row.principal_id,
            row.scope_map,
            Status.ENABLED if row.enabled else Status.DISABLED,
            row.created_at,
            tuple(known[row.principal_id]),
        )
        for row in rows
    ]


def insert_token(tx: Connection, registry_id: RegistryId, made: Token) -> None:
    tx.execute(
        insert(token).values(
            registry_id=registry_id, name=made.name, principal_id=made.principal_id, created_at=made.created_at
        )
    )


def set_scope_map(tx: Connection, registry_id: RegistryId, token_name: str, scope_map_name: str) -> None:
    wanted = select(scope_map.c.id).where(scope_map.c.registry_id == registry_id, scope_map.c.name == scope_map_name)
    tx.execute(
        update(token)
        .where(token.c.registry_id == registry_id, token.c.name == token_name)
        .values(scope_map_id=wanted.scalar_subquery())
    )


def set_enabled(tx: Connection, principal_id: str, *, enabled: bool) -> None:
    tx.execute(update(principal).where(principal.c.id == principal_id).values(enabled=enabled))
