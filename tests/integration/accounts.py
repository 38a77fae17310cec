"""Accounts that tests sign in with, made as the features make them, past the application; and tokens that we sign.

A worker learns of a change within a second; tests that do not wait for it start another worker.
"""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, insert, select
from tests.integration.rows import add_principal
from tests.registry import SECRET_KEY, Registry

from entrepot.access.builtin_roles import BUILT_IN_ROLES
from entrepot.access.directory_tokens import Assertion, issue_directory_token
from entrepot.access.keyring import open_key
from entrepot.access.keys import SigningKey, Use
from entrepot.access.queries import Assignment, find_account, insert_role, signing_keys
from entrepot.access.sealing import Sealer
from entrepot.access.secrets import hash_generated, hash_secret
from entrepot.catalog.model import RegistryId
from entrepot.db.access_tables import credential, principal, role_assignment
from entrepot.db.tables import registry as registry_table
from entrepot.registries.admin import admin_credentials, enable_admin
from entrepot.registries.model import Credentials, Making
from entrepot.registries.scope_maps import Written, put_scope_map
from entrepot.registries.tokens import Generating, create_token, generate_passwords

SEALER = Sealer(base64.b64decode(SECRET_KEY))
PERSON = "ada@example.com"
PERSON_PASSWORD = "a-person's-password"
REGISTRY_AUDIENCE = "https://containerregistry.azure.net"


def making(registry: Registry) -> Making:
    return Making(registry.clock.now, lambda: str(uuid4()))


def registry_id(tx: Connection, name: str = "local") -> RegistryId:
    return RegistryId(tx.execute(select(registry_table.c.id).where(registry_table.c.name == name)).scalar_one())


def turn_admin_on(registry: Registry, name: str = "local") -> Credentials:
    def work(tx: Connection) -> Credentials | None:
        enable_admin(tx, registry_id(tx, name), SEALER, making(registry))
        return admin_credentials(tx, registry_id(tx, name), SEALER)

    return registry.query(work)


def make_token(
    registry: Registry, name: str, *actions: str, of: str = "local", generating: Generating | None = None
) -> Credentials:
    """A repository token of the registry ``of`` with a scope map of its own, ``NAME-map``."""

    def work(tx: Connection) -> Credentials | None:
        where, new = registry_id(tx, of), making(registry)
        put_scope_map(tx, where, f"{name}-map", Written("", actions), new)
        create_token(tx, where, name, f"{name}-map", new)
        return generate_passwords(tx, where, name, generating or Generating(), new)

    return registry.query(work)


def add_person(registry: Registry, *, totp: bool = False, must_change: bool = False) -> None:
    """A person who owns the subscription."""

    def work(tx: Connection) -> None:
        add_principal(tx, "person", "unused")
        attributes = json.dumps({"mustChange": must_change})
        values = {"kind": "User", "client_id": None, "upn": PERSON, "attributes": attributes}
        tx.execute(principal.update().where(principal.c.id == "id-person").values(**values))
        for kind in ("password", "totp") if totp else ("password",):
            tx.execute(
                insert(credential).values(
                    id=f"{kind}-person",
                    principal_id="id-person",
                    kind=kind,
                    secret_hash=hash_secret(PERSON_PASSWORD),
                    created_at=registry.clock.now,
                )
            )

    registry.query(work)


def key_of(registry: Registry, use: Use) -> SigningKey:
    def newest(tx: Connection) -> SigningKey:
        return open_key(next(row for row in signing_keys(tx) if row.use == use), SEALER)

    return registry.query(newest)


def directory_token(registry: Registry, client_id: str = "the-owner", **changes: Any) -> str:  # noqa: ANN401  any field
    """A token of the directory, for registries, of the principal with this client id; ``changes`` are the fields of
    ``Assertion``.
    """

    def said(tx: Connection) -> Assertion:
        found = tx.execute(select(principal.c.id).where(principal.c.client_id == client_id)).scalar_one()
        account = find_account(tx, found)
        assert account is not None
        now = registry.clock.now
        return Assertion(
            account.id,
            account.tenant_id,
            REGISTRY_AUDIENCE,
            client_id,
            "",
            next(iter(account.credentials)),
            now - timedelta(minutes=5),
            now + timedelta(hours=1),
        )

    key = key_of(registry, Use.DIRECTORY)
    return issue_directory_token(replace(registry.query(said), **changes), "https://issuer", "id", key)


def add_holders(tx: Connection) -> None:
    """A service principal for each built-in role, by the role's id, which is its secret as well."""
    owner = tx.execute(select(principal).order_by(principal.c.created_at).limit(1)).one()
    scope = tx.execute(select(role_assignment.c.scope).where(role_assignment.c.principal_id == owner.id)).scalar_one()
    for role_id in BUILT_IN_ROLES:
        add_service_principal(tx, role_id, owner.tenant_id)
        insert_role(tx, Assignment(role_id, role_id, role_id, scope, owner.created_at))


def add_service_principal(tx: Connection, name: str, tenant_id: str) -> None:
    now = tx.execute(select(principal.c.created_at).limit(1)).scalar_one()
    values = {"id": name, "tenant_id": tenant_id, "client_id": name, "kind": "ServicePrincipal", "name": name}
    tx.execute(insert(principal).values(**values, created_at=now))
    kept = {"id": name, "principal_id": name, "kind": "secret", "secret_hash": hash_generated(name)}
    tx.execute(insert(credential).values(**kept, created_at=now))
