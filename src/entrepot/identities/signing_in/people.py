"""A person who signs in: who it may be, and what happens once they have proved it."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from entrepot.identities import queries as directory
from entrepot.identities.model import Credential, Principal, Proof
from entrepot.identities.people import find_person, must_change_password
from entrepot.identities.signing_in import queries
from entrepot.identities.signing_in.handles import Handle, Made, body_of, hand_out, look_up


class Session(msgspec.Struct):
    """A browser that somebody is signed in on. ``credential``: by what."""

    credential: str
    signed_in_at: int


@dataclass(frozen=True, slots=True)
class Known:
    """A person with what proves them. ``outside``: of somebody for whom an outside directory or provider vouches."""

    person: Principal
    password: Credential | None
    totp: Credential | None
    outside: Credential | None = None

    @property
    def proof(self) -> Credential | None:
        """What the person signs in with, before any second factor."""
        return self.password or self.outside

    @property
    def must_change(self) -> bool:
        return must_change_password(self.person)


@dataclass(frozen=True, slots=True)
class Present:
    """A person who is signed in."""

    person: Principal
    session: Session


def find_known(tx: Connection, upn: str) -> Known | None:
    person = find_person(tx, upn)
    return None if person is None else _with_proofs(tx, person)


def known_by_id(tx: Connection, person_id: str) -> Known | None:
    person = directory.principal_by_id(tx, person_id)
    return None if person is None else _with_proofs(tx, person)


def _with_proofs(tx: Connection, person: Principal) -> Known:
    kinds = (Proof.PASSWORD, Proof.TOTP, Proof.OUTSIDE)
    found = {each.kind: each for each in directory.credentials_of(tx, person.id, kinds)}
    return Known(person, *(found.get(kind.value) for kind in kinds))


def start_session(tx: Connection, person_id: str, credential: str, now: datetime) -> str:
    """The session's value, for a cookie."""
    body = Session(credential, int(now.timestamp()))
    return hand_out(tx, Made(Handle.SESSION, person_id, body=body), now)


def find_session(tx: Connection, value: str, now: datetime) -> Present | None:
    """None for one whose person or credential is not good any more."""
    row = look_up(tx, value, Handle.SESSION, now)
    if row is None or row.principal_id is None:
        return None
    session = body_of(row, Session)
    person = directory.principal_by_id(tx, row.principal_id)
    if person is None or queries.live_credential(tx, session.credential, now) is None:
        return None
    return Present(person, session)


def remember_browser(tx: Connection, person_id: str, now: datetime) -> str:
    """A value for a cookie: from now on failures on this browser count for itself (lockout.py)."""
    return hand_out(tx, Made(Handle.BROWSER, person_id), now)


def known_browser(tx: Connection, value: str, upn: str, now: datetime) -> str | None:
    """Its id, when this person has signed in on it before."""
    row = look_up(tx, value, Handle.BROWSER, now)
    person = find_person(tx, upn)
    return row.id if row is not None and person is not None and row.principal_id == person.id else None
