"""People: their names, passwords and second factors. Each change stops what it must stop within two seconds (D9)."""

from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.access.queries import raise_epoch
from entrepot.errors import Kind as Failure
from entrepot.errors import Problem
from entrepot.identities import queries
from entrepot.identities.model import Credential, Kind, New, PersonAttributes, Principal, Proof
from entrepot.identities.rules import parse_display_name, parse_upn

# What a person signs in by, and what they got by it.
_OF_PASSWORD: Final = (Proof.PASSWORD, Proof.GRANT)


def add_person(tx: Connection, new: New, tenant_id: str, upn: str, name: str) -> Principal:
    """Somebody without a password, who cannot sign in yet. Raises REQUEST_INVALID, also for a name that is taken."""
    checked = parse_upn(upn)
    if queries.person_by_upn(tx, checked) is not None:
        raise Problem(Failure.REQUEST_INVALID, reason="somebody has this user name already", user=checked)
    made = Principal(
        id=new.id,
        tenant_id=tenant_id,
        kind=Kind.USER.value,
        name=parse_display_name(name or checked),
        enabled=True,
        created_at=new.at,
        upn=checked,
    )
    queries.insert_principal(tx, made)
    raise_epoch(tx)
    return made


def set_password(tx: Connection, person: Principal, new: New, password_hash: str, *, must_change: bool) -> None:
    """Replace the password. Every session and token got by the old one ends. ``must_change``: it is good for choosing
    another one, and for nothing else. Raises REQUEST_INVALID for somebody from outside.
    """
    if person.external_id is not None:
        raise Problem(Failure.REQUEST_INVALID, reason="this person's password is kept outside: change it there")
    queries.delete_credentials(tx, person.id, _OF_PASSWORD)
    queries.insert_credential(
        tx, Credential(new.id, person.id, Proof.PASSWORD.value, "", "", new.at, None, password_hash)
    )
    set_attribute(tx, person.id, "mustChange", must_change)
    raise_epoch(tx)


def set_attribute(tx: Connection, person_id: str, name: str, value: str | bool) -> None:  # noqa: FBT001  it is a value
    """One of those of PersonAttributes, in the words of Graph."""
    person = queries.principal_by_id(tx, person_id)
    attributes = msgspec.json.decode(person.attributes if person else "{}", type=dict[str, object])
    attributes[name] = value
    queries.update_principal(tx, person_id, attributes=msgspec.json.encode(attributes).decode())


def must_change_password(person: Principal) -> bool:
    return msgspec.json.decode(person.attributes, type=PersonAttributes).must_change


def set_totp(tx: Connection, person_id: str, new: New, sealed: str) -> None:
    """From now on the person needs a code of this authenticator as well. ``sealed``: its key (access/sealing.py)."""
    queries.delete_credentials(tx, person_id, (Proof.TOTP,))
    queries.insert_credential(tx, Credential(new.id, person_id, Proof.TOTP.value, "", "", new.at, None, "", sealed))
    raise_epoch(tx)


def remove_totp(tx: Connection, person_id: str) -> bool:
    """False when they had none."""
    removed = queries.delete_credentials(tx, person_id, (Proof.TOTP,)) > 0
    raise_epoch(tx)
    return removed


def set_enabled(tx: Connection, principal_id: str, enabled: bool) -> None:  # noqa: FBT001  it is the column's value
    """Of anybody: whoever is disabled is stopped within two seconds, whatever tokens they hold."""
    if not queries.update_principal(tx, principal_id, enabled=enabled):
        raise Problem(Failure.NAME_UNKNOWN, reason="there is no such principal")
    raise_epoch(tx)


def delete(tx: Connection, principal_id: str) -> bool:
    """Anybody, with everything that they have. False when there is none."""
    gone = queries.delete_principal(tx, principal_id)
    raise_epoch(tx)
    return gone


def find_person(tx: Connection, upn: str) -> Principal | None:
    return queries.person_by_upn(tx, upn.strip().lower())
