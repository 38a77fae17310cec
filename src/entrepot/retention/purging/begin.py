"""A run begins: asked for, or by its rule's schedule. A rule has one at a time."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.arm.operations.queries import OperationRow, insert_operation
from entrepot.arm.operations.record import Doing
from entrepot.catalog.model import SERVER
from entrepot.jobs.model import Every, Queue, Workflow
from entrepot.retention.purging import queries
from entrepot.retention.purging.model import Plan, Selection, Settings, State
from entrepot.retention.purging.queries import PurgeRow
from entrepot.retention.purging.rules import next_run

# It works on all runs that are going, and starts those whose time has come.
PURGE: Final = Workflow("purging.work", Queue("purging", at_once=1), Every(60))
PREFIX: Final = "purgeRules"
_AT_ONCE: Final = 100


def plan_run(tx: Connection, operation_id: str, rule_id: int, plan: Plan) -> None:
    texts = (msgspec.json.encode(each).decode() for each in (plan, State()))
    queries.insert_purge(tx, PurgeRow(operation_id, rule_id, *texts, canceled=False))


def start_due(tx: Connection, now: datetime, new_id: Callable[[], str]) -> None:
    """One run for each rule whose time has come, however often it came; none while one is still going."""
    for rule in queries.due_rules(tx, now, _AT_ONCE):
        settings = msgspec.json.decode(rule.settings, type=Settings)
        queries.set_due(tx, rule.id, next_run(settings.schedule, now))
        if rule.running is not None:
            continue
        operation_id = f"{PREFIX}-{new_id()}"
        insert_operation(
            tx, OperationRow(operation_id, rule.resource_id, SERVER, Doing.ACCEPTED, now, None, "{}", None)
        )
        plan = Plan(rule.registry_id, rule.registry_name, selection_of(settings), now, SERVER, settings.max_share)
        plan_run(tx, operation_id, rule.id, plan)


def selection_of(settings: Settings) -> Selection:
    """What a rule selects, without when and how far."""
    return Selection(**{name: getattr(settings, name) for name in Selection.__struct_fields__})
