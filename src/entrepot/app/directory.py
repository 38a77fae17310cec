"""What an operator does to the directory on the machine itself: the first people and applications, and the keys.

It works on the catalog, beside a running server or without one; servers see it within two seconds.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Concatenate, Final, ParamSpec, TypeVar

import msgspec
from sqlalchemy import Connection

from entrepot.access import keyring
from entrepot.access.keys import Use
from entrepot.access.queries import signing_keys
from entrepot.access.secrets import hash_secret
from entrepot.app.parts import utc_now
from entrepot.app.secret_key import open_sealer
from entrepot.app.upkeep import open_existing
from entrepot.catalog.model import OPERATOR, Change
from entrepot.errors import Kind as Failure
from entrepot.errors import Problem
from entrepot.events.audit import Act, Detail, record_change
from entrepot.identities import applications, people, queries
from entrepot.identities.federation.credentials import FederatedCredential
from entrepot.identities.model import Application, Credential, Kind, New, NewSecret, Principal, Proof, Tenant
from entrepot.identities.operations import Operation
from entrepot.identities.outside import add_federated
from entrepot.identities.rules import normal, why_weak
from entrepot.identities.signing_in import totp
from entrepot.settings import SettingError, Settings

P = ParamSpec("P")
T = TypeVar("T")

_ISSUER: Final = "Entrepot"


class Directory:
    """The directory of a data folder. Its methods raise SettingError for a catalog never started, and ``Problem``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    # --- people ---

    def add_person(self, upn: str, name: str, password: str, *, must_change: bool) -> Principal:
        _expect_strong(password, upn)
        password_hash, new, first = hash_secret(normal(password)), _new(), _new()

        def add(tx: Connection) -> Principal:
            person = people.add_person(tx, new, _tenant(tx).id, upn, name)
            people.set_password(tx, person, first, password_hash, must_change=must_change)
            _record(tx, Operation.USER_CREATE, person.id, {"user": upn, "mustChange": must_change})
            return person

        return self._write(add)

    def add_outside_person(self, upn: str, name: str) -> Principal:
        """Somebody without a password, whom LDAP or single sign-on signs in."""
        new = _new()

        def add(tx: Connection) -> Principal:
            person = people.add_person(tx, new, _tenant(tx).id, upn, name)
            _record(tx, Operation.USER_CREATE, person.id, {"user": upn, "outside": True})
            return person

        return self._write(add)

    def people(self) -> list[Principal]:
        return self._write(lambda tx: queries.principals_of(tx, _tenant(tx).id, Kind.USER))

    def set_password(self, upn: str, password: str, *, must_change: bool) -> None:
        _expect_strong(password, upn)
        password_hash, new = hash_secret(normal(password)), _new()

        def change(tx: Connection) -> None:
            person = _person(tx, upn)
            people.set_password(tx, person, new, password_hash, must_change=must_change)
            _record(tx, Operation.USER_PASSWORD, person.id, {"user": upn, "mustChange": must_change})

        self._write(change)

    def set_enabled(self, upn: str, enabled: bool) -> None:  # noqa: FBT001  it is the column's value
        def change(tx: Connection) -> None:
            person = _person(tx, upn)
            people.set_enabled(tx, person.id, enabled)
            _record(tx, Operation.USER_ENABLE if enabled else Operation.USER_DISABLE, person.id, {"user": upn})

        self._write(change)

    def add_totp(self, upn: str) -> str:
        """The address that an authenticator reads."""
        key, new, sealer = totp.new_key(), _new(), open_sealer(self._settings)
        sealed = sealer.seal(key, totp.purpose(new.id))

        def add(tx: Connection) -> None:
            person = _person(tx, upn)
            people.set_totp(tx, person.id, new, sealed)
            _record(tx, Operation.USER_AUTHENTICATION_CREATE, person.id, {"user": upn, "keyId": new.id})

        self._write(add)
        return totp.address_of(key, upn, _ISSUER)

    def remove_totp(self, upn: str) -> bool:
        def remove(tx: Connection) -> bool:
            person = _person(tx, upn)
            gone = people.remove_totp(tx, person.id)
            if gone:
                _record(tx, Operation.USER_AUTHENTICATION_DELETE, person.id, {"user": upn})
            return gone

        return self._write(remove)

    # --- applications and managed identities ---

    def add_application(self, name: str, attributes: str) -> tuple[Application, NewSecret]:
        """Ready to sign in, with its first secret."""

        def add(tx: Connection) -> tuple[Application, NewSecret]:
            made = applications.add_application(tx, _ids(), _tenant(tx).id, name, utc_now())
            applications.provision(tx, made.principal_id)
            queries.update_application(tx, made.id, attributes=attributes)
            secret = applications.add_secret(tx, made.principal_id, _new(), "")
            _record(tx, Operation.APPLICATION_CREATE, made.principal_id, {"clientId": made.client_id, "name": name})
            return made, secret

        return self._write(add)

    def applications(self) -> list[tuple[Application, list[Credential]]]:
        kinds = (Proof.SECRET, Proof.CERTIFICATE)
        return self._write(
            lambda tx: [
                (each, queries.credentials_of(tx, each.principal_id, kinds))
                for each in queries.applications_of(tx, _tenant(tx).id)
            ]
        )

    def add_secret(self, client_id: str, name: str, days: int | None) -> NewSecret:
        new = _new()
        ends = None if days is None else new.at + timedelta(days=days)

        def add(tx: Connection) -> NewSecret:
            client = _client(tx, client_id)
            made = applications.add_secret(tx, client.id, new, name, ends)
            _record_credential(tx, client, {"added": made.id, "kind": Proof.SECRET.value, "until": ends})
            return made

        return self._write(add)

    def add_certificate(self, client_id: str, pem: str) -> Credential:
        def add(tx: Connection) -> Credential:
            client = _client(tx, client_id)
            made = applications.add_certificate(tx, client.id, _new(), pem)
            _record_credential(tx, client, {"added": made.id, "kind": made.kind, "until": made.expires_at})
            return made

        return self._write(add)

    def remove_credential(self, client_id: str, credential_id: str) -> bool:
        def remove(tx: Connection) -> bool:
            client = _client(tx, client_id)
            gone = applications.remove_credential(tx, client.id, credential_id)
            if gone:
                _record_credential(tx, client, {"removed": credential_id})
            return gone

        return self._write(remove)

    def add_federated(self, client_id: str, trusted: FederatedCredential) -> None:
        new = _new()

        def add(tx: Connection) -> None:
            client = _client(tx, client_id)
            add_federated(tx, client.id, new, trusted)
            _record_credential(tx, client, {"added": new.id, "kind": "federated", "issuer": trusted.issuer})

        self._write(add)

    def add_managed_identity(self, name: str, *, is_open: bool) -> tuple[Principal, NewSecret]:
        """With the secret of its header. ``is_open``: to every process of this machine, which then needs no header."""

        def add(tx: Connection) -> tuple[Principal, NewSecret]:
            made = applications.add_managed_identity(tx, _ids(), _tenant(tx).id, name, utc_now())
            secret = applications.add_secret(tx, made.id, _new(), "identity header")
            if is_open:
                applications.open_to_machine(tx, made.id, _new())
            told = {"clientId": made.client_id, "name": name, "openToMachine": is_open}
            _record(tx, Operation.MANAGED_IDENTITY_CREATE, made.id, told)
            return made, secret

        return self._write(add)

    # --- keys ---

    def rotate_keys(self) -> datetime:
        """When the new ones begin to sign."""
        now, ids, sealer = utc_now(), _new_key_ids(), open_sealer(self._settings)

        def rotate(tx: Connection) -> None:
            keyring.rotate(tx, sealer, ids, now)
            _record(tx, Act.KEYS_ROTATE, "", {"made": list(ids.values())})

        self._write(rotate)
        return now + keyring.PUBLISHED_BEFORE

    def replace_keys(self) -> None:
        now, ids, sealer = utc_now(), _new_key_ids(), open_sealer(self._settings)

        def replace(tx: Connection) -> None:
            keyring.replace_at_once(tx, sealer, ids, now)
            _record(tx, Act.KEYS_REPLACE, "", {"made": list(ids.values())})

        self._write(replace)

    def signing_keys(self) -> list["KeyLine"]:
        """Those of tokens, newest first."""
        rows = self._write(signing_keys)
        return [
            KeyLine(row.kid, row.use, row.algorithm, row.created_at or utc_now())
            for row in rows
            if Use(row.use) in keyring.TOKEN_USES
        ]

    def _write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        database = open_existing(self._settings)
        try:
            return database.write(work, *args, **kwargs)
        finally:
            database.close()


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A signing key as an operator sees it."""

    kid: str
    use: str
    algorithm: str
    created_at: datetime


def attributes_of(redirect_uris: list[str], *, is_public: bool) -> str:
    """An application's attributes, as Graph writes them."""
    where = "publicClient" if is_public else "web"
    document = {where: {"redirectUris": redirect_uris}, "isFallbackPublicClient": is_public}
    return msgspec.json.encode(document).decode()


