"""People and groups of an LDAP directory: who is this, is the password right, which groups is the person in.

Library: ldap3. python-ldap and bonsai are better kept, but neither could be had as a wheel for Linux when this was
chosen: both would need a compiler and OpenLDAP's headers on every machine, and we install wheels only. ldap3 is pure
Python (LGPL 3, used as it is), widespread and slow-moving: 2.9.1 is of 2021. Its own TLS checks names with code of that
age, so the standard library's context, which verifies chain and name, stands in its place. Everything else that we
use is plain protocol.

Passwords never travel in the clear: LDAPS, or StartTLS, or this machine's own loopback. Referrals are not followed;
they would hand the password to whoever the directory names.
"""

import ssl
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import ldap3
from ldap3.core.exceptions import (
    LDAPBusyResult,
    LDAPException,
    LDAPInsufficientAccessRightsResult,
    LDAPNoSuchObjectResult,
    LDAPOperationResult,
    LDAPStartTLSError,
    LDAPUnavailableResult,
)
from ldap3.core.results import RESULT_SUCCESS
from ldap3.utils.conv import escape_filter_chars

from entrepot.settings import is_loopback

_CONNECT_SECONDS: Final = 5
_PAGE: Final = 500
# Groups that one search asks for the parents of: a filter has to stay a reasonable length.
_AT_ONCE: Final = 50
_MAX_NAME: Final = 256
# An ldap3.Connection: the library's stubs leave open what its methods answer.
_Connection = Any
_PAGED: Final = "1.2.840.113556.1.4.319"
# Active Directory says by this capability that it is one, and walks nested groups by this rule (MS-ADTS 3.1.1.3.4).
_IS_ACTIVE_DIRECTORY: Final = b"1.2.840.113556.1.4.800"
_IN_CHAIN: Final = "1.2.840.113556.1.4.1941"
_PERSON: Final = ("cn", "displayName", "mail", "uid", "entryUUID", "objectGUID", "memberOf")


class Transport(Enum):
    """How the connection is protected."""

    LDAPS = auto()
    START_TLS = auto()
    LOOPBACK = auto()


class Trouble(Enum):
    """Why the directory cannot say who somebody is. A wrong password is none of these."""

    UNREACHABLE = auto()
    OWN_ACCOUNT_REFUSED = auto()
    SEARCH_REFUSED = auto()
    NOT_ONE_PERSON = auto()
    TOO_MANY_GROUPS = auto()


class LdapTrouble(Exception):
    """For the operator: what is wrong with the directory or the settings. ``detail`` holds no password."""

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(trouble, detail)  # both, so that it can be pickled
        self.trouble = trouble
        self.detail = detail


@dataclass(frozen=True, slots=True)
class LdapGroup:
    dn: str
    name: str


@dataclass(frozen=True, slots=True)
class LdapPerson:
    """Somebody in the directory. ``id`` stays when a person is renamed or moved, if the directory has such a thing."""

    dn: str
    id: str
    name: str
    mail: str | None
    groups: tuple[LdapGroup, ...]


@dataclass(frozen=True, slots=True)
class LdapPlace:
    """Where the directory is, how it is asked, and where in it people and groups are."""

    host: str
    port: int
    transport: Transport
    tls: ssl.SSLContext
    user_base: str
    user_filter: str
    group_base: str | None = None
    bind_dn: str | None = None
    bind_password: str | None = field(default=None, repr=False)
    answer_seconds: int = 10  # for each answer
    max_groups: int = 2000  # of one person


