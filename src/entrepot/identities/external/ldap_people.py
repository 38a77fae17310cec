"""People of the LDAP directory: by user name and password, or by user name alone.

Imported for those who have a directory: it brings ldap3 along (app/parts.py).
"""

from datetime import datetime

from entrepot.identities.external.model import Arrival, Asked, OutsideDownError, Outsider, Source
from entrepot.identities.ldap import LdapDirectory, LdapPerson, LdapTrouble


class LdapPeople:
    """``domain``: that of their user names; without it a name is asked for as it was typed."""

    def __init__(self, directory: LdapDirectory, domain: str | None) -> None:
        self._directory = directory
        self._domain = domain

    def takes(self, upn: str) -> bool:
        """See ``TakesPasswords``."""
        return self._domain is None or upn.rpartition("@")[2] == self._domain

    def complete(self, name: str) -> str:
        """A name that was typed without the domain, with it."""
        return name if "@" in name or self._domain is None else f"{name}@{self._domain}"

    def sign_in(self, upn: str, password: str) -> Arrival | None:
        """See ``TakesPasswords``."""
        try:
            return _arrival(upn, self._directory.sign_in(self._there(upn), password))
        except LdapTrouble as trouble:
            raise _down(trouble) from None

    def renew(self, asked: Asked, now: datetime) -> Arrival | None:  # noqa: ARG002  outsides have one shape
        """See ``Renews``."""
        try:
            found = _arrival(asked.login, self._directory.find(self._there(asked.login)))
        except LdapTrouble as trouble:
            raise _down(trouble) from None
        # Somebody else may have got the name.
        return found if found is not None and found.outsider.id == asked.id else None

    def _there(self, upn: str) -> str:
        return upn if self._domain is None else upn.rpartition("@")[0]


def _arrival(upn: str, person: LdapPerson | None) -> Arrival | None:
    if person is None:
        return None
    groups = frozenset(name.casefold() for group in person.groups for name in (group.name, group.dn))
    return Arrival(Source.LDAP, Outsider(f"ldap {person.id}", upn, person.name, groups), upn)


def _down(trouble: LdapTrouble) -> OutsideDownError:
    return OutsideDownError(f"LDAP: {trouble.trouble.name} {trouble.detail}")
