"""The work of runs: durable, begun again when its worker is lost, and ended once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import msgspec
from sqlalchemy import Connection

from entrepot.catalog.files.queries import set_expiry
from entrepot.jobs.model import Every, Json, Queue, Workflow
from entrepot.jobs.run import Body, Run
from entrepot.tasks.logs import queries as logs
from entrepot.tasks.runs import queries
from entrepot.tasks.runs.attempt import Site, Worked, attempt
from entrepot.tasks.runs.identity import sign_out
from entrepot.tasks.runs.model import Outcome, Status
from entrepot.tasks.runs.queries import RunRow

FORGET: Final = Workflow("tasks.forget", Queue("task-upkeep", at_once=1), schedule=Every(3600))
_AT_A_TIME: Final = 100
_LOG_PIECE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where logs go. ``keep``: makes a file of these bytes for a registry (by its row), which goes after a while unless
    a run names it; its id. ``drop``: removes one.

    ``time``: how long runs are kept that are not archived.
    """

    keep: Callable[[Run, int, Iterable[bytes]], str]
    drop: Callable[[Connection, str, datetime], None]
    time: timedelta


# What else is to be done, in the same transaction, for a run that succeeded.
Succeeded: TypeAlias = Callable[[Connection, RunRow, Outcome], None]


def working(workflow: Workflow, site: Site, keeping: Keeping, succeeded: Succeeded) -> Mapping[Workflow, Body]:
    """The work of runs, for a worker that takes some."""

    def work(run: Run, run_id: int) -> None:
        row = run.read(queries.run_of, run_id)
        if row is None:
            return
        # Always both: a run that goes on elsewhere has the same steps. What has ended is left as it is.
        worked = run.step("work", attempt, run, site, row)
        run.once("finish", _finish, run_id, worked, run.now, succeeded)
        run.step("keep log", _keep_log, run, keeping, row)

    return {workflow: work}


def upkeep(keeping: Keeping) -> Mapping[Workflow, Body]:
    """What goes on beside runs, on any worker."""

    def forget(run: Run) -> None:
        run.step("forget", _forget, run, keeping)

    return {FORGET: forget}


def _finish(tx: Connection, run_id: int, worked: Json, now: datetime, succeeded: Succeeded) -> Json:
    ended = msgspec.convert(worked, Worked)
    row = queries.run_of(tx, run_id)
    if row is not None:
        sign_out(tx, row)
        told = msgspec.json.encode(ended.outcome).decode()
        if queries.finish(tx, run_id, ended.status, told, now) and ended.status is Status.SUCCEEDED:
            succeeded(tx, row, ended.outcome)
    return None


def _keep_log(run: Run, keeping: Keeping, row: RunRow) -> Json:
    """Twice is safe: a log that is a file is left alone, and a file that no run names goes after a while."""
    found = run.read(logs.find_log, row.id)
    if found is None or found.file is not None or not found.length:
        return None

    pieces = (
        run.read(logs.read_log, row.id, start, start + _LOG_PIECE) for start in range(0, found.length, _LOG_PIECE)
    )
    run.write(_name_file, row.id, keeping.keep(run, row.registry_id, pieces))
    return None


def _name_file(tx: Connection, run_id: int, file: str) -> None:
    """A run names the file, so it stays until the run goes."""
    logs.set_file(tx, run_id, file)
    set_expiry(tx, file, None)


def _forget(run: Run, keeping: Keeping) -> Json:
    """Twice is safe: what is gone is gone."""
    before = run.now - keeping.time
    while not run.stopping:
        gone = run.write(_forget_some, keeping, before, run.now)
        if gone < _AT_A_TIME:
            break
    return None


def _forget_some(tx: Connection, keeping: Keeping, before: datetime, now: datetime) -> int:
    count, files = queries.delete_finished(tx, before, _AT_A_TIME)
    for file in files:
        keeping.drop(tx, file, now)
    return count
