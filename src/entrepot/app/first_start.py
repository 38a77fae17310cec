"""What a server needs before it serves: a migrated catalog, and on the first start somebody who owns it.

The first start makes tenant, subscription, resource group, the default registry and one service principal that owns
them, and writes ``bootstrap.json`` for whoever reads the data folder (DESIGN section 3).
"""

import uuid
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.access import keyring
from entrepot.access import queries as access
from entrepot.access.builtin_roles import OWNER
from entrepot.access.keys import Use, new_key_id
from entrepot.access.sealing import SealBrokenError
from entrepot.access.secrets import find_secret, generate_secret, hash_secret
from entrepot.app import queries
from entrepot.app.certificates import write_durably
from entrepot.app.parts import hosts_of, open_catalog
from entrepot.app.queries import Root
from entrepot.app.secret_key import make_key_file, open_sealer, provider_secret
from entrepot.catalog.model import OPERATOR, Change
from entrepot.db.database import Database
from entrepot.db.migrate import CatalogTooNewError, migrate
from entrepot.events.audit import Act, record_change
from entrepot.gate.hosts import DEFAULT_REGISTRY
from entrepot.jobs.engine import migrate as migrate_jobs
from entrepot.registries.limits import settle_storage
from entrepot.registries.scope_maps import complete_system_maps
from entrepot.settings import SettingError, Settings

BOOTSTRAP_FILE: Final = "bootstrap.json"
RESOURCE_GROUP: Final = "entrepot"


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What ``bootstrap.json`` says. ``client_secret`` is None when only its owner knows it."""

    endpoint: str
    login_server: str
    tenant_id: str
    subscription_id: str
    resource_group: str
    client_id: str
    client_secret: str | None = field(repr=False)
    ca_file: str | None


def prepare(settings: Settings) -> Bootstrap:
    """Migrate, make the first rows, write ``bootstrap.json``. Twice is safe.

    Raises SettingError for a catalog that is newer than the program and for a file that cannot be read, ``Problem``
    when the catalog does not answer.
    """
    provider_secret(settings)  # before anything is served that would miss it
    database = open_catalog(settings)
    try:
        migrate(database)
        migrate_jobs(database)
        _refuse_half_a_restore(settings, database)
        secret = settings.bootstrap_client_secret
        first = _First(
            settings.region,
            settings.bootstrap_client_id or str(uuid.uuid4()),
            secret.get_secret_value() if secret else generate_secret(),
            given=secret is not None,
        )
        root, client_id, new_secret = database.write(_make_first_rows, first, datetime.now(UTC))
        _complete_keys(settings, database)
        database.write(complete_system_maps, datetime.now(UTC))
        _settle_limits(settings, database)
        database.write(_set_anonymous_pull, settings.anonymous_pull, datetime.now(UTC))
    except CatalogTooNewError as error:
        raise SettingError("database_url" if settings.database_url else "data_dir", str(error)) from error
    finally:
        database.close()
    return _write(settings, root, client_id, new_secret)


def _complete_keys(settings: Settings, database: Database) -> None:
    make_key_file(settings)
    new_key_ids = {use: new_key_id() for use in Use}
    try:
        database.write(keyring.complete, open_sealer(settings), new_key_ids, datetime.now(UTC))
    except SealBrokenError:
        setting = "secret_key" if settings.secret_key else "secret_key_file"
        raise SettingError(setting, "the catalog was encrypted with another key: use that one") from None


def _settle_limits(settings: Settings, database: Database) -> None:
    try:
        database.write(settle_storage, settings.tier_limits)
    except ValueError as error:
        raise SettingError("tier_limits", str(error)) from None


def _refuse_half_a_restore(settings: Settings, database: Database) -> None:
    if database.read(queries.restores):
        setting = "data_dir" if settings.database_url is None else "database_url"
        raise SettingError(setting, "a restore into it has not ended: run `entrepot restore` again, and it goes on")


@dataclass(frozen=True, slots=True)
class _First:
    region: str
    client_id: str
    client_secret: str
    given: bool


def _make_first_rows(tx: Connection, first: _First, now: datetime) -> tuple[Root, str, str | None]:
    """The root, the owner's client id, and its secret if that is known here."""
    root = queries.find_root(tx, DEFAULT_REGISTRY)
    if root is None:
        root = Root(str(uuid.uuid4()), str(uuid.uuid4()), RESOURCE_GROUP, uuid.uuid4().hex)
        queries.insert_root(tx, root, DEFAULT_REGISTRY, first.region, now)
        access.start_epoch(tx)
        _insert_owner(tx, root, first, now)
        return root, first.client_id, first.client_secret
    if first.given:
        _keep_given_owner(tx, root, first, now)
        return root, first.client_id, first.client_secret
    owner = queries.oldest_principal(tx)
    if owner is None:
        raise SettingError("data_dir", "the catalog has no owner any more: run `entrepot recover`")
    return root, owner[1], None


