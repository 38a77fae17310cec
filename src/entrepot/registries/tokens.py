"""Repository tokens: a scope map's rights under a name, with two passwords (ACR-REFERENCE 4.4, 5.5)."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from entrepot.access import queries as access
from entrepot.access.secrets import generate_secret, hash_generated
from entrepot.catalog.model import RegistryId
from entrepot.db.locks import lock_name
from entrepot.errors import Kind, Problem
from entrepot.registries import queries
from entrepot.registries.model import Credentials, Making, Password, Status, Token, TokenPassword
from entrepot.registries.queries import NewPrincipal, PasswordRow
from entrepot.registries.tiers import Limit, expect_room, tier_of

_NAME: Final = re.compile(r"[a-zA-Z0-9-]{5,50}")


@dataclass(frozen=True, slots=True)
class TokenChange:
    """What is to be different; None leaves it as it is."""

    scope_map: str | None = None
    status: Status | None = None


def create_token(tx: Connection, registry_id: RegistryId, name: str, scope_map: str, making: Making) -> Token:
    """A token without passwords yet. Raises NAME_INVALID, RESOURCE_INVALID, RESOURCE_EXISTS, QUOTA_EXCEEDED."""
    found = queries.registry_row(tx, registry_id)
    if _NAME.fullmatch(name) is None or name.lower() == found.name.lower():
        reason = "A token's name has 5 to 50 of a-z A-Z 0-9 - and is not the registry's."
        raise Problem(Kind.NAME_INVALID, reason=reason, name=name[:64].replace("\0", ""))
    lock_name(tx, f"tokens of {registry_id}")
    if queries.find_token(tx, registry_id, name) is not None:
        raise Problem(Kind.RESOURCE_EXISTS, reason=f"The registry has a token '{name}' already.")
    tier = tier_of(found.sku, found.limits, making.tier_limits)
    expect_room(tier, Limit.TOKENS, queries.count_tokens(tx, registry_id), "tokens")
    made = Token(name, making.new_id(), None, Status.ENABLED, making.now)
    new = NewPrincipal(made.principal_id, found.tenant_id, "Token", name, registry_id, making.now)
    queries.insert_principal(tx, new)
    queries.insert_token(tx, registry_id, made)
    return _changed(tx, registry_id, made, TokenChange(scope_map))


def update_token(tx: Connection, registry_id: RegistryId, name: str, change: TokenChange) -> Token | None:
    """A token that is disabled stops within two seconds. None if there is none. Raises RESOURCE_INVALID."""
    found = queries.find_token(tx, registry_id, name)
    if found is None:
        return None
    changed = _changed(tx, registry_id, found, change)
    access.raise_epoch(tx)
    return changed


def _changed(tx: Connection, registry_id: RegistryId, found: Token, change: TokenChange) -> Token:
    if change.scope_map is not None:
        scope_map = queries.find_scope_map(tx, registry_id, change.scope_map)
        if scope_map is None:
            reason = f"the registry has no scope map '{change.scope_map[:64]}'"
            raise Problem(Kind.RESOURCE_INVALID, target="properties.scopeMapId", reason=reason)
        queries.set_scope_map(tx, registry_id, found.name, scope_map.name)
    if change.status is not None:
        queries.set_enabled(tx, found.principal_id, enabled=change.status is Status.ENABLED)
    return _existing(tx, registry_id, found.name)


def delete_token(tx: Connection, registry_id: RegistryId, name: str) -> bool:
    """With all that was got with it, within two seconds. False if there is none."""
    found = queries.find_token(tx, registry_id, name)
    if found is None:
        return False
    queries.delete_principal(tx, found.principal_id)
    access.raise_epoch(tx)
    return True


@dataclass(frozen=True, slots=True)
class Generating:
    """Which passwords to make anew, and until when they are good."""

    names: tuple[TokenPassword, ...] = tuple(TokenPassword)
    expires_at: datetime | None = None


def generate_passwords(
    tx: Connection, registry_id: RegistryId, name: str, wanted: Generating, making: Making
) -> Credentials | None:
    """New values, shown once; a password that is not asked for stays good. None if there is no such token.

    Raises RESOURCE_INVALID for an end that has passed.
    """
    found = queries.find_token(tx, registry_id, name)
    if found is None:
        return None
    if wanted.expires_at is not None and wanted.expires_at <= making.now:
        raise Problem(Kind.RESOURCE_INVALID, target="expiry", reason="the password would have expired already")
    made = [Password(each, generate_secret(), making.now, wanted.expires_at) for each in wanted.names]
    queries.delete_passwords(tx, found.principal_id, wanted.names)
    for each in made:
        row = PasswordRow(making.new_id(), each.name, hash_generated(each.value), making.now, wanted.expires_at)
        queries.insert_password(tx, found.principal_id, "token", row)
    access.raise_epoch(tx)
    return Credentials(found.name, tuple(made))


def keep_passwords(tx: Connection, registry_id: RegistryId, name: str, kept: Collection[TokenPassword]) -> Token | None:
    """Delete the passwords that are not among these. None if there is no such token."""
    found = queries.find_token(tx, registry_id, name)
    if found is None:
        return None
    queries.delete_passwords(tx, found.principal_id, [each for each in TokenPassword if each not in kept])
    access.raise_epoch(tx)
    return _existing(tx, registry_id, found.name)


def _existing(tx: Connection, registry_id: RegistryId, name: str) -> Token:
    found = queries.find_token(tx, registry_id, name)
    assert found is not None  # noqa: S101  it was there in this transaction
    return found