def address_of(url: str) -> tuple[str, int, Transport]:
    """Host, port and transport of the setting's URL."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "ldaps":
        return host, parts.port or 636, Transport.LDAPS
    return host, parts.port or 389, Transport.LOOPBACK if is_loopback(host) else Transport.START_TLS


class LdapDirectory:
    """Asks the directory anew each time, so what it takes away is gone at the next sign-in or refresh."""

    def __init__(self, place: LdapPlace) -> None:
        self._place = place

    def sign_in(self, user: str, password: str) -> LdapPerson | None:
        """The person, with its groups; None without one of this name, or for a wrong password. Raises LdapTrouble."""
        # RFC 4513 section 5.1.2: with an empty password a bind succeeds and proves nothing.
        if not password or "\0" in password:
            return None
        try:
            raw = password.encode()  # the library would normalise a text, and fail for some
        except UnicodeEncodeError:
            return None
        person = self.find(user)
        # Somebody who does not exist takes as long: names are not told by time.
        dn = f"cn={uuid.uuid4()},{self._place.user_base}" if person is None else person.dn
        return person if self._password_is_right(dn, raw) else None

    def find(self, user: str) -> LdapPerson | None:
        """The person, with its groups, without a password. Raises LdapTrouble."""
        if not 0 < len(user) <= _MAX_NAME or not user.isprintable():
            return None
        with _told(), self._as_ourselves() as connection:
            entry = self._entry_of(connection, user)
            if entry is None:
                return None
            found = _Groups(connection, self._place).of(entry)
            return _person(entry, found)

    def _password_is_right(self, dn: str, password: bytes) -> bool:
        with _told(), self._opened(dn, password) as connection:
            try:
                _bind(connection)
            except (LDAPBusyResult, LDAPUnavailableResult):
                raise
            except LDAPOperationResult:  # wrong, expired, locked, disabled: each is no
                return False
            return True

    @contextmanager
    def _as_ourselves(self) -> Generator[_Connection]:
        place = self._place
        with self._opened(place.bind_dn, place.bind_password) as connection:
            try:
                _bind(connection)
            except LDAPOperationResult as error:
                raise LdapTrouble(Trouble.OWN_ACCOUNT_REFUSED, str(error.description)) from None
            yield connection

    @contextmanager
    def _opened(self, dn: str | None, password: str | bytes | None) -> Generator[_Connection]:
        """Connected and protected, not yet bound. Raises LDAPException."""
        place = self._place
        server = ldap3.Server(
            place.host,
            place.port,
            use_ssl=place.transport is Transport.LDAPS,
            tls=_VerifiedTls(place.tls, place.host),
            get_info=ldap3.NONE,
            connect_timeout=_CONNECT_SECONDS,
        )
        connection: _Connection = ldap3.Connection(
            server,
            dn,
            password,  # pyright: ignore[reportArgumentType]  the stubs know no bytes, the library does
            client_strategy=ldap3.SAFE_SYNC,
            auto_referrals=False,
            check_names=False,
            read_only=True,
            raise_exceptions=True,
            receive_timeout=place.answer_seconds,
        )
        try:
            connection.open()
            if place.transport is Transport.START_TLS:
                _start_tls(connection)
            yield connection
        finally:
            connection.unbind()

    def _entry_of(self, connection: _Connection, user: str) -> "_Entry | None":
        place = self._place
        asked = place.user_filter.replace("{user}", escape_filter_chars(user))
        _, result, response, _ = connection.search(
            place.user_base,
            asked,
            ldap3.SUBTREE,
            ldap3.DEREF_NEVER,
            _PERSON,
            size_limit=2,
            time_limit=place.answer_seconds,
        )
        found = _entries(result, response)
        if len(found) > 1:
            raise LdapTrouble(Trouble.NOT_ONE_PERSON, "ldap_user_filter finds several people for one name")
        return found[0] if found else None


class _VerifiedTls(ldap3.Tls):
    """TLS by the standard library's context, which verifies chain and name in the handshake."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)  # pyright: ignore[reportUnknownMemberType]  open in the stubs
        self._context = context
        self._host = host

    def wrap_socket(self, connection: _Connection, do_handshake: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002  ldap3's own signature
        connection.socket = self._context.wrap_socket(connection.socket, server_hostname=self._host)


@dataclass(frozen=True, slots=True)
class _Entry:
    dn: str
    attributes: Mapping[str, Sequence[bytes]]  # names in lower case

    def texts(self, name: str) -> list[str]:
        return [value.decode("utf-8", "replace") for value in self.attributes.get(name.lower(), ())]

    def text(self, *names: str) -> str | None:
        return next((value for name in names for value in self.texts(name)), None)


class _Groups:
    """The groups of a person, those that hold a group of the person's included, each once."""

    def __init__(self, connection: _Connection, place: LdapPlace) -> None:
        self._connection = connection
        self._base = place.group_base
        self._limit = place.max_groups

    def of(self, person: _Entry) -> tuple[LdapGroup, ...]:
        if self._base is None:
            found = _upwards(person, self._named, self._limit)
        elif self._is_active_directory():
            found = self._holding(self._base, f"(member:{_IN_CHAIN}:={escape_filter_chars(person.dn)})")
        else:
            found = _upwards(person, partial(self._with_member, self._base), self._limit)
        return tuple(LdapGroup(entry.dn, entry.text("cn") or entry.dn) for entry in found)

    def _is_active_directory(self) -> bool:
        root = _read(self._connection, "", ["supportedCapabilities"])
        return root is not None and _IS_ACTIVE_DIRECTORY in root.attributes.get("supportedcapabilities", ())

    def _named(self, entries: Sequence[_Entry]) -> Iterator[_Entry]:
        """The groups that memberOf of these names."""
        dns = {_key(dn): dn for entry in entries for dn in entry.texts("memberOf")}
        _check_number(dns, self._limit)
        for dn in dns.values():
            group = _read(self._connection, dn, ["cn", "memberOf"])
            if group is not None:
                yield group

    def _with_member(self, base: str, entries: Sequence[_Entry]) -> Iterator[_Entry]:
        """The groups that have one of these as a member: by DN, or by name as RFC 2307 has it."""
        for start in range(0, len(entries), _AT_ONCE):
            terms = "".join(map(_member_terms, entries[start : start + _AT_ONCE]))
            yield from self._holding(base, f"(|{terms})")

    def _holding(self, base: str, asked: str) -> list[_Entry]:
        found: list[_Entry] = []
        cookie: bytes | None = None
        while True:
            _, result, response, _ = self._connection.search(
                base,
                asked,
                ldap3.SUBTREE,
                ldap3.DEREF_NEVER,
                ["cn"],
                paged_size=_PAGE,
                paged_cookie=cookie,
            )
            found += _entries(result, response)
            _check_number(found, self._limit)
            cookie = result.get("controls", {}).get(_PAGED, {}).get("value", {}).get("cookie")
            if not cookie:
                return found


def _upwards(person: _Entry, step: Callable[[Sequence[_Entry]], Iterable[_Entry]], limit: int) -> list[_Entry]:
    """Level by level; a group that holds itself, over however many others, is met once."""
    found: dict[str, _Entry] = {}
    frontier = [person]
    while frontier:
        above = {_key(entry.dn): entry for entry in step(frontier) if _key(entry.dn) not in found}
        found |= above
        _check_number(found, limit)
        frontier = list(above.values())
    return list(found.values())


def _start_tls(connection: _Connection) -> None:
    """Raises LDAPException unless what follows is protected."""
    # The library raises when the directory refuses, and returns False where it does not even ask.
    if not connection.start_tls():
        raise LDAPStartTLSError


def _bind(connection: _Connection) -> None:
    """Raises LDAPException unless the directory says plainly that the password is right."""
    _, result, _, _ = connection.bind()
    _require_success(result)


def _read(connection: _Connection, dn: str, attributes: Sequence[str]) -> _Entry | None:
    """The entry, or None when there is none or we may not see it."""
    try:
        _, result, response, _ = connection.search(dn, "(objectClass=*)", ldap3.BASE, attributes=list(attributes))
    except (LDAPNoSuchObjectResult, LDAPInsufficientAccessRightsResult):
        return None
    found = _entries(result, response)
    return found[0] if found else None


def _require_success(result: Mapping[str, Any]) -> None:
    """A referral, or an answer that stopped at a limit, is no success; ldap3 raises for neither."""
    if result["result"] != RESULT_SUCCESS:
        raise LDAPOperationResult(result=result["result"], description=result["description"])


def _entries(result: Mapping[str, Any], response: Any) -> list[_Entry]:  # noqa: ANN401  ldap3 has no type for an answer
    """All that was asked for, or LDAPOperationResult. References to other directories are left out."""
    _require_success(result)
    return [
        _Entry(item["dn"], {name.lower(): values for name, values in item["raw_attributes"].items()})
        for item in response or ()
        if item["type"] == "searchResEntry"
    ]


def _person(entry: _Entry, groups: tuple[LdapGroup, ...]) -> LdapPerson:
    name = entry.text("displayName", "cn") or entry.dn
    return LdapPerson(entry.dn, _stable_id(entry), name, entry.text("mail"), groups)


def _stable_id(entry: _Entry) -> str:
    guids = entry.attributes.get("objectguid", ())
    if guids:
        return str(uuid.UUID(bytes_le=bytes(guids[0])))
    return entry.text("entryUUID") or entry.dn


def _member_terms(entry: _Entry) -> str:
    dn = escape_filter_chars(entry.dn)
    names = "".join(f"(memberUid={escape_filter_chars(name)})" for name in entry.texts("uid"))
    return f"(member={dn})(uniqueMember={dn}){names}"


def _key(dn: str) -> str:
    return dn.casefold()


def _check_number(found: Sized, limit: int) -> None:
    """Too many are refused, not cut off: the one that is missing may be the one that matters."""
    if len(found) > limit:
        raise LdapTrouble(Trouble.TOO_MANY_GROUPS, f"one person is in more than {limit} groups")


@contextmanager
def _told() -> Generator[None]:
    """What ldap3 raises, in our words."""
    try:
        yield
    except LDAPOperationResult as error:
        raise LdapTrouble(Trouble.SEARCH_REFUSED, str(error.description)) from None
    except (LDAPException, OSError, LookupError, ValueError) as error:  # the last two: an answer that is no LDAP
        raise LdapTrouble(Trouble.UNREACHABLE, type(error).__name__) from None
