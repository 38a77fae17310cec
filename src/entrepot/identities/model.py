"""Typed values of the directory. Names and shapes as Microsoft Graph has them where it has them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What a principal of the directory is."""

    USER = "User"
    SERVICE_PRINCIPAL = "ServicePrincipal"
    GROUP = "Group"


class Type(StrEnum):
    """What a service principal stands for."""

    APPLICATION = "Application"
    MANAGED_IDENTITY = "ManagedIdentity"


class Proof(StrEnum):
    """Kinds of credential that the directory itself takes.

    A grant is one sign-in of a person to a client: what the client got by it ends with it, and it ends with the
    credential that the person signed in with. Outside: an LDAP directory or a provider vouches for the person. Machine:
    every process of this machine may sign in as the managed identity. Run: a run of a task may.
    """

    SECRET = "secret"  # noqa: S105  a kind, not a secret
    PASSWORD = "password"  # noqa: S105  the same
    TOTP = "totp"
    CERTIFICATE = "certificate"
    GRANT = "grant"
    OUTSIDE = "outside"
    MACHINE = "machine"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class New:
    """The id of what is made, and when."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Tenant:
    """A directory. ``domain`` stands for its id wherever people write one."""

    id: str
    name: str
    domain: str | None


@dataclass(frozen=True, slots=True)
class Principal:
    """A person, a service principal or a group. ``attributes``: what Graph shows beside these, as JSON.

    ``external_id``: of people from outside, who they are there.
    """

    id: str
    tenant_id: str
    kind: str
    name: str
    enabled: bool
    created_at: datetime
    client_id: str | None = None
    type: str | None = None
    upn: str | None = None
    provisioned: bool = True
    attributes: str = "{}"
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """An application and the id of its service principal. ``client_id`` is what Graph calls appId."""

    id: str
    principal_id: str
    tenant_id: str
    client_id: str
    name: str
    created_at: datetime
    attributes: str = "{}"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a principal proves itself with, without the secret. ``hint``: the secret's first characters.

    ``body`` of a certificate is its PEM.
    """

    id: str
    principal_id: str
    kind: str
    name: str
    hint: str
    created_at: datetime
    expires_at: datetime | None
    fingerprint: str = field(repr=False)
    body: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret at the only moment that anybody can read it."""

    id: str
    value: str = field(repr=False)
    hint: str
    expires_at: datetime | None


class _Redirects(msgspec.Struct, rename="camel"):
    redirect_uris: list[str] = []


class _ApplicationAttributes(msgspec.Struct, rename="camel"):
    web: _Redirects = msgspec.field(default_factory=_Redirects)
    spa: _Redirects = msgspec.field(default_factory=_Redirects)
    public_client: _Redirects = msgspec.field(default_factory=_Redirects)
    identifier_uris: list[str] = []
    is_fallback_public_client: bool | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """Where an application may be sent back to, by whether it can keep a secret there, and what it is called as an
    audience. ``is_public``: it may sign people in without a credential of its own.
    """

    confidential: tuple[str, ...] = ()
    public: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    is_public: bool = False


def reach_of(attributes: str) -> Reach:
    """Of an application's attributes, as Graph writes them."""
    read = msgspec.json.decode(attributes, type=_ApplicationAttributes)
    public = (*read.public_client.redirect_uris, *read.spa.redirect_uris)
    return Reach(
        tuple(read.web.redirect_uris),
        public,
        tuple(read.identifier_uris),
        bool(read.is_fallback_public_client) or bool(public),
    )


class PersonAttributes(msgspec.Struct, rename="camel"):
    """What is kept of a person beside the columns. ``must_change``: the password is good for choosing another."""

    must_change: bool = False
    mail_nickname: str | None = None
