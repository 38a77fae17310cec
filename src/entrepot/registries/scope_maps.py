"""Scope maps of a registry: made, changed, deleted (ACR-REFERENCE 5.5). What they permit: ``access/scope_maps.py``."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from entrepot.access import queries as access
from entrepot.access.scope_maps import SYSTEM_MAPS, parse_actions
from entrepot.catalog.model import RegistryId
from entrepot.db.locks import lock_name
from entrepot.errors import Kind, Problem
from entrepot.registries import queries
from entrepot.registries.model import USER, Making, ScopeMap
from entrepot.registries.tiers import Limit, expect_room, tier_of

DESCRIPTION_LIMIT: Final = 256
_NAME: Final = re.compile(r"[a-zA-Z0-9-][a-zA-Z0-9_-]{4,49}")
_SYSTEM: Final = frozenset(each.name for each in SYSTEM_MAPS)
_NO_REPOSITORY: Final = "an action names a repository, * for all of them, or ends its name in /* for all below"


def complete_system_maps(tx: Connection, now: datetime) -> None:
    """Every registry has the five that ACR's have. Twice is safe."""
    for registry_id in queries.registry_ids(tx):
        there = {found.name for found in queries.scope_maps(tx, registry_id)}
        for each in SYSTEM_MAPS:
            if each.name not in there:
                queries.insert_system_map(tx, registry_id, each, now)


@dataclass(frozen=True, slots=True)
class Written:
    """What a scope map says. An action is ``repositories/NAME/content/read`` and so on."""

    description: str
    actions: tuple[str, ...]


def put_scope_map(tx: Connection, registry_id: RegistryId, name: str, written: Written, making: Making) -> ScopeMap:
    """Make it, or let the one that is there say this: its tokens may this from their next access token on.

    Raises NAME_INVALID, RESOURCE_INVALID, QUOTA_EXCEEDED; UNSUPPORTED for a system map.
    """
    _expect_users(name)
    _expect_valid(name, written)
    lock_name(tx, f"scope maps of {registry_id}")
    found = queries.find_scope_map(tx, registry_id, name)
    if found is None:
        row = queries.registry_row(tx, registry_id)
        tier = tier_of(row.sku, row.limits, making.tier_limits)
        expect_room(tier, Limit.SCOPE_MAPS, queries.count_scope_maps(tx, registry_id), "scope maps")
        made = ScopeMap(name, USER, written.description, written.actions, making.now)
        queries.insert_scope_map(tx, registry_id, made)
        return made
    changed = replace(found, description=written.description, actions=written.actions)
    queries.update_scope_map(tx, registry_id, changed)
    access.raise_epoch(tx)
    return changed


def delete_scope_map(tx: Connection, registry_id: RegistryId, name: str) -> bool:
    """Its tokens stay and may nothing any more. False if there is none. Raises UNSUPPORTED for a system map."""
    _expect_users(name)
    found = queries.find_scope_map(tx, registry_id, name)
    if found is None:
        return False
    queries.delete_scope_map(tx, registry_id, found.name)
    access.raise_epoch(tx)
    return True


def _expect_valid(name: str, written: Written) -> None:
    if _NAME.fullmatch(name) is None:
        reason = "A scope map's name has 5 to 50 of a-z A-Z 0-9 _ - and does not begin with _."
        raise Problem(Kind.NAME_INVALID, reason=reason, name=name[:DESCRIPTION_LIMIT].replace("\0", ""))
    if len(written.description) > DESCRIPTION_LIMIT or "\0" in written.description:
        raise _invalid("description", f"it has at most {DESCRIPTION_LIMIT} characters")
    try:
        parse_actions(written.actions)
    except Problem as problem:
        if problem.kind is Kind.NAME_INVALID:
            raise _invalid("actions", f"{_NO_REPOSITORY}, which '{problem.detail['name']}' is not") from None
        action = f": '{problem.detail['action']}' is not" if "action" in problem.detail else ""
        raise _invalid("actions", f"{problem.detail['reason']}{action}") from None


def _invalid(member: str, reason: str) -> Problem:
    return Problem(Kind.RESOURCE_INVALID, target=f"properties.{member}", reason=reason)


def _expect_users(name: str) -> None:
    if name.lower() in _SYSTEM:
        reason = f"'{name}' is a scope map of the system: it is neither changed nor deleted. Make one of your own."
        raise Problem(Kind.UNSUPPORTED, code="SystemDefinedScopeMap", reason=reason)
