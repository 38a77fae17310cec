"""SQL of principals, credentials, role assignments, signing keys and the access epoch."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, case, delete, exists, insert, literal, select, update

from entrepot.db.access_tables import (
    access_epoch,
    credential,
    federated_credential,
    group_member,
    principal,
    role_assignment,
    role_definition,
    scope_map,
    signing_key,
    token,
)
from entrepot.db.tables import registry, resource_group, subscription


class Secret(NamedTuple):
    """A credential that is proved by a secret."""

    id: str
    hash: str
    expires_at: datetime | None


class Known(NamedTuple):
    """A principal that can sign in by a secret."""

    id: str
    secrets: tuple[Secret, ...]


class Account(NamedTuple):
    """An enabled principal. ``credentials``: those that have not been taken away, by id, and when each ends."""

    id: str
    tenant_id: str
    kind: str
    name: str
    client_id: str | None
    upn: str | None
    registry_id: int | None
    credentials: Mapping[str, datetime | None]


_ACTIVE: Final = (principal.c.enabled, principal.c.provisioned)
# How the names begin that runs of tasks sign in with.
RUN_PREFIX: Final = "run-"


def find_by_client_id(tx: Connection, client_id: str, now: datetime) -> Known | None:
    """The enabled principal with its unexpired secrets."""
    return _find_known(tx, "secret", now, principal.c.client_id == client_id)


def find_machine(tx: Connection, name: str, registry_id: int, tenant_id: str, now: datetime) -> Known | None:
    """A service principal of the tenant by its client id, or else the registry's token or run of that name."""
    found = _find_known(tx, "secret", now, principal.c.client_id == name, principal.c.tenant_id == tenant_id)
    if found is not None:
        return found
    of_run = (principal.c.client_id == name, principal.c.registry_id == registry_id)
    found = _find_known(tx, "run", now, *of_run) if name.startswith(RUN_PREFIX) else None
    if found is not None:
        return found
    of_name = select(token.c.principal_id).where(token.c.registry_id == registry_id, token.c.name == name)
    return _find_known(tx, "token", now, principal.c.id == of_name.scalar_subquery())


def find_admin(tx: Connection, registry_id: int, now: datetime) -> Known | None:
    """The registry's admin account; None while it is off."""
    switched_on = exists(select(registry.c.id).where(registry.c.id == registry_id, registry.c.admin_enabled))
    of_it = (principal.c.registry_id == registry_id, principal.c.kind == "Admin")
    return _find_known(tx, "admin", now, *of_it, switched_on)


def _find_known(tx: Connection, kind: str, now: datetime, *conditions: ColumnElement[bool]) -> Known | None:
    rows = tx.execute(
        select(principal.c.id, credential.c.id, credential.c.secret_hash, credential.c.expires_at)
        .join_from(principal, credential, credential.c.principal_id == principal.c.id)
        .where(
            *conditions,
            *_ACTIVE,
            credential.c.kind == kind,
            credential.c.expires_at.is_(None) | (credential.c.expires_at > now),
        )
    ).all()
    return Known(rows[0][0], tuple(Secret(*row[1:]) for row in rows)) if rows else None


def find_account(tx: Connection, principal_id: str) -> Account | None:
    """None for a principal that is disabled or gone."""
    rows = tx.execute(
        select(
            principal.c.id,
            principal.c.tenant_id,
            principal.c.kind,
            principal.c.name,
            principal.c.client_id,
            principal.c.upn,
            principal.c.registry_id,
            credential.c.id,
            credential.c.expires_at,
        )
        .outerjoin_from(principal, credential, credential.c.principal_id == principal.c.id)
        .where(principal.c.id == principal_id, *_ACTIVE)
    ).all()
    if not rows:
        return None
    federated = select(federated_credential.c.id).where(federated_credential.c.principal_id == principal_id)
    live = {row[-2]: row[-1] for row in rows if row[-2] is not None} | dict.fromkeys(tx.execute(federated).scalars())
    return Account(*rows[0][:-2], live)


class Holder(NamedTuple):
    """A principal by its kind; tokens, admin accounts, runs are of a registry. ``acts_as``: whose rights a run has."""

    kind: str
    registry_id: int | None
    acts_as: str | None = None


