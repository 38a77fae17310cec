"""The identities of a task: one of its own, which comes and goes with it, and managed ones that are lent to it.

Source: ACR-TASKS 5.2 and 8; Microsoft, "How to use managed identities for Azure resources".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.access.rights import may_manage
from entrepot.arm.descriptor import Ask
from entrepot.errors import Kind, Problem
from entrepot.tasks.owners import Identities
from entrepot.tasks.resource.model import Identity, IdentityBody, IdentityType, UserIdentity

_ID: Final = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/([^/]+)",
    re.IGNORECASE,
)
_ASSIGN: Final = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
_OWN: Final = frozenset({IdentityType.SYSTEM, IdentityType.BOTH})
_LENT: Final = frozenset({IdentityType.USER, IdentityType.BOTH})


@dataclass(frozen=True, slots=True)
class Settling:
    """Decides who runs are, for one request."""

    tx: Connection
    ask: Ask
    known: Identities

    def settle(self, wanted: IdentityBody, was: Identity | None, name: str = "") -> Identity | None:
        """What the resource has from now on; None for no identity. ``name``: of one that belongs to it alone; without
        there can be none. Raises RESOURCE_INVALID, and DENIED for who may not lend an identity.
        """
        own = None if was is None else was.principal_id
        lent_before = {} if was is None else was.user_assigned_identities
        if wanted.type not in _OWN and own is not None:
            self.known.remove(self.tx, self.ask, own)
        # A change that takes the last one away says "UserAssigned" as before.
        is_last = wanted.type is IdentityType.USER and bool(lent_before) and not wanted.user_assigned_identities
        if wanted.type is IdentityType.NONE or is_last:
            return None
        if wanted.type in _OWN and not name:
            raise _invalid("type", "only identities that are lent to it are possible here: UserAssigned")
        lent = self._lent(wanted, lent_before)
        if wanted.type not in _OWN:
            return Identity(wanted.type, user_assigned_identities=lent)
        own = own or self.known.make(self.tx, self.ask, name).id
        return Identity(wanted.type, own, self.ask.caller.tenant, lent)

    def _lent(self, wanted: IdentityBody, was: Mapping[str, UserIdentity]) -> dict[str, UserIdentity]:
        if wanted.type not in _LENT:
            return {}
        if not wanted.user_assigned_identities:
            raise _invalid("userAssignedIdentities", f"{wanted.type.value} names one or more")
        before = {resource_id.lower(): each for resource_id, each in was.items()}
        return {
            resource_id: before.get(resource_id.lower()) or self._lend(resource_id)
            for resource_id in wanted.user_assigned_identities
        }

    def _lend(self, resource_id: str) -> UserIdentity:
        """Whoever writes a task acts as its identities, so the right to lend one is asked for."""
        # Managed identities lie in no group here, whatever the id says: the right counts on the subscription.
        caller, scope = self.ask.caller, f"/subscriptions/{self.ask['subscription']}"
        if not may_manage(self.tx, caller.principal, _ASSIGN, scope):
            client = caller.name or caller.client_id
            raise Problem(Kind.DENIED, client=client, object=caller.principal, operation=_ASSIGN, scope=scope)
        named = _ID.fullmatch(resource_id)
        found = None if named is None or "\0" in resource_id else self.known.find(self.tx, self.ask, named[1])
        if found is None:
            raise _invalid(
                "userAssignedIdentities",
                f"'{resource_id[:300]}' names no managed identity: /subscriptions/S/resourceGroups/G/providers/"
                "Microsoft.ManagedIdentity/userAssignedIdentities/NAME is expected, with the name of one that "
                "'entrepot app identity NAME' has made",
            )
        return UserIdentity(found.id, found.client_id)


def _invalid(member: str, reason: str) -> Problem:
    return Problem(Kind.RESOURCE_INVALID, target=f"identity.{member}", reason=reason)


def read_identity(written: str | None) -> Identity | None:
    """From its column."""
    return None if written is None else msgspec.json.decode(written, type=Identity)


def write_identity(identity: Identity | None) -> str | None:
    return None if identity is None else msgspec.json.encode(identity).decode()
