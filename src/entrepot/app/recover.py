"""A new secret for the owner, from the machine itself: for whoever lost it but has the data folder and the catalog."""

import uuid
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from entrepot.access import queries as access
from entrepot.access.builtin_roles import OWNER
from entrepot.access.secrets import generate_secret, hash_secret
from entrepot.app import queries
from entrepot.app.certificates import write_durably
from entrepot.app.first_start import BOOTSTRAP_FILE
from entrepot.app.parts import utc_now
from entrepot.app.upkeep import open_existing
from entrepot.catalog.model import OPERATOR, Change
from entrepot.events.audit import Act, record_change
from entrepot.gate.hosts import DEFAULT_REGISTRY
from entrepot.settings import SettingError, Settings


def recover(settings: Settings) -> tuple[str, str]:
    """Give the owner a new secret; the old ones stop within two seconds. Answers client id and secret.

    Raises SettingError for a catalog that was never started, ``Problem``.
    """
    secret = generate_secret()
    database = open_existing(settings)
    try:
        client_id = database.write(_replace_secret, hash_secret(secret), utc_now())
    finally:
        database.close()
    _update_bootstrap(settings, client_id, secret)
    return client_id, secret


def _replace_secret(tx: Connection, secret_hash: str, now: datetime) -> str:
    root = queries.find_root(tx, DEFAULT_REGISTRY)
    if root is None:
        raise SettingError("data_dir", "nothing was ever served from this catalog")
    owner = queries.oldest_principal(tx)
    if owner is None:
        principal_id, client_id = str(uuid.uuid4()), str(uuid.uuid4())
        access.insert_principal(tx, access.ServicePrincipal(principal_id, root.tenant_id, client_id, "owner", now))
        scope = f"/subscriptions/{root.subscription_id}"
        access.insert_role(tx, access.Assignment(str(uuid.uuid4()), principal_id, OWNER, scope, now))
    else:
        principal_id, client_id = owner
        access.enable_principal(tx, principal_id)
    access.delete_secrets(tx, principal_id)
    access.insert_secret(tx, str(uuid.uuid4()), principal_id, secret_hash, now)
    access.raise_epoch(tx)
    record_change(tx, Change(OPERATOR, now, ""), Act.OWNER_SECRET, principal_id, {"clientId": client_id})
    return client_id


def _update_bootstrap(settings: Settings, client_id: str, secret: str) -> None:
    path = settings.data_dir / BOOTSTRAP_FILE
    try:
        written = msgspec.json.decode(path.read_bytes(), type=dict[str, str | None])
    except (OSError, msgspec.DecodeError):
        written = {}
    written |= {"clientId": client_id, "clientSecret": secret}
    write_durably(path, msgspec.json.format(msgspec.json.encode(written)) + b"\n", 0o600)
