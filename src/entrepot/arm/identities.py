"""The identities of a resource: one of its own, which comes and goes with it, and managed ones that are lent to it.

Source: ACR-TASKS 5.2 and 8; ACR-REFERENCE 6.3; Microsoft, "How to use managed identities for Azure resources".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Connection

from entrepot.access.rights import may_manage
from entrepot.arm.bodies import AnyCase
from entrepot.arm.descriptor import Ask
from entrepot.errors import Kind, Problem


class IdentityType(AnyCase):
    NONE = "None"
    SYSTEM = "SystemAssigned"
    USER = "UserAssigned"
    BOTH = "SystemAssigned, UserAssigned"


class UserIdentity(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A managed identity that was made by itself; its ids can only be read."""

    principal_id: str | None = None
    client_id: str | None = None


class IdentityBody(Struct, frozen=True, rename="camel"):
    """``user_assigned_identities``: by their resource ids."""

    type: IdentityType = IdentityType.NONE
    user_assigned_identities: Annotated[dict[str, UserIdentity], Meta(max_length=32)] = {}


class Identity(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Who the resource is. ``principal_id``: of the identity that belongs to it alone."""

    type: IdentityType
    principal_id: str | None = None
    tenant_id: str | None = None
    user_assigned_identities: dict[str, UserIdentity] = {}


class Own(NamedTuple):
    """What the identity that belongs to a resource alone is called, and the registry (its row) that it goes with."""

    name: str
    registry: int


_ID: Final = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/([^/]+)",
    re.IGNORECASE,
)
_ASSIGN: Final = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
_OWN: Final = frozenset({IdentityType.SYSTEM, IdentityType.BOTH})
_LENT: Final = frozenset({IdentityType.USER, IdentityType.BOTH})


@dataclass(frozen=True, slots=True)
class Settling:
    """Decides who a resource is, for one request."""

    tx: Connection
    ask: Ask

    def settle(self, wanted: IdentityBody, was: Identity | None, possible: Own | None = None) -> Identity | None:
        """What the resource has from now on; None for no identity. ``possible``: an identity of its own; without it
        there can be none. Raises RESOURCE_INVALID, and DENIED for who may not lend an identity.
        """
        known = self.ask.deployment.identities
        own = None if was is None else was.principal_id
        lent_before = {} if was is None else was.user_assigned_identities
        if wanted.type not in _OWN and own is not None:
            known.remove(self.tx, own)
        # A change that takes the last one away says "UserAssigned" as before.
        is_last = wanted.type is IdentityType.USER and bool(lent_before) and not wanted.user_assigned_identities
        if wanted.type is IdentityType.NONE or is_last:
            return None
        if wanted.type in _OWN and possible is None:
            raise _invalid("type", "only identities that are lent to it are possible here: UserAssigned")
        lent = self._lent(wanted, lent_before)
        if wanted.type not in _OWN or possible is None:
            return Identity(wanted.type, user_assigned_identities=lent)
        own = own or known.make(self.tx, self.ask, possible.name, possible.registry).id
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
        """Whoever writes a resource acts as its identities, so the right to lend one is asked for."""
        # Managed identities lie in no group here, whatever the id says: the right counts on the subscription.
        caller, scope = self.ask.caller, f"/subscriptions/{self.ask['subscription']}"
        if not may_manage(self.tx, caller.principal, _ASSIGN, scope):
            client = caller.name or caller.client_id
            raise Problem(Kind.DENIED, client=client, object=caller.principal, operation=_ASSIGN, scope=scope)
        named = _ID.fullmatch(resource_id)
        known = self.ask.deployment.identities
        found = None if named is None or "\0" in resource_id else known.find(self.tx, self.ask, named[1])
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
