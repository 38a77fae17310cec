"""People of the directory as az makes, shows, changes and deletes them. Spec: Microsoft Graph, user.

They are under the rules of the directory (identities/rules.py): the form of a user name, and no weak password.
"""

from typing import Annotated, Final

import msgspec
from sqlalchemy import Connection

from entrepot.access.queries import raise_epoch
from entrepot.errors import Kind as Failure
from entrepot.errors import Problem
from entrepot.identities import people
from entrepot.identities import queries as directory
from entrepot.identities.graph.kit import Asked
from entrepot.identities.graph.model import ObjectDocument, document_of
from entrepot.identities.graph.objects import find_principal
from entrepot.identities.model import Kind, New, Principal
from entrepot.identities.rules import normal, parse_display_name, why_weak

_NOT_HERE: Final = ("onPremisesImmutableId", "identities")


class _PasswordProfile(msgspec.Struct, rename="camel"):
    password: str
    force_change_password_next_sign_in: bool = False


class _Written(msgspec.Struct, rename="camel"):
    display_name: str | None = None
    user_principal_name: str | None = None
    mail_nickname: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    account_enabled: bool | None = None
    password_profile: _PasswordProfile | None = None


def get_user(tx: Connection, asked: Asked) -> ObjectDocument:
    """A person, by id or by user principal name."""
    return document_of(_find(tx, asked))


def create_user(tx: Connection, asked: Asked) -> ObjectDocument:
    """Add a person, with the first password."""
    written = _written(asked)
    upn = written.user_principal_name
    if upn is None or written.password_profile is None:
        raise Problem(Failure.REQUEST_INVALID, reason="a person has a userPrincipalName and a passwordProfile")
    new = New(asked.guid(), asked.now)
    person = people.add_person(tx, new, asked.tenant, upn, written.display_name or upn)
    _apply(tx, asked, person, written)
    return document_of(find_principal(tx, asked, person.id, Kind.USER))


def update_user(tx: Connection, asked: Asked) -> None:
    """Change a person: name, password, or whether they may sign in. The user name stays."""
    person, written = _find(tx, asked), _written(asked)
    if written.user_principal_name is not None and written.user_principal_name.lower() != person.upn:
        raise Problem(Failure.REQUEST_INVALID, reason="a user name stays: add another person")
    if written.display_name is not None:
        directory.update_principal(tx, person.id, name=parse_display_name(written.display_name))
        raise_epoch(tx)
    _apply(tx, asked, person, written)


def _apply(tx: Connection, asked: Asked, person: Principal, written: _Written) -> None:
    """What is the same for a new person and one who is there."""
    if written.password_profile is not None:
        _set_password(tx, asked, person, written.password_profile)
    if written.mail_nickname is not None:
        people.set_attribute(tx, person.id, "mailNickname", written.mail_nickname)
    if written.account_enabled is not None and written.account_enabled != person.enabled:
        people.set_enabled(tx, person.id, written.account_enabled)


def _set_password(tx: Connection, asked: Asked, person: Principal, profile: _PasswordProfile) -> None:
    weak = why_weak(normal(profile.password), person.upn or "")
    if weak is not None:
        raise Problem(Failure.REQUEST_INVALID, reason=f"This password is weak. {weak}")
    new, must_change = New(asked.guid(), asked.now), profile.force_change_password_next_sign_in
    people.set_password(tx, person, new, asked.password_hash, must_change=must_change)


def delete_user(tx: Connection, asked: Asked) -> None:
    """Delete a person with everything they may do: sessions and tokens stop within two seconds."""
    people.delete(tx, _find(tx, asked).id)


def _find(tx: Connection, asked: Asked) -> Principal:
    wanted = asked["user"]
    by_name = people.find_person(tx, wanted) if "@" in wanted else None
    return find_principal(tx, asked, wanted if by_name is None else by_name.id, Kind.USER)


def _written(asked: Asked) -> _Written:
    """Raises REQUEST_INVALID, RESOURCE_INVALID."""
    unknown = [name for name in _NOT_HERE if asked.sent.get(name) is not None]
    if unknown:
        raise Problem(Failure.REQUEST_INVALID, reason=f"{unknown[0]} is not available: people are of this directory")
    return asked.body(_Written)
