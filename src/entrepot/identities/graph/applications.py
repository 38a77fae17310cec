"""Applications, and the keys of which each signs in with one. Spec: Microsoft Graph, application."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from entrepot.access.queries import raise_epoch
from entrepot.arm.bodies import convert, merge
from entrepot.arm.descriptor import Page
from entrepot.arm.filters import Term, any_equals, equals, starts_with
from entrepot.errors import Kind as Failure
from entrepot.errors import Problem
from entrepot.identities import applications, people
from entrepot.identities import queries as directory
from entrepot.identities.applications import Ids
from entrepot.identities.graph import queries
from entrepot.identities.graph.kit import Asked, missing
from entrepot.identities.graph.model import (
    ApplicationDocument,
    ApplicationSettings,
    PasswordCredential,
    application_document,
    settings_of,
)
from entrepot.identities.model import Application, New, Proof
from entrepot.identities.rules import parse_display_name

FILTERS: Final = {
    "appId eq": equals("appId"),
    "id eq": equals("id"),
    "displayName eq": equals("displayName"),
    "startswith(displayName)": starts_with("displayName"),
    "identifierUris/any": any_equals("identifierUris"),
}
_PROOFS: Final = (Proof.SECRET, Proof.CERTIFICATE)
_SECRET_LIFE: Final = timedelta(days=730)
_URI_LENGTH: Final = 1024
_URIS_LIMIT: Final = 100
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# A browser that is sent there would run or show what the address itself holds.
_DANGEROUS: Final = frozenset({"javascript", "data", "vbscript", "file", "blob", "about"})


class _Key(msgspec.Struct, rename="camel"):
    key_id: str | None = None
    key: str | None = None


class _Written(msgspec.Struct, rename="camel"):
    display_name: str | None = None
    key_credentials: list[_Key] | None = None
    password_credentials: list[msgspec.Raw] | None = None


def list_applications(
    tx: Connection, asked: Asked, terms: tuple[Term, ...], page: Page
) -> Sequence[ApplicationDocument]:
    """Applications of the tenant."""
    return [_document(tx, each) for each in queries.applications(tx, asked.tenant, terms, (page.after, page.limit))]


def get_application(tx: Connection, asked: Asked) -> ApplicationDocument:
    """An application."""
    return _document(tx, find_application(tx, asked))


def find_application(tx: Connection, asked: Asked) -> Application:
    """Whose id stands in the path. Raises RESOURCE_UNKNOWN."""
    found = directory.application_by_id(tx, asked["application"].lower())
    if found is None or found.tenant_id != asked.tenant:
        raise missing(asked["application"])
    return found


def _document(tx: Connection, application: Application) -> ApplicationDocument:
    return application_document(application, directory.credentials_of(tx, application.principal_id, _PROOFS))


def create_application(tx: Connection, asked: Asked) -> ApplicationDocument:
    """Make an application; its service principal shows once it is asked for."""
    written, settings = asked.body(_Written), asked.body(ApplicationSettings)
    if written.password_credentials:
        raise Problem(Failure.REQUEST_INVALID, reason="secrets are made by addPassword, which alone shows them")
    _expect_sound(settings)
    ids = Ids(asked.guid(), asked.guid(), asked.guid())
    made = applications.add_application(tx, ids, asked.tenant, written.display_name or "", asked.now)
    kept = replace(made, attributes=_json(settings))
    directory.update_application(tx, made.id, attributes=kept.attributes)
    for key in written.key_credentials or ():
        _add_key(tx, asked, made.principal_id, key)
    return _document(tx, kept)


def update_application(tx: Connection, asked: Asked) -> None:
    """Change an application: what is sent replaces what is there, the list of its certificates too."""
    application, written = find_application(tx, asked), asked.body(_Written)
    kept = msgspec.to_builtins(settings_of(application))
    settings = convert(merge(kept, asked.sent), ApplicationSettings)
    _expect_sound(settings)
    name = application.name if written.display_name is None else parse_display_name(written.display_name)
    directory.update_application(tx, application.id, name=name, attributes=_json(settings))
    directory.update_principal(tx, application.principal_id, name=name)
    if written.key_credentials is not None:
        _replace_keys(tx, asked, application.principal_id, written.key_credentials)
    raise_epoch(tx)


def _replace_keys(tx: Connection, asked: Asked, principal_id: str, wanted: list[_Key]) -> None:
    """Those with an id and no content stay, those with content come, the others go."""
    staying = {key.key_id for key in wanted if key.key is None}
    for each in directory.credentials_of(tx, principal_id, (Proof.CERTIFICATE,)):
        if each.id not in staying:
            applications.remove_credential(tx, principal_id, each.id)
    for key in wanted:
        if key.key is not None:
            _add_key(tx, asked, principal_id, key)


def _add_key(tx: Connection, asked: Asked, principal_id: str, key: _Key) -> None:
    try:
        # az sends the lines of a PEM file.
        content = "".join((key.key or "").split())
        certificate = x509.load_der_x509_certificate(base64.b64decode(content, validate=True))
    except (ValueError, binascii.Error):
        raise Problem(Failure.REQUEST_INVALID, reason="a key is a certificate, DER in base64") from None
    pem = certificate.public_bytes(Encoding.PEM).decode()
    applications.add_certificate(tx, principal_id, New(asked.guid(), asked.now), pem)


def delete_application(tx: Connection, asked: Asked) -> None:
    """Delete an application with its service principal and what that may do."""
    people.delete(tx, find_application(tx, asked).principal_id)


class _NewPassword(msgspec.Struct, rename="camel"):
    display_name: str | None = None
    end_date_time: datetime | None = None


class _AddPassword(msgspec.Struct, rename="camel"):
    password_credential: _NewPassword = msgspec.field(default_factory=_NewPassword)


def add_password(tx: Connection, asked: Asked) -> PasswordCredential:
    """Make a secret of an application. Nobody can read it again."""
    application, wanted = find_application(tx, asked), asked.body(_AddPassword).password_credential
    end = wanted.end_date_time or asked.now + _SECRET_LIFE
    if end.tzinfo is None:
        raise Problem(Failure.REQUEST_INVALID, reason="endDateTime names no time zone")
    new = New(asked.guid(), asked.now)
    made = applications.add_secret(tx, application.principal_id, new, wanted.display_name or "", end)
    return PasswordCredential(made.id, wanted.display_name, asked.now, made.expires_at, made.hint, made.value)


class _RemovePassword(msgspec.Struct, rename="camel"):
    key_id: str


def remove_password(tx: Connection, asked: Asked) -> None:
    """Take a secret away: what was got by it stops within two seconds."""
    application, key_id = find_application(tx, asked), asked.body(_RemovePassword).key_id
    if "\0" in key_id or not applications.remove_credential(tx, application.principal_id, key_id.lower()):
        raise Problem(Failure.REQUEST_INVALID, reason="No password credential found with keyId.")


def _expect_sound(settings: ApplicationSettings) -> None:
    """Raises REQUEST_INVALID for an address that no sign-in may be sent back to."""
    web = [*settings.web.redirect_uris, *settings.spa.redirect_uris]
    uris = [*web, *settings.public_client.redirect_uris, *settings.identifier_uris]
    if len(uris) > _URIS_LIMIT or any(len(uri) > _URI_LENGTH for uri in uris):
        raise Problem(Failure.REQUEST_INVALID, reason=f"too many addresses, or one of more than {_URI_LENGTH} letters")
    for uri in web:
        if not _is_web_address(uri):
            raise Problem(Failure.REQUEST_INVALID, reason="a redirect URI is https, or http on this machine", uri=uri)
    for uri in settings.public_client.redirect_uris:
        parts = urlsplit(uri)
        if not parts.scheme or parts.scheme in _DANGEROUS or parts.fragment or not uri.isprintable():
            raise Problem(Failure.REQUEST_INVALID, reason="a redirect URI has a scheme and no fragment", uri=uri)
        if parts.scheme in {"http", "https"} and not _is_web_address(uri):
            raise Problem(Failure.REQUEST_INVALID, reason="a redirect URI is https, or http on this machine", uri=uri)


def _is_web_address(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        host = parts.hostname
    except ValueError:
        return False
    if host is None or parts.fragment or "*" in uri or parts.username is not None or not uri.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


def _json(settings: ApplicationSettings) -> str:
    return msgspec.json.encode(settings).decode()
