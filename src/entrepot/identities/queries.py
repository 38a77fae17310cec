"""SQL of the directory: tenants, people, applications, groups, and what they prove themselves with."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update

from entrepot.db.access_tables import application, credential, federated_credential, group_member, principal
from entrepot.db.statements import upsert
from entrepot.db.tables import tenant
from entrepot.identities.model import Application, Credential, Kind, Principal, Proof, Tenant, Type

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
    principal.c.external_id,
)
_CREDENTIAL: Final = (
    credential.c.id,
    credential.c.principal_id,
    credential.c.kind,
    credential.c.name,
    credential.c.hint,
    credential.c.created_at,
    credential.c.expires_at,
    credential.c.secret_hash,
    credential.c.body,
)


# --- tenants ----------------------------------------------------------------------------------------------------------


def tenants(tx: Connection) -> list[Tenant]:
    """The first is the oldest."""
    rows = tx.execute(select(tenant.c.id, tenant.c.name, tenant.c.domain).order_by(tenant.c.created_at, tenant.c.id))
    return [Tenant(*row) for row in rows]


def set_domain(tx: Connection, tenant_id: str, domain: str) -> None:
    tx.execute(update(tenant).where(tenant.c.id == tenant_id).values(domain=domain))


# --- principals -------------------------------------------------------------------------------------------------------


def _principals() -> Select[*tuple[Any, ...]]:
    return select(*_PRINCIPAL)


def _one(row: Row[Any] | None) -> Principal | None:
    return None if row is None else Principal(*row)


def principal_by_id(tx: Connection, principal_id: str) -> Principal | None:
    return _one(tx.execute(_principals().where(principal.c.id == principal_id)).one_or_none())


def person_by_upn(tx: Connection, upn: str) -> Principal | None:
    return _one(tx.execute(_principals().where(principal.c.upn == upn)).one_or_none())


def principal_by_client_id(tx: Connection, client_id: str) -> Principal | None:
    return _one(tx.execute(_principals().where(principal.c.client_id == client_id)).one_or_none())


def principals_of(tx: Connection, tenant_id: str, kind: Kind) -> list[Principal]:
    """By name. Service principals that nobody asked for yet are left out."""
    rows = tx.execute(
        _principals()
        .where(principal.c.tenant_id == tenant_id, principal.c.kind == kind.value, principal.c.provisioned)
        .order_by(principal.c.name, principal.c.id)
    )
    return [Principal(*row) for row in rows]


def managed_identities_named(tx: Connection, tenant_id: str, name: str) -> list[Principal]:
    """Names compare without case, and several may have the same."""
    rows = tx.execute(
        _principals()
        .where(
            principal.c.tenant_id == tenant_id,
            principal.c.type == Type.MANAGED_IDENTITY.value,
            # Those of resources are nobody else's.
            principal.c.owner_id.is_(None),
            func.lower(principal.c.name) == name.lower(),
        )
        .order_by(principal.c.created_at, principal.c.id)
        .limit(2)
    )
    return [Principal(*row) for row in rows]


def set_owner(tx: Connection, principal_id: str, registry: int) -> None:
    """The identity goes with this registry (its row)."""
    tx.execute(update(principal).where(principal.c.id == principal_id).values(owner_id=registry))


def insert_principal(tx: Connection, made: Principal) -> None:
    tx.execute(insert(principal).values(**asdict(made)))


def update_principal(tx: Connection, principal_id: str, **columns: str | bool | None) -> bool:
    """False when there is none."""
    return tx.execute(update(principal).where(principal.c.id == principal_id).values(**columns)).rowcount > 0


def delete_principal(tx: Connection, principal_id: str) -> bool:
    """With its credentials, handles, memberships and role assignments. False when there is none."""
    return tx.execute(delete(principal).where(principal.c.id == principal_id)).rowcount > 0


# --- applications -----------------------------------------------------------------------------------------------------


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


def applications_of(tx: Connection, tenant_id: str) -> list[Application]:
    """By name."""
    rows = tx.execute(
        _applications().where(principal.c.tenant_id == tenant_id).order_by(application.c.name, application.c.id)
    )
    return [Application(*row) for row in rows]


def application_by_id(tx: Connection, application_id: str) -> Application | None:
    row = tx.execute(_applications().where(application.c.id == application_id)).one_or_none()
    return None if row is None else Application(*row)


def application_by_client_id(tx: Connection, client_id: str) -> Application | None:
    row = tx.execute(_applications().where(principal.c.client_id == client_id)).one_or_none()
    return None if row is None else Application(*row)


def insert_application(tx: Connection, made: Application) -> None:
    tx.execute(
        insert(application).values(
            id=made.id,
            principal_id=made.principal_id,
            name=made.name,
            created_at=made.created_at,
            attributes=made.attributes,
        )
    )


def update_application(tx: Connection, application_id: str, **columns: str) -> bool:
    """False when there is none."""
    return tx.execute(update(application).where(application.c.id == application_id).values(**columns)).rowcount > 0


# --- credentials ------------------------------------------------------------------------------------------------------


def credentials_of(tx: Connection, principal_id: str, kinds: Collection[Proof]) -> list[Credential]:
    """Oldest first."""
    rows = tx.execute(
        select(*_CREDENTIAL)
        .where(credential.c.principal_id == principal_id, credential.c.kind.in_([kind.value for kind in kinds]))
        .order_by(credential.c.created_at, credential.c.id)
    )
    return [Credential(*row) for row in rows]


def machine_identities(tx: Connection) -> list[tuple[Principal, str]]:
    """The managed identities that are open to this machine, each with the id of what opens it."""
    rows = tx.execute(
        select(credential.c.principal_id, credential.c.id)
        .where(credential.c.kind == Proof.MACHINE.value)
        .order_by(credential.c.created_at, credential.c.id)
    ).all()
    found = [(principal_by_id(tx, row[0]), str(row[1])) for row in rows]
    return [(known, credential_id) for known, credential_id in found if known is not None and known.enabled]


def lent_identities(tx: Connection, name: str) -> list[tuple[Principal, Credential]]:
    """The managed identities that a run of a task may be, with what proves it; ``name``: of all that the run has."""
    rows = tx.execute(
        select(*_CREDENTIAL)
        .where(credential.c.name == name, credential.c.kind == Proof.RUN.value)
        .order_by(credential.c.id)
    )
    lent = [Credential(*row) for row in rows]
    found = [(principal_by_id(tx, each.principal_id), each) for each in lent]
    return [(known, each) for known, each in found if known is not None and known.enabled]


def insert_credential(tx: Connection, made: Credential) -> None:
    tx.execute(
        insert(credential).values(
            id=made.id,
            principal_id=made.principal_id,
            kind=made.kind,
            name=made.name,
            hint=made.hint,
            created_at=made.created_at,
            expires_at=made.expires_at,
            secret_hash=made.fingerprint,
            body=made.body,
        )
    )


def delete_credential(tx: Connection, principal_id: str, credential_id: str) -> bool:
    """False when the principal has none such."""
    gone = tx.execute(
        delete(credential).where(credential.c.principal_id == principal_id, credential.c.id == credential_id)
    )
    return gone.rowcount > 0


def delete_credentials(tx: Connection, principal_id: str, kinds: Collection[Proof]) -> int:
    """How many there were."""
    return tx.execute(
        delete(credential).where(
            credential.c.principal_id == principal_id, credential.c.kind.in_([kind.value for kind in kinds])
        )
    ).rowcount


def rehash(tx: Connection, credential_id: str, secret_hash: str) -> None:
    tx.execute(update(credential).where(credential.c.id == credential_id).values(secret_hash=secret_hash))


# --- federated credentials --------------------------------------------------------------------------------------------


class FederatedRow(NamedTuple):
    """A federated identity credential as it is kept."""

    id: str
    principal_id: str
    name: str
    issuer: str
    subject: str
    expression: str | None
    match: str
    audiences: str
    description: str
    created_at: datetime


def federated_of(tx: Connection, principal_id: str) -> list[FederatedRow]:
    """By name."""
    found = federated_credential.c
    rows = tx.execute(
        select(*(found[name] for name in FederatedRow._fields))
        .where(found.principal_id == principal_id)
        .order_by(found.name)
    )
    return [FederatedRow(*row) for row in rows]


def insert_federated(tx: Connection, made: FederatedRow) -> None:
    tx.execute(insert(federated_credential).values(**made._asdict()))


def update_federated(tx: Connection, changed: FederatedRow) -> None:
    found = federated_credential.c
    columns = {name: value for name, value in changed._asdict().items() if name != found.id.name}
    tx.execute(update(federated_credential).where(found.id == changed.id).values(**columns))


def delete_federated(tx: Connection, principal_id: str, name: str) -> bool:
    """False when the principal has none such."""
    found = federated_credential.c
    gone = tx.execute(delete(federated_credential).where(found.principal_id == principal_id, found.name == name))
    return gone.rowcount > 0


# --- groups -----------------------------------------------------------------------------------------------------------


def insert_member(tx: Connection, group_id: str, member_id: str) -> None:
    """Twice is as good as once. Whoever the outside had put there stays now whatever it says."""
    member = upsert(group_member).values(group_id=group_id, member_id=member_id, from_outside=False)
    tx.execute(member.on_conflict_do_update(index_elements=["group_id", "member_id"], set_={"from_outside": False}))


def delete_member(tx: Connection, group_id: str, member_id: str) -> bool:
    """False when it was none."""
    gone = tx.execute(
        delete(group_member).where(group_member.c.group_id == group_id, group_member.c.member_id == member_id)
    )
    return gone.rowcount > 0


def members_of(tx: Connection, group_id: str) -> list[Principal]:
    """Direct members, by name."""
    rows = tx.execute(
        _principals()
        .join(group_member, group_member.c.member_id == principal.c.id)
        .where(group_member.c.group_id == group_id)
        .order_by(principal.c.name, principal.c.id)
    )
    return [Principal(*row) for row in rows]


def group_ids_of(tx: Connection, member_id: str) -> frozenset[str]:
    """Every group that it is in, directly or by way of groups."""
    reached = (
        select(group_member.c.group_id).where(group_member.c.member_id == member_id).cte("reached", recursive=True)
    )
    # UNION, not UNION ALL: groups that hold each other end it.
    every = reached.union(
        select(group_member.c.group_id).join_from(group_member, reached, group_member.c.member_id == reached.c.group_id)
    )
    return frozenset(tx.execute(select(every.c.group_id)).scalars())
