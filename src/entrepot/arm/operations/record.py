"""The life of a long operation: begun in the transaction that causes the work, ended by the work's last step.

Its row outlives a restart, and a while after its end it still answers.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.arm.descriptor import Ask
from entrepot.arm.operations import queries
from entrepot.arm.operations.queries import OperationRow
from entrepot.arm.problems import Stated, state
from entrepot.errors import Kind, Problem
from entrepot.jobs.run import PASSING, Run

# How long an ended operation still answers.
KEPT: Final = timedelta(days=7)


class Doing(StrEnum):
    """What an operation is at, as its status says (ACR-REFERENCE 6.2)."""

    CREATING = "Creating"
    UPDATING = "Updating"
    DELETING = "Deleting"
    ACCEPTED = "Accepted"


class Outcome(StrEnum):
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


def begin(tx: Connection, ask: Ask, what: str, doing: Doing) -> str:
    """Write down that work on the asked resource begins; the operation's id. ``what`` begins the id: ``registries``."""
    operation_id = f"{what}-{ask.new_id()}"
    row = OperationRow(operation_id, ask.id, ask.caller.principal, doing, ask.now, None, "{}", None)
    queries.insert_operation(tx, row)
    return operation_id


def tell(tx: Connection, operation_id: str, progress: Mapping[str, str | int]) -> None:
    """What its clients see on the way."""
    queries.set_progress(tx, operation_id, msgspec.json.encode(progress).decode())


def conclude(run: Run, operation_id: str, work: Callable[[], object]) -> None:
    """Do the operation's work in this run, then end it: as failed, when the work raises what another try would too."""
    try:
        work()
    except Problem as problem:
        if problem.kind in PASSING:
            raise
        run.once("fail", _end, operation_id, run, problem)
        return
    run.once("succeed", _end, operation_id, run, None)


def _end(tx: Connection, operation_id: str, run: Run, problem: Problem | None) -> None:
    end(tx, operation_id, Outcome.SUCCEEDED if problem is None else Outcome.FAILED, run.now, problem)


def end(tx: Connection, operation_id: str, outcome: Outcome, now: datetime, problem: Problem | None) -> None:
    """For work that is written down in rows of its own. Nothing happens to an operation that has ended."""
    error = None if problem is None else msgspec.json.encode(state(problem, operation_id)).decode()
    queries.end_operation(tx, operation_id, outcome, error, now)


def error_of(row: OperationRow) -> Stated | None:
    """Why it failed."""
    return None if row.error is None else msgspec.json.decode(row.error, type=Stated)


def find(tx: Connection, operation_id: str, subscription: str) -> OperationRow:
    """Raises RESOURCE_UNKNOWN, also for one of another subscription."""
    row = queries.find_operation(tx, operation_id) if "\0" not in operation_id else None
    if row is None or not row.resource_id.lower().startswith(f"/subscriptions/{subscription}/".lower()):
        raise absent(operation_id)
    return row


def absent(operation_id: str) -> Problem:
    """That there is no such operation, or none for this caller."""
    reason = f"The operation '{operation_id[:96]}' was not found: its result is kept for {KEPT.days} days."
    return Problem(Kind.RESOURCE_UNKNOWN, code="OperationNotFound", reason=reason)
