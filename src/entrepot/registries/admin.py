"""The admin account of a registry: off by default, with two passwords that can be shown again (ACR-REFERENCE 4.4).

Its user name is the registry's. Turning it off ends its passwords; turning it on again makes new ones.
"""

from sqlalchemy import Connection

from entrepot.access import queries as access
from entrepot.access.sealing import Sealer
from entrepot.access.secrets import generate_secret, hash_generated
from entrepot.catalog.model import RegistryId
from entrepot.registries import queries
from entrepot.registries.model import AdminPassword, Credentials, Making, Password
from entrepot.registries.queries import NewPrincipal, PasswordRow


def enable_admin(tx: Connection, registry_id: RegistryId, sealer: Sealer, making: Making) -> None:
    """Twice is safe: the passwords stay."""
    found = queries.registry_row(tx, registry_id)
    if found.admin_enabled:
        return
    account = queries.admin_principal(tx, registry_id)
    if account is None:
        account = making.new_id()
        made = NewPrincipal(account, found.tenant_id, "Admin", found.name, registry_id, making.now)
        queries.insert_principal(tx, made)
    queries.delete_passwords(tx, account, tuple(AdminPassword))
    for name in AdminPassword:
        _make_password(tx, account, name, sealer, making)
    queries.set_admin_enabled(tx, registry_id, enabled=True)
    access.raise_epoch(tx)


def disable_admin(tx: Connection, registry_id: RegistryId) -> None:
    """What was got with its passwords ends as well, within two seconds."""
    account = queries.admin_principal(tx, registry_id)
    if account is not None:
        queries.delete_passwords(tx, account, tuple(AdminPassword))
    queries.set_admin_enabled(tx, registry_id, enabled=False)
    access.raise_epoch(tx)


def admin_credentials(tx: Connection, registry_id: RegistryId, sealer: Sealer) -> Credentials | None:
    """User name and both passwords in clear; None while the account is off."""
    found = queries.registry_row(tx, registry_id)
    account = queries.admin_principal(tx, registry_id)
    if account is None or not found.admin_enabled:
        return None
    passwords = [
        Password(row.name, sealer.open(row.body or "", _purpose(row.id)), row.created_at)
        for row in queries.passwords_of(tx, account)
    ]
    return Credentials(found.name, tuple(passwords))


def regenerate_admin_password(
    tx: Connection, registry_id: RegistryId, name: AdminPassword, sealer: Sealer, making: Making
) -> bool:
    """A new value for one of the two; the other one stays good. False while the account is off."""
    account = queries.admin_principal(tx, registry_id)
    if account is None or not queries.registry_row(tx, registry_id).admin_enabled:
        return False
    queries.delete_passwords(tx, account, (name,))
    _make_password(tx, account, name, sealer, making)
    access.raise_epoch(tx)
    return True


def _make_password(tx: Connection, account: str, name: AdminPassword, sealer: Sealer, making: Making) -> None:
    value, made = generate_secret(), making.new_id()
    body = sealer.seal(value, _purpose(made))
    row = PasswordRow(made, name, hash_generated(value), making.now, body=body)
    queries.insert_password(tx, account, "admin", row)


def _purpose(password_id: str) -> str:
    return f"admin password {password_id}"
