"""SQL of cache rules and credential sets."""

from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from entrepot.arm.identities import Identity, read_identity, write_identity
from entrepot.caching.model import Rule
from entrepot.db import cache_tables as tables
from entrepot.db.cache_tables import cache_rule
from entrepot.db.tables import repository
from entrepot.errors import Kind, Problem

# --- rules ------------------------------------------------------------------------------------------------------------


class RuleRow(NamedTuple):
    """``credential_set``: its name."""

    rule: Rule
    credential_set: str | None
    created_at: datetime
    updated_at: datetime


_OF_RULE: Final = tuple(cache_rule.c[name] for name in Rule._fields)
_RULES: Final = select(
    *_OF_RULE, tables.credential_set.c.name, cache_rule.c.created_at, cache_rule.c.updated_at
).outerjoin_from(cache_rule, tables.credential_set, tables.credential_set.c.id == cache_rule.c.credential_set_id)


def rules_of(tx: Connection, registry_id: int) -> list[Rule]:
    """All of a registry's."""
    rows = tx.execute(select(*_OF_RULE).where(cache_rule.c.registry_id == registry_id).order_by(cache_rule.c.key))
    return [Rule(*row) for row in rows]


def find_rule(tx: Connection, registry_id: int, name: str) -> RuleRow | None:
    """Names compare without case."""
    row = tx.execute(
        _RULES.where(cache_rule.c.registry_id == registry_id, cache_rule.c.key == name.lower())
    ).one_or_none()
    return None if row is None else _rule(row)


def rules(tx: Connection, registry_id: int, after: str, limit: int) -> list[RuleRow]:
    """In the order of their names, in lower case."""
    ours = _RULES.where(cache_rule.c.registry_id == registry_id, cache_rule.c.key > after)
    return [_rule(row) for row in tx.execute(ours.order_by(cache_rule.c.key).limit(limit))]


def _rule(row: Row[*tuple[Any, ...]]) -> RuleRow:
    *of_rule, name, created_at, updated_at = row
    return RuleRow(Rule(*of_rule), name, created_at, updated_at)


def insert_rule(tx: Connection, rule: Rule, now: datetime) -> None:
    """Its id is the database's."""
    values = {name: value for name, value in rule._asdict().items() if name != "id"}
    tx.execute(insert(cache_rule).values(key=rule.name.lower(), created_at=now, updated_at=now, **values))


def set_credential_set(tx: Connection, rule_id: int, credential_set_id: int | None, now: datetime) -> None:
    values = {"credential_set_id": credential_set_id, "updated_at": now}
    tx.execute(update(cache_rule).where(cache_rule.c.id == rule_id).values(values))


def delete_rule(tx: Connection, rule_id: int) -> None:
    tx.execute(delete(cache_rule).where(cache_rule.c.id == rule_id))


def has_repository(tx: Connection, registry_id: int, name: str) -> bool:
    """Whether there is one that anybody sees: with nothing in it, it is none."""
    named = (repository.c.registry_id == registry_id, repository.c.name == name, repository.c.manifest_count > 0)
    return tx.execute(select(repository.c.id).where(*named)).one_or_none() is not None


# --- credential sets --------------------------------------------------------------------------------------------------


class _Credentials(msgspec.Struct):
    """Addresses of secrets."""

    username: str
    password: str


class SetIdentity(NamedTuple):
    """Whom a vault knows a credential set as."""

    principal: str
    client: str = ""


class SetValues(NamedTuple):
    """What of a credential set can be changed."""

    username_url: str
    password_url: str
    owned: Identity | None
    updated_at: datetime


class CredentialSetRow(NamedTuple):
    """``login_server``: host and port. ``username_url``, ``password_url``: of secrets. ``owned``: who it is."""

    id: int
    registry_id: int
    name: str
    login_server: str
    username_url: str
    password_url: str
    owned: Identity | None
    created_at: datetime
    updated_at: datetime

    @property
    def identity(self) -> str:
        """The object id of the identity; empty without one."""
        return "" if self.owned is None or self.owned.principal_id is None else self.owned.principal_id

    @property
    def reader(self) -> SetIdentity:
        return SetIdentity(self.identity)


_SETS: Final = select(
    tables.credential_set.c.id,
    tables.credential_set.c.registry_id,
    tables.credential_set.c.name,
    tables.credential_set.c.login_server,
    tables.credential_set.c.credentials,
    tables.credential_set.c.identity,
    tables.credential_set.c.created_at,
    tables.credential_set.c.updated_at,
)


def credential_set(tx: Connection, set_id: int) -> CredentialSetRow:
    """The one that a rule names. Raises SOURCE_FAILED: a rule may be remembered longer than its set is there."""
    found = _sets(tx, _SETS.where(tables.credential_set.c.id == set_id))
    if not found:
        raise Problem(Kind.SOURCE_FAILED, reason="The cache rule's credential set was deleted: try again.", status=0)
    return found[0]


def find_credential_set(tx: Connection, registry_id: int, name: str) -> CredentialSetRow | None:
    """Names compare without case."""
    named = _SETS.where(tables.credential_set.c.registry_id == registry_id, tables.credential_set.c.key == name.lower())
    return next(iter(_sets(tx, named)), None)


def credential_sets(tx: Connection, registry_id: int, after: str, limit: int) -> list[CredentialSetRow]:
    """In the order of their names, in lower case."""
    ours = _SETS.where(tables.credential_set.c.registry_id == registry_id, tables.credential_set.c.key > after)
    return _sets(tx, ours.order_by(tables.credential_set.c.key).limit(limit))


def _sets(tx: Connection, wanted: Select[*tuple[Any, ...]]) -> list[CredentialSetRow]:
    return [_set(row) for row in tx.execute(wanted)]


def _set(row: Row[*tuple[Any, ...]]) -> CredentialSetRow:
    urls = msgspec.json.decode(row.credentials, type=_Credentials)
    return CredentialSetRow(
        id=row.id,
        registry_id=row.registry_id,
        name=row.name,
        login_server=row.login_server,
        username_url=urls.username,
        password_url=urls.password,
        owned=read_identity(row.identity),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def insert_credential_set(tx: Connection, registry_id: int, name: str, login_server: str, values: SetValues) -> None:
    tx.execute(
        insert(tables.credential_set).values(
            registry_id=registry_id,
            key=name.lower(),
            name=name,
            login_server=login_server,
            created_at=values.updated_at,
            **_written(values),
        )
    )


def update_credential_set(tx: Connection, set_id: int, values: SetValues) -> None:
    tx.execute(update(tables.credential_set).where(tables.credential_set.c.id == set_id).values(_written(values)))


def _written(values: SetValues) -> dict[str, Any]:
    credentials = msgspec.json.encode(_Credentials(values.username_url, values.password_url)).decode()
    return {
        "credentials": credentials,
        "identity": write_identity(values.owned),
        "updated_at": values.updated_at,
    }


def delete_credential_set(tx: Connection, set_id: int) -> None:
    tx.execute(delete(tables.credential_set).where(tables.credential_set.c.id == set_id))


def rule_that_names(tx: Connection, set_id: int) -> str | None:
    """The name of one of the rules that use the set."""
    using = select(cache_rule.c.name).where(cache_rule.c.credential_set_id == set_id).order_by(cache_rule.c.key)
    return tx.execute(using.limit(1)).scalar_one_or_none()
