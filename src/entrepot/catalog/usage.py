"""What a registry uses, changed in the transaction of the change itself, and held to its limit there (D15).

Whoever fills a registry past a share of its limit writes that down once: an event of the registry, an audit entry. The
figure is exact and its row is locked, so two pushes cannot both be the one that crosses; again only after it fell
below.
"""

from datetime import datetime
from typing import Final
from uuid import NAMESPACE_OID, uuid5

import msgspec
from sqlalchemy import Connection

from entrepot.catalog import queries
from entrepot.catalog.metrics import STORAGE_WARNINGS
from entrepot.catalog.model import SERVER, Change, RegistryId
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Act, record_change
from entrepot.events.outbox import Action, Event, record

WARNINGS: Final = (80, 95)  # percent


def add(tx: Connection, registry: RegistryId, size: int, now: datetime) -> None:
    """Raises QUOTA_EXCEEDED when the registry would hold more than it may."""
    if size == 0:
        return
    used, limit = queries.add_usage(tx, registry, size)
    if limit is None:
        return
    if used > limit:
        raise Problem(Kind.QUOTA_EXCEEDED, used_bytes=used - size, limit_bytes=limit)
    for percent in WARNINGS:
        if (used - size) * 100 < limit * percent <= used * 100:
            _warn(tx, registry, _Warning(percent, used, limit), now)


def free(tx: Connection, registry: RegistryId, size: int) -> None:
    """That is never refused."""
    if size:
        queries.add_usage(tx, registry, -size)


class _Warning(msgspec.Struct, rename="camel"):
    percent: int
    used_bytes: int
    limit_bytes: int


def _warn(tx: Connection, registry: RegistryId, warning: _Warning, now: datetime) -> None:
    name, rid, sequence = queries.next_of_registry(tx, registry)
    event_id = uuid5(NAMESPACE_OID, f"{rid} {sequence}").hex
    body = msgspec.json.encode(warning).decode()
    # No repository has a number below 0: what happens to a registry itself has its order under minus its own.
    record(tx, Event(event_id, registry, -registry, sequence, Action.STORAGE_WARNING, now, SERVER, body))
    change = Change(SERVER, now, event_id)
    record_change(tx, change, Act.STORAGE_WARNING, name, msgspec.to_builtins(warning))
    # A push that fails after this is counted, and leaves neither of the rows.
    STORAGE_WARNINGS.labels(str(warning.percent)).inc()
