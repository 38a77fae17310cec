"""People's names and passwords, checked: ours, or an LDAP directory's. Slowly for whoever guesses, and alike for names
that nobody has.

A name that somebody of ours has is ours: the directory is not asked for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Final

import structlog
from structlog.typing import FilteringBoundLogger

from entrepot.events.audit import Origin
from entrepot.gate.doors import Doors
from entrepot.gate.registries import Registry
from entrepot.gate.sign_in import SignedIn, SignInFailed
from entrepot.identities.external.following import Following
from entrepot.identities.external.model import OutsideDownError, OutsideRefusedError, Source, TakesPasswords
from entrepot.identities.model import Principal
from entrepot.identities.rules import ACCOUNT, ACCOUNT_ELSEWHERE, normal
from entrepot.identities.signing_in import lockout
from entrepot.identities.signing_in.lockout import Attempt
from entrepot.identities.signing_in.people import Known, find_known, known_browser, known_by_id
from entrepot.identities.signing_in.proving import Proving

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.identities")

_NAME_LIMIT: Final = 256
_PASSWORD_LIMIT: Final = 1024


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who somebody says that they are, and from where. ``browser``: the cookie of one that was signed in on before.

    ``tenant_id``: where they want to sign in; ``admits`` says whether somebody of a tenant may there.
    """

    name: str
    password: str = field(repr=False)
    tenant_id: str
    admits: Callable[[str], bool]
    origin: Origin
    browser: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Proved:
    """Somebody whose password was right. ``attempt``: to be forgiven once nothing else is missing."""

    known: Known
    attempt: Attempt
    credential: str

    @property
    def person(self) -> Principal:
        return self.known.person


class Why(Enum):
    """Why a password does not sign anybody in."""

    WRONG = auto()
    LOCKED = auto()
    DISABLED = auto()
    OUTSIDE_DOWN = auto()
    OUTSIDE_REFUSED = auto()


class PasswordRefusedError(Exception):
    """``reason``: for whoever typed it; ``seconds``: how long a lock lasts; ``principal``: whose name it is, if it is
    anybody's.
    """

    def __init__(self, why: Why, principal: str | None, reason: str = "", seconds: int = 0) -> None:
        super().__init__(why, principal, reason, seconds)
        self.why = why
        self.principal = principal
        self.reason = reason
        self.seconds = seconds


