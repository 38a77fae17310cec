"""Whose a name and its secret are. What was verified is remembered until the access epoch moves (DESIGN D9).

A secret that we generated is compared at once. Whatever does not match costs a verification by argon2, whoever has the
name and whether anybody has it: so nobody learns by time which names there are, and a flood of wrong secrets queues up
behind a bound that good generated ones pass by.
"""

import hashlib
import hmac
import secrets as random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from entrepot.access import queries
from entrepot.access.queries import Known, Secret
from entrepot.access.secrets import NOBODY, find_secret, is_fast
from entrepot.access.tokens import Grant
from entrepot.errors import Kind, Problem
from entrepot.gate.doors import Doors
from entrepot.gate.memory import remember
from entrepot.gate.registries import Registry
from entrepot.gate.turns import Turns


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A principal, and the credential that proved it; ``token`` is the one of ours that stood in a password's place.

    ``expires_at``: until when it is proved.
    """

    principal: str
    credential: str
    expires_at: datetime | None = None
    token: Grant | None = None


class SignInFailed(Problem):
    """A name or a secret that is not right. ``principal`` is whose name it was, if anybody's: never for the client."""

    def __init__(self, principal: str | None, reason: str = "the user name or the password is wrong") -> None:
        super().__init__(Kind.UNAUTHENTICATED, reason=reason)
        self.principal = principal


class People(Protocol):
    """Who checks people's names and passwords."""

    async def sign_in(self, name: str, password: str, registry: Registry, address: str) -> SignedIn:
        """Raises SignInFailed, TOO_MANY_REQUESTS."""
        ...


class SignIns:
    """Verifies names and secrets. One per worker process. ``people``: None where theirs are not taken."""

    def __init__(self, doors: Doors, clock: Callable[[], datetime], people: People | None) -> None:
        self._doors = doors
        self._clock = clock
        self._people = people
        self._pepper = random.token_bytes(32)
        self._slow_hashes = Turns(doors)
        self.forget()

    def forget(self) -> None:
        """Drop what is remembered. A new memory: see ``Authenticator.forget``."""
        self._signed_in: dict[bytes, SignedIn] = {}

    async def find(self, name: str, secret: str, registry: Registry, address: str) -> SignedIn:
        """``address``: where it comes from. Raises UNAUTHENTICATED, TOO_MANY_REQUESTS."""
        if "\0" in name:  # no credential's (RFC 7617), nor text that PostgreSQL takes
            raise SignInFailed(None)
        # By registry too: its own name, and those of its tokens, mean something else in another.
        fingerprint = hmac.digest(self._pepper, f"{registry.id}\0{name}\0{secret}".encode(), hashlib.sha256)
        remembered = self._signed_in
        found = remembered.get(fingerprint)
        if found is not None and (found.expires_at is None or self._clock() < found.expires_at):
            return found
        # The name decides the kind (ACR-REFERENCE 4.4).
        if "@" in name:
            if self._people is None:
                raise Problem(Kind.UNAUTHENTICATED, reason="people sign in through the directory, as with az acr login")
            signed_in = await self._people.sign_in(name, secret, registry, address)
        else:
            signed_in = await self._machine(name, secret, registry)
        remember(remembered, fingerprint, signed_in)
        return signed_in

    async def _machine(self, name: str, secret: str, registry: Registry) -> SignedIn:
        known = await self._look_up(name, registry)
        proved = await self._prove(known.secrets if known else (), secret)
        if known is None or proved is None:
            raise SignInFailed(known.id if known else None)
        return SignedIn(known.id, proved.id, proved.expires_at)

    async def _look_up(self, name: str, registry: Registry) -> Known | None:
        now = self._clock()
        # Not by what is remembered of the registry: an account that was just turned on is good at once.
        admin = await self._doors.read(queries.find_admin, registry.id, now) if name == registry.name else None
        return admin or await self._doors.read(queries.find_machine, name, registry.id, registry.tenant_id, now)

    async def _prove(self, secrets: tuple[Secret, ...], secret: str) -> Secret | None:
        fast = [each for each in secrets if is_fast(each.hash)]
        place = find_secret([each.hash for each in fast], secret)
        if place is not None:
            return fast[place]
        slow = [each for each in secrets if not is_fast(each.hash)]
        place = await self._slow_hashes.run(find_secret, [each.hash for each in slow] or [NOBODY], secret)
        return None if place is None or not slow else slow[place]