def _insert_owner(tx: Connection, root: Root, first: _First, now: datetime) -> None:
    principal_id = str(uuid.uuid4())
    access.insert_principal(tx, access.ServicePrincipal(principal_id, root.tenant_id, first.client_id, "owner", now))
    access.insert_secret(tx, str(uuid.uuid4()), principal_id, hash_secret(first.client_secret), now)
    scope = f"/subscriptions/{root.subscription_id}"
    access.insert_role(tx, access.Assignment(str(uuid.uuid4()), principal_id, OWNER, scope, now))


def _keep_given_owner(tx: Connection, root: Root, first: _First, now: datetime) -> None:
    """The owner that the settings name exists and its secret is good: settings may change between starts."""
    known = access.find_by_client_id(tx, first.client_id, now)
    if known is None:
        _insert_owner(tx, root, first, now)
    elif find_secret([each.hash for each in known.secrets], first.client_secret) is None:
        access.delete_secrets(tx, known.id)
        access.insert_secret(tx, str(uuid.uuid4()), known.id, hash_secret(first.client_secret), now)
        access.raise_epoch(tx)
        record_change(tx, Change(OPERATOR, now, ""), Act.OWNER_SECRET, known.id, {"clientId": first.client_id})


def _set_anonymous_pull(tx: Connection, allowed: bool, now: datetime) -> None:  # noqa: FBT001  it is the setting's value
    if queries.set_anonymous_pull(tx, DEFAULT_REGISTRY, allowed):
        access.raise_epoch(tx)
        detail = {"anonymousPull": allowed}
        record_change(tx, Change(OPERATOR, now, ""), Act.REGISTRY_SETTING, DEFAULT_REGISTRY, detail)


def _write(settings: Settings, root: Root, client_id: str, secret: str | None) -> Bootstrap:
    path = settings.data_dir / BOOTSTRAP_FILE
    hosts = hosts_of(settings)
    made_ca = not settings.no_tls and settings.tls_cert is None
    bootstrap = Bootstrap(
        endpoint=f"{settings.scheme}://{hosts.endpoint()}",
        login_server=hosts.login_server(DEFAULT_REGISTRY),
        tenant_id=root.tenant_id,
        subscription_id=root.subscription_id,
        resource_group=root.resource_group,
        client_id=client_id,
        client_secret=secret or _secret_written_before(path, client_id),
        ca_file=str((settings.data_dir / "tls" / "ca.crt").absolute()) if made_ca else None,
    )
    document = {_camel(name): value for name, value in asdict(bootstrap).items()}
    write_durably(path, msgspec.json.format(msgspec.json.encode(document)) + b"\n", 0o600)
    return bootstrap


def _secret_written_before(path: Path, client_id: str) -> str | None:
    """A restart does not know the secret any more; the file of the first start does, unless it was taken away."""
    try:
        written = msgspec.json.decode(path.read_bytes(), type=_Written)
    except (OSError, msgspec.DecodeError):
        return None
    return written.client_secret if written.client_id == client_id else None


class _Written(msgspec.Struct, rename="camel"):
    client_id: str
    client_secret: str | None = None


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)
