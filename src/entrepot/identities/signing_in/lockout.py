"""Failed sign-ins slow down whoever makes them, and nobody for ever.

Counted per account for browsers and programs that never signed in to it, per browser that has, and per address. So
whoever guesses at an account locks out strangers like himself, for a quarter of an hour at most; the owner's own
browser goes on. Names that nobody has count like any other, so that a lock tells nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from entrepot.identities.rules import ACCOUNT, ADDRESS, DEVICE, Backoff, failures_after, lock_of
from entrepot.identities.signing_in import queries
from entrepot.identities.signing_in.handles import hash_of
from entrepot.identities.signing_in.queries import Failures


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who tries to sign in to what, from where. ``browser``: the id of one that signed in to this account before.
    ``strangers``: how browsers are slowed down that never did.
    """

    upn: str
    address: str
    browser: str | None = None
    strangers: Backoff = ACCOUNT

    @property
    def subject(self) -> str:
        """The counter of the account as strangers see it, or of the browser that knows it."""
        return hash_of(f"account {self.upn}" if self.browser is None else f"browser {self.browser}")

    @property
    def place(self) -> str:
        """The counter of the address."""
        return hash_of(f"address {self.address}")

    @property
    def backoffs(self) -> dict[str, Backoff]:
        return {self.subject: self.strangers if self.browser is None else DEVICE, self.place: ADDRESS}


def begin(tx: Connection, attempt: Attempt, now: datetime) -> timedelta | None:
    """How long it must wait; None: it may try, and counts as failed until ``note_success`` says otherwise.

    Counted before the password is looked at, so that many at once do not each find the counter as it was.
    """
    found = {counter: queries.locked_failures(tx, counter, now) for counter in sorted(attempt.backoffs)}
    ends = max((each.locked_until or now for each in found.values()), default=now)
    if ends > now:
        return ends - now
    for counter, before in found.items():
        backoff = attempt.backoffs[counter]
        count = failures_after(before.number, before.last_at, now, backoff)
        lock = lock_of(count, backoff)
        queries.keep_failures(tx, counter, Failures(count, now, None if lock is None else now + lock))
    return None


def note_success(tx: Connection, attempt: Attempt) -> None:
    """The account's or browser's failures are forgotten. Those of the address are not, for whoever guesses there may
    have an account of his own; this attempt alone is taken back.
    """
    queries.forget_failures(tx, attempt.subject)
    queries.uncount(tx, attempt.place, ADDRESS.free)


def take_back(tx: Connection, attempt: Attempt) -> None:
    """It does not count: nobody found out whether it was right."""
    for counter, backoff in attempt.backoffs.items():
        queries.uncount(tx, counter, backoff.free)
