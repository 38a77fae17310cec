"""Identities of resources: managed ones of the directory."""

import uuid
from typing import Final

from sqlalchemy import Connection

from entrepot.access.queries import raise_epoch
from entrepot.arm.descriptor import Ask, Identities, ManagedIdentity
from entrepot.identities import queries
from entrepot.identities.applications import Ids, add_managed_identity


def _make(tx: Connection, ask: Ask, name: str, registry: int) -> ManagedIdentity:
    ids = Ids(*(str(uuid.UUID(ask.new_id())) for _ in range(3)))
    add_managed_identity(tx, ids, ask.caller.tenant, name, ask.now)
    queries.set_owner(tx, ids.principal, registry)
    return ManagedIdentity(ids.principal, ids.client)


def _find(tx: Connection, ask: Ask, name: str) -> ManagedIdentity | None:
    """None too where several have the name: nobody could tell which is meant."""
    found = queries.managed_identities_named(tx, ask.caller.tenant, name)
    if len(found) != 1 or found[0].client_id is None:
        return None
    return ManagedIdentity(found[0].id, found[0].client_id)


def _remove(tx: Connection, principal_id: str) -> None:
    queries.delete_principal(tx, principal_id)
    raise_epoch(tx)


IDENTITIES: Final = Identities(_make, _find, _remove)