class Passwords:
    """One per worker process. ``ldap``: the directory that has more people, if there is one."""

    def __init__(
        self,
        doors: Doors,
        proving: Proving,
        clock: Callable[[], datetime],
        following: Following,
        ldap: TakesPasswords | None,
    ) -> None:
        self._doors = doors
        self._proving = proving
        self._clock = clock
        self._following = following
        self._ldap = ldap

    def complete(self, typed: str) -> str:
        """The user name as they compare."""
        name = typed.strip().lower()[:_NAME_LIMIT]
        return name if self._ldap is None else self._ldap.complete(name)

    async def attempt(self, name: str, address: str, browser: str) -> Attempt:
        known = await self._doors.read(known_browser, browser, name, self._clock()) if browser else None
        return Attempt(name, address, known, ACCOUNT if self._taking(name) is None else ACCOUNT_ELSEWHERE)

    def _taking(self, name: str) -> TakesPasswords | None:
        """The directory, if it may have somebody of this name."""
        return self._ldap if self._ldap is not None and self._ldap.takes(name) else None

    async def count(self, attempt: Attempt) -> None:
        """Before anything is looked at. Raises PasswordRefusedError while it is locked."""
        wait = await self._doors.write(lockout.begin, attempt, self._clock())
        if wait is not None:
            known = await self._doors.read(find_known, attempt.upn)
            principal = None if known is None else known.person.id
            raise PasswordRefusedError(Why.LOCKED, principal, seconds=max(1, int(wait.total_seconds())))

    async def prove(self, claimed: Claimed) -> Proved:
        """Who succeeds may lack something else. Raises PasswordRefusedError, TOO_MANY_REQUESTS."""
        name = self.complete(claimed.name)
        attempt = await self.attempt(name, claimed.origin.address, claimed.browser)
        await self.count(attempt)
        known = await self._doors.read(find_known, name)
        elsewhere = self._taking(name) if _may_be_elsewhere(known) else None
        if elsewhere is None:
            proved = await self._ours(claimed, attempt, known)
        else:
            proved = await self._theirs(claimed, attempt, known, elsewhere)
        if proved.known.totp is None:
            await self._doors.write(lockout.note_success, attempt)
        return proved

    async def _ours(self, claimed: Claimed, attempt: Attempt, known: Known | None) -> Proved:
        hashes = [known.password.fingerprint] if known is not None and known.password is not None else []
        place = await self._proving.find(hashes, normal(claimed.password[:_PASSWORD_LIMIT]))
        if place is None or known is None or known.password is None or not claimed.admits(known.person.tenant_id):
            raise PasswordRefusedError(Why.WRONG, None if known is None else known.person.id)
        if not known.person.enabled:
            raise PasswordRefusedError(Why.DISABLED, known.person.id)
        return Proved(known, attempt, known.password.id)

    async def _theirs(self, claimed: Claimed, attempt: Attempt, known: Known | None, ldap: TakesPasswords) -> Proved:
        principal = None if known is None else known.person.id
        try:
            arrival = await self._following.turns.run(ldap.sign_in, attempt.upn, claimed.password[:_PASSWORD_LIMIT])
            if arrival is None:
                raise PasswordRefusedError(Why.WRONG, principal)
            arrived = await self._following.arrive(arrival, claimed.tenant_id, claimed.origin)
        except OutsideDownError as down:
            log.warning("outside_down", source=Source.LDAP.value, reason=down.detail)
            await self._doors.write(lockout.take_back, attempt)
            raise PasswordRefusedError(Why.OUTSIDE_DOWN, principal) from None
        except OutsideRefusedError as refused:
            raise PasswordRefusedError(Why.OUTSIDE_REFUSED, principal, refused.reason) from None
        known = await self._doors.read(known_by_id, arrived.person.id)
        if known is None:
            raise PasswordRefusedError(Why.WRONG, principal)
        return Proved(known, attempt, arrived.credential)


def _may_be_elsewhere(known: Known | None) -> bool:
    """Nobody's, the directory's, or of somebody who was added for it and has signed in nowhere yet."""
    if known is None:
        return True
    external = known.person.external_id
    return known.password is None if external is None else external.startswith(f"{Source.LDAP.value} ")


class BasicPeople:
    """People who sign in to a registry with name and password alone, as ``docker login`` does."""

    def __init__(self, passwords: Passwords, following: Following) -> None:
        self._passwords = passwords
        self._following = following

    async def sign_in(self, name: str, password: str, registry: Registry, address: str) -> SignedIn:
        """See ``gate.sign_in.People``. A directory's password is believed for as long as its groups are."""
        tenant_id = registry.tenant_id
        origin = Origin(method="basic", registry=registry.name, address=address)
        claimed = Claimed(name, password, tenant_id, lambda tenant: tenant == tenant_id, origin)
        try:
            proved = await self._passwords.prove(claimed)
        except PasswordRefusedError as refused:
            raise SignInFailed(refused.principal, _told(refused)) from None
        if proved.known.totp is not None or proved.known.must_change:
            raise SignInFailed(proved.person.id)
        until = None if proved.known.password is not None else self._following.until
        return SignedIn(proved.person.id, proved.credential, until)


def _told(refused: PasswordRefusedError) -> str:
    match refused.why:
        case Why.LOCKED:
            return f"too many sign-ins have failed: wait {refused.seconds} seconds"
        case Why.OUTSIDE_DOWN:
            return "the directory that has your password does not answer: try again later"
        case Why.OUTSIDE_REFUSED:
            return refused.reason
        case Why.WRONG | Why.DISABLED:
            return "the user name or the password is wrong"
