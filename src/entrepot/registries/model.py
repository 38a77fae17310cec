"""Typed values of registries: passwords, scope maps, repository tokens."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final, NamedTuple

# Scope maps of this type are every registry's own and cannot be changed (ACR-REFERENCE 5.5).
SYSTEM: Final = "SystemDefined"
USER: Final = "UserDefined"


@dataclass(frozen=True, slots=True)
class Making:
    """What making something takes: when, ids for it, and the setting that says how many there may be."""

    now: datetime
    new_id: Callable[[], str]
    tier_limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Password:
    """A password in clear, to be shown."""

    name: str
    value: str = field(repr=False)
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name for ``docker login`` and passwords that go with it."""

    user_name: str
    passwords: tuple[Password, ...]


class AdminPassword(StrEnum):
    """ACR's names of the admin account's two passwords."""

    FIRST = "password"
    SECOND = "password2"


class TokenPassword(StrEnum):
    """ACR's names of a repository token's two passwords."""

    FIRST = "password1"
    SECOND = "password2"


class Status(Enum):
    """Whether a repository token can be used."""

    ENABLED = "enabled"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class ScopeMap:
    """What tokens may do in which repositories, as it was written."""

    name: str
    type: str
    description: str
    actions: tuple[str, ...]
    created_at: datetime


class KnownPassword(NamedTuple):
    """A password of which only the hash is kept."""

    name: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Token:
    """A repository token. ``scope_map`` is None once that was deleted: it then may nothing."""

    name: str
    principal_id: str
    scope_map: str | None
    status: Status
    created_at: datetime
    passwords: tuple[KnownPassword, ...] = ()
