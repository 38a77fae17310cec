"""Applications with their service principals, and managed identities: service principals that nobody has a secret of.

Microsoft Graph: application, servicePrincipal, passwordCredential, keyCredential.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import Connection

from entrepot.access.queries import raise_epoch
from entrepot.access.secrets import generate_secret, hash_generated
from entrepot.errors import Kind as Failure
from entrepot.errors import Problem
from entrepot.identities import queries
from entrepot.identities.model import Application, Credential, Kind, New, NewSecret, Principal, Proof, Type
from entrepot.identities.rules import parse_display_name

_HINT: Final = 3  # as Graph shows
_CREDENTIALS_LIMIT: Final = 100
_LEAST_RSA_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of an application that is made: its object's, its service principal's, and its client id."""

    application: str
    principal: str
    client: str


def add_application(tx: Connection, ids: Ids, tenant_id: str, name: str, now: datetime) -> Application:
    """With its service principal, which neither shows nor can sign in until ``provision``. Raises REQUEST_INVALID."""
    checked = parse_display_name(name)
    made = Application(ids.application, ids.principal, tenant_id, ids.client, checked, now)
    queries.insert_principal(
        tx, replace(_service_principal(ids, tenant_id, checked, now, Type.APPLICATION), provisioned=False)
    )
    queries.insert_application(tx, made)
    raise_epoch(tx)
    return made


def provision(tx: Connection, principal_id: str) -> None:
    """The service principal was asked for: from now on it shows and can sign in."""
    queries.update_principal(tx, principal_id, provisioned=True)
    raise_epoch(tx)


def add_managed_identity(tx: Connection, ids: Ids, tenant_id: str, name: str, now: datetime) -> Principal:
    """A service principal without an application. Raises REQUEST_INVALID."""
    made = _service_principal(ids, tenant_id, parse_display_name(name), now, Type.MANAGED_IDENTITY)
    queries.insert_principal(tx, made)
    raise_epoch(tx)
    return made


def open_to_machine(tx: Connection, principal_id: str, new: New) -> None:
    """Let every process of this machine have the managed identity's tokens."""
    made = Credential(new.id, principal_id, Proof.MACHINE.value, "this machine", "", new.at, None, "")
    queries.insert_credential(tx, made)
    raise_epoch(tx)


def _service_principal(ids: Ids, tenant_id: str, name: str, now: datetime, kind: Type) -> Principal:
    return Principal(
        id=ids.principal,
        tenant_id=tenant_id,
        kind=Kind.SERVICE_PRINCIPAL.value,
        name=name,
        enabled=True,
        created_at=now,
        client_id=ids.client,
        type=kind.value,
    )


def add_secret(tx: Connection, principal_id: str, new: New, name: str, expires_at: datetime | None = None) -> NewSecret:
    """One more secret: those before stay good, so that clients can be moved one by one. Its value is never seen again.

    Raises REQUEST_INVALID.
    """
    _expect_room(tx, principal_id)
    if expires_at is not None and expires_at <= new.at:
        raise Problem(Failure.REQUEST_INVALID, reason="the end lies in the past")
    value = generate_secret()
    hint = value[:_HINT]
    queries.insert_credential(
        tx,
        Credential(
            new.id, principal_id, Proof.SECRET.value, name[:255], hint, new.at, expires_at, hash_generated(value)
        ),
    )
    raise_epoch(tx)
    return NewSecret(new.id, value, hint, expires_at)


def add_certificate(tx: Connection, principal_id: str, new: New, pem: str) -> Credential:
    """Whoever has the key of this certificate may sign in until it ends. Raises REQUEST_INVALID."""
    _expect_room(tx, principal_id)
    certificate = _certificate(pem)
    if certificate.not_valid_after_utc <= new.at:
        raise Problem(Failure.REQUEST_INVALID, reason="the certificate has expired")
    made = Credential(
        new.id,
        principal_id,
        Proof.CERTIFICATE.value,
        certificate.subject.rfc4514_string()[:255],
        "",
        new.at,
        certificate.not_valid_after_utc,
        certificate.fingerprint(hashes.SHA256()).hex(),
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
    )
    queries.insert_credential(tx, made)
    raise_epoch(tx)
    return made


def remove_credential(tx: Connection, principal_id: str, credential_id: str) -> bool:
    """It and the tokens that were got by it stop within two seconds. False when there is none."""
    gone = queries.delete_credential(tx, principal_id, credential_id)
    raise_epoch(tx)
    return gone


def _expect_room(tx: Connection, principal_id: str) -> None:
    found = queries.credentials_of(tx, principal_id, (Proof.SECRET, Proof.CERTIFICATE))
    if len(found) >= _CREDENTIALS_LIMIT:
        raise Problem(Failure.REQUEST_INVALID, reason="too many credentials: remove old ones", limit=_CREDENTIALS_LIMIT)


def _certificate(pem: str) -> x509.Certificate:
    """Raises REQUEST_INVALID."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        key = certificate.public_key()
    except ValueError:
        raise Problem(Failure.REQUEST_INVALID, reason="this is no certificate in PEM") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _LEAST_RSA_BITS:
        raise Problem(Failure.REQUEST_INVALID, reason=f"use an RSA key of {_LEAST_RSA_BITS} bits or more")
    return certificate
