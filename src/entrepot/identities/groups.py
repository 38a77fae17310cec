"""Groups: principals that hold others, groups too."""

from datetime import datetime

from sqlalchemy import Connection

from entrepot.access.queries import raise_epoch
from entrepot.errors import Kind as Failure
from entrepot.errors import Problem
from entrepot.identities import queries
from entrepot.identities.model import Kind, Principal
from entrepot.identities.rules import parse_display_name


def add_group(tx: Connection, group_id: str, tenant_id: str, name: str, now: datetime) -> Principal:
    """Raises REQUEST_INVALID."""
    made = Principal(group_id, tenant_id, Kind.GROUP.value, parse_display_name(name), enabled=True, created_at=now)
    queries.insert_principal(tx, made)
    raise_epoch(tx)
    return made


def add_member(tx: Connection, group_id: str, member_id: str) -> None:
    """Twice is as good as once. Raises NAME_UNKNOWN, REQUEST_INVALID."""
    group, member = queries.principal_by_id(tx, group_id), queries.principal_by_id(tx, member_id)
    if group is None or group.kind != Kind.GROUP or member is None:
        raise Problem(Failure.NAME_UNKNOWN, reason="there is no such group or member")
    if member_id == group_id or group.tenant_id != member.tenant_id:
        raise Problem(Failure.REQUEST_INVALID, reason="a group holds others of its tenant, not itself")
    queries.insert_member(tx, group_id, member_id)
    raise_epoch(tx)


def remove_member(tx: Connection, group_id: str, member_id: str) -> bool:
    """False when it was none."""
    removed = queries.delete_member(tx, group_id, member_id)
    raise_epoch(tx)
    return removed


def expand(tx: Connection, principal_id: str) -> frozenset[str]:
    """The principal itself and every group that it is in, however deep."""
    return queries.group_ids_of(tx, principal_id) | {principal_id}
