"""What the outside tells of a person, and what is kept of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec


class Source(StrEnum):
    """Which outside."""

    LDAP = "ldap"
    OIDC = "oidc"


@dataclass(frozen=True, slots=True)
class Outsider:
    """Somebody as the outside has them. ``id`` stays when they are renamed; ``groups`` are its own names of groups."""

    id: str
    upn: str
    name: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody whom the outside has just vouched for. ``login``: by which name; ``refresh``: to ask the provider again
    with.
    """

    source: Source
    outsider: Outsider
    login: str = ""
    refresh: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Welcome:
    """Who may come in, and which of our groups theirs mean: ids or display names, by their name."""

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    new_people: bool = True
    domains: tuple[str, ...] = ()
    required_groups: frozenset[str] = frozenset()


class Kept(msgspec.Struct):
    """Beside the credential of somebody from outside. Times in seconds since 1970; ``refresh`` is sealed.

    ``busy_until``: somebody asks the outside at the moment.
    """

    checked_at: int
    login: str = ""
    refresh: str | None = None
    busy_until: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """Of whom the outside is asked again."""

    id: str
    login: str
    refresh: str | None = field(repr=False)


class Renews(Protocol):
    """An outside that can be asked again, in a thread."""

    def renew(self, asked: Asked, now: datetime) -> Arrival | None:
        """None when it does not know the person any more, or does not let them in. Raises OutsideDownError."""
        ...


class TakesPasswords(Renews, Protocol):
    """An outside that checks passwords, in a thread."""

    def takes(self, upn: str) -> bool:
        """Whether somebody of this name may be there; told by the name alone."""
        ...

    def complete(self, name: str) -> str:
        """A name as it was typed, with its domain."""
        ...

    def sign_in(self, upn: str, password: str) -> Arrival | None:
        """None without one of this name, or for a wrong password. Raises OutsideDownError."""
        ...


@dataclass(frozen=True, slots=True)
class Outside:
    """An outside, and who may come in from there."""

    asks: Renews
    welcome: Welcome


class OutsideDownError(Exception):
    """The outside cannot say at the moment. ``detail`` is for the operator and holds no secret."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class OutsideRefusedError(Exception):
    """The outside, or we, do not let somebody in. ``reason`` is for them, ``detail`` for the operator as well."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail or reason