def find_holder(tx: Connection, principal_id: str) -> Holder | None:
    """None for a principal that is disabled or gone."""
    row = tx.execute(
        select(principal.c.kind, principal.c.registry_id, principal.c.acts_as).where(
            principal.c.id == principal_id, *_ACTIVE
        )
    ).one_or_none()
    return None if row is None else Holder(*row)


def scope_map_of(tx: Connection, token_principal: str) -> tuple[str, str] | None:
    """Name and actions (a JSON list) of a repository token's scope map, while it has one."""
    row = tx.execute(
        select(scope_map.c.name, scope_map.c.actions)
        .join_from(token, scope_map, scope_map.c.id == token.c.scope_map_id)
        .where(token.c.principal_id == token_principal)
    ).one_or_none()
    return None if row is None else (row[0], row[1])


# Role, scope, condition, and the group's name where it came through one: plain, because there may be ten thousand.
Held = Row[str, str, str | None, str | None]


def assignments_of(tx: Connection, principal_id: str, scope_keys: Collection[str]) -> Sequence[Held]:
    """Those of the principal and of the enabled groups that it is in, however deep, at any of the scopes."""
    holders = select(literal(principal_id).label("id")).cte("holders", recursive=True)
    # UNION, not UNION ALL: groups may contain each other.
    holders = holders.union(
        select(group_member.c.group_id).join_from(group_member, holders, group_member.c.member_id == holders.c.id)
    )
    return tx.execute(
        select(
            role_assignment.c.role_id,
            role_assignment.c.scope,
            role_assignment.c.condition,
            case((principal.c.id != principal_id, principal.c.name)),
        )
        .join_from(role_assignment, principal, principal.c.id == role_assignment.c.principal_id)
        .where(
            role_assignment.c.principal_id.in_(select(holders.c.id)),
            role_assignment.c.scope_key.in_(scope_keys),
            *_ACTIVE,
        )
    ).all()


class CustomRole(NamedTuple):
    """A role definition that somebody wrote. ``permissions`` is a JSON list, as Azure writes it."""

    id: str
    name: str
    description: str
    permissions: str


def custom_roles(tx: Connection, ids: Collection[str]) -> list[CustomRole]:
    rows = tx.execute(
        select(
            role_definition.c.id, role_definition.c.name, role_definition.c.description, role_definition.c.permissions
        ).where(role_definition.c.id.in_(ids))
    )
    return [CustomRole(*row) for row in rows]


class KeyRow(NamedTuple):
    """A signing key as it is kept: sealed."""

    kid: str
    algorithm: str
    use: str
    sealed: str
    retired: bool
    created_at: datetime | None = None


def signing_keys(tx: Connection) -> list[KeyRow]:
    """Newest first."""
    rows = tx.execute(
        select(
            signing_key.c.kid,
            signing_key.c.algorithm,
            signing_key.c.use,
            signing_key.c.private_pem,
            signing_key.c.retired_at.is_not(None),
            signing_key.c.created_at,
        ).order_by(signing_key.c.created_at.desc(), signing_key.c.kid)
    )
    return [KeyRow(*row) for row in rows]


def insert_signing_key(tx: Connection, key: KeyRow, now: datetime) -> None:
    tx.execute(
        insert(signing_key).values(
            kid=key.kid, algorithm=key.algorithm, use=key.use, private_pem=key.sealed, created_at=now
        )
    )


def delete_signing_keys(tx: Connection, kids: Collection[str]) -> None:
    tx.execute(delete(signing_key).where(signing_key.c.kid.in_(kids)))


def seal_signing_key(tx: Connection, kid: str, sealed: str) -> None:
    """Keep this in place of what was there: the same key, sealed."""
    tx.execute(update(signing_key).where(signing_key.c.kid == kid).values(private_pem=sealed))


@dataclass(frozen=True, slots=True)
class ServicePrincipal:
    """A principal to be made."""

    id: str
    tenant_id: str
    client_id: str
    name: str
    created_at: datetime


def insert_principal(tx: Connection, made: ServicePrincipal) -> None:
    tx.execute(insert(principal).values(**asdict(made), kind="ServicePrincipal"))