def _tenant(tx: Connection) -> Tenant:
    found = queries.tenants(tx)
    if not found:
        raise SettingError("data_dir", "nothing was ever served from this catalog")
    return found[0]


def _person(tx: Connection, upn: str) -> Principal:
    found = people.find_person(tx, upn)
    if found is None:
        raise Problem(Failure.NAME_UNKNOWN, reason="nobody has this user name", user=upn)
    return found


def _client(tx: Connection, client_id: str) -> Principal:
    found = queries.principal_by_client_id(tx, client_id)
    if found is None:
        raise Problem(Failure.NAME_UNKNOWN, reason="no application has this client id", client_id=client_id)
    return found


def _expect_strong(password: str, upn: str) -> None:
    weak = why_weak(normal(password), upn)
    if weak is not None:
        raise Problem(Failure.REQUEST_INVALID, reason=f"this password is weak. {weak}")


def _record(tx: Connection, action: str, target: str, detail: Detail) -> None:
    record_change(tx, Change(OPERATOR, utc_now(), ""), action, target, detail)


def _record_credential(tx: Connection, client: Principal, detail: Detail) -> None:
    _record(tx, Operation.APPLICATION_CREDENTIALS, client.id, {"clientId": client.client_id, **detail})


def _new() -> New:
    return New(str(uuid.uuid4()), utc_now())


def _ids() -> applications.Ids:
    return applications.Ids(str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4()))


def _new_key_ids() -> dict[Use, str]:
    return {use: uuid.uuid4().hex for use in keyring.TOKEN_USES}