@dataclass(frozen=True, slots=True)
class RunPrincipal:
    """What a run of a task signs in with to a registry. ``client_id``: its name, RUN_PREFIX and more. ``acts_as``: the
    principal whose rights it has, and no others; None: all that an admin account may.
    """

    id: str
    client_id: str
    registry_id: int
    acts_as: str | None
    secret_hash: str
    created_at: datetime
    expires_at: datetime


def insert_run_principal(tx: Connection, made: RunPrincipal) -> None:
    tenant = (
        select(subscription.c.tenant_id)
        .join_from(registry, resource_group, resource_group.c.id == registry.c.resource_group_id)
        .join(subscription, subscription.c.id == resource_group.c.subscription_id)
        .where(registry.c.id == made.registry_id)
    )
    tx.execute(
        insert(principal).values(
            id=made.id,
            tenant_id=tenant.scalar_subquery(),
            client_id=made.client_id,
            kind="Run",
            name=made.client_id,
            registry_id=made.registry_id,
            acts_as=made.acts_as,
            created_at=made.created_at,
        )
    )
    tx.execute(
        insert(credential).values(
            id=made.id,
            principal_id=made.id,
            kind="run",
            secret_hash=made.secret_hash,
            created_at=made.created_at,
            expires_at=made.expires_at,
        )
    )


def delete_run_principals(tx: Connection, prefix: str) -> int:
    """With all that they were given; those whose names begin so. How many."""
    ours = (principal.c.kind == "Run", principal.c.client_id.startswith(prefix, autoescape=True))
    return tx.execute(delete(principal).where(*ours)).rowcount


@dataclass(frozen=True, slots=True)
class LentCredential:
    """What proves a run to be a managed identity. ``name``: of all that it has, RUN_PREFIX and more.

    ``hint``: "system" for the identity that is a task's own.
    """

    id: str
    principal_id: str
    name: str
    hint: str
    secret_hash: str
    created_at: datetime
    expires_at: datetime


def insert_lent_credential(tx: Connection, made: LentCredential) -> None:
    """Nothing, where the identity is gone."""
    if find_holder(tx, made.principal_id) is not None:
        tx.execute(insert(credential).values(**asdict(made), kind="run"))


def delete_lent_credentials(tx: Connection, prefix: str) -> int:
    """Those whose names begin so. How many."""
    ours = (credential.c.kind == "run", credential.c.name.startswith(prefix, autoescape=True))
    return tx.execute(delete(credential).where(*ours)).rowcount


def insert_secret(tx: Connection, credential_id: str, principal_id: str, secret_hash: str, now: datetime) -> None:
    tx.execute(
        insert(credential).values(
            id=credential_id, principal_id=principal_id, kind="secret", secret_hash=secret_hash, created_at=now
        )
    )


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role to be given to a principal at a scope."""

    id: str
    principal_id: str
    role_id: str
    scope: str
    created_at: datetime


def insert_role(tx: Connection, made: Assignment) -> None:
    tx.execute(insert(role_assignment).values(**asdict(made), scope_key=scope_key(made.scope)))


def scope_key(scope: str) -> str:
    """The scope in the form in which scopes compare."""
    return scope.lower().rstrip("/")


def epoch(tx: Connection) -> int:
    return tx.execute(select(access_epoch.c.epoch).where(access_epoch.c.id == 1)).scalar_one()


def start_epoch(tx: Connection) -> None:
    tx.execute(insert(access_epoch).values(id=1, epoch=1))


def raise_epoch(tx: Connection) -> None:
    """Every worker drops what it remembers of access within two seconds (DESIGN D9)."""
    tx.execute(update(access_epoch).where(access_epoch.c.id == 1).values(epoch=access_epoch.c.epoch + 1))


def delete_secrets(tx: Connection, principal_id: str) -> None:
    tx.execute(delete(credential).where(credential.c.principal_id == principal_id, credential.c.kind == "secret"))


def enable_principal(tx: Connection, principal_id: str) -> None:
    tx.execute(update(principal).where(principal.c.id == principal_id).values(enabled=True))
