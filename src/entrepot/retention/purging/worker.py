"""The workflow of purges: one run of it at a time works on all of them in turn; what is done is in their rows.

A worker that dies leaves the rows, and the next goes on with them.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
import structlog
from msgspec.structs import replace
from sqlalchemy import Connection
from structlog.typing import FilteringBoundLogger

from entrepot.arm.operations.record import Outcome, end, tell
from entrepot.arm.problems import state as stated
from entrepot.catalog.model import Change, Place, RegistryId
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Origin
from entrepot.jobs.model import Json, Workflow
from entrepot.jobs.run import PASSING, Body, HandedBack, Run
from entrepot.oci.reference import RepositoryName
from entrepot.retention.pacing import Pacer
from entrepot.retention.purging import queries
from entrepot.retention.purging.begin import PURGE, start_due
from entrepot.retention.purging.deleting import Deleting
from entrepot.retention.purging.model import LastRun, Plan, Reason, Stage, State, moment
from entrepot.retention.purging.queries import PurgeRow
from entrepot.retention.purging.rules import terms_of
from entrepot.retention.purging.share import expect_share
from entrepot.retention.purging.walk import Judged, Walk

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.retention")

# What looks again at one thing and deletes it, or not.
_Delete = Callable[[Connection, Place], Reason]


@dataclass(frozen=True, slots=True)
class Habits:
    """``rate``: deletions per second. ``page``: of what is looked at. ``turn``: seconds of one run, before others."""

    rate: float = 200.0
    page: int = 500
    turn: float = 20.0


class CanceledError(Exception):
    """Somebody ended the run, or deleted its rule."""


@dataclass(frozen=True, slots=True)
class Works:
    """What a run is done with."""

    run: Run
    new_id: Callable[[], str]
    habits: Habits
    pacer: Pacer


def workflows(new_id: Callable[[], str], habits: Habits | None = None) -> Mapping[Workflow, Body]:
    """What a job worker runs."""
    chosen = habits or Habits()

    def work(run: Run) -> None:
        run.step("purge", _work, Works(run, new_id, chosen, Pacer(chosen.rate, run.pause)))

    return {PURGE: work}


def _work(works: Works) -> Json:
    """Twice is safe: it goes on where the rows say."""
    run = works.run
    while not run.stopping:
        run.patiently(lambda: run.write(start_due, run.now, works.new_id))
        going = run.read(queries.purges)
        if not going:
            return None
        for row in going:
            Purge(works, row).take_turn()
    raise HandedBack


class Purge:
    """One turn of one run."""

    def __init__(self, works: Works, row: PurgeRow) -> None:
        self._works, self._run, self._row = works, works.run, row
        self._plan, self._state = Plan.read(row.plan), State.read(row.state)
        plan = self._plan
        self._walk = Walk(
            RegistryId(plan.registry), terms_of(plan.selection, plan.started), replace(self._state.position)
        )
        origin = Origin(method="purge", registry=plan.registry_name, request_id=row.operation_id)
        self._deleting = Deleting(
            self._walk.terms, lambda: Change(plan.principal, self._run.now, works.new_id(), origin)
        )

    def take_turn(self) -> None:
        """Go on for a while, or to the end."""
        end_of_turn = time.monotonic() + self._works.habits.turn
        try:
            while self._step():
                if time.monotonic() > end_of_turn:
                    return
            self._end(Outcome.SUCCEEDED, None)
        except CanceledError:
            self._end(Outcome.CANCELED, None)
        except Problem as problem:
            if problem.kind in PASSING:
                raise
            self._end(Outcome.FAILED, problem)
        except Exception:  # a worker loop: one run that fails shall not stop all others
            log.exception("purge_failed", operation=self._row.operation_id)
            self._end(Outcome.FAILED, Problem(Kind.INTERNAL))

    def _step(self) -> bool:
        """Whether there is more to do."""
        plan = self._plan
        if self._row.canceled:
            raise CanceledError
        if not self._state.is_planned:
            if plan.max_share is not None and not plan.dry_run:
                expect_share(self._next_page, self._walk, plan.max_share)
            self._state.is_planned = True
        elif self._walk.position.stage is Stage.MANIFESTS and not plan.dry_run:
            self._round_of_manifests()
        else:
            was_done = self._walk.position.stage is Stage.DONE
            judged = self._next_page(self._walk)
            if judged is None:
                return False
            self._state.repositories += was_done and self._walk.position.stage is not Stage.DONE
            self._settle(judged)
        self._state.position = replace(self._walk.position)
        self._run.write(self._told)
        return True

    def _next_page(self, walk: Walk) -> list[Judged] | None:
        if self._run.stopping:
            raise HandedBack
        return self._run.read(walk.step, self._works.habits.page)

    def _settle(self, judged: list[Judged]) -> None:
        """Delete the tags that are due, or only count them."""
        found = Counter[Reason]()
        for each in judged:
            reason = each.reason
            if each.is_due and self._plan.dry_run:
                self._state = self._state.counting(is_tag=each.tag is not None)
            elif each.is_due:
                reason = self._delete(each.repository, partial(self._deleting.tag, judged=each), is_tag=True)
            found[reason] += 1
        _merge(self._state.kept, found)

    def _round_of_manifests(self) -> None:
        """The next of those without a tag. Rounds go on until one finds none: what kept others may be gone by then."""
        position, size, found = self._walk.position, self._works.habits.page, Counter[Reason]()
        repository = self._run.read(queries.find_repository, self._walk.registry, position.repository)
        rows = [] if repository is None else self._run.read(queries.untagged, repository.id, position.name, size)
        for row, around in rows:
            is_writable = repository is not None and repository.write_enabled
            reason = self._walk.terms.manifest(row, around, is_writable=is_writable)
            if reason is Reason.DUE:
                delete = partial(self._deleting.manifest, judged=row)
                reason = self._delete(position.repository, delete, is_tag=False)
                position.changed = position.changed or reason is Reason.DUE
            found[reason] += 1
        state = self._state
        _merge(state.kept_in_round, found)
        if len(rows) == size:
            position.name = rows[-1][0].digest
        elif position.changed:
            position.name, position.changed, state.kept_in_round = "", False, {}
        else:
            _merge(state.kept, {Reason(reason): count for reason, count in state.kept_in_round.items()})
            position.stage, state.kept_in_round = Stage.DONE, {}

    # --- in one transaction each --------------------------------------------------------------------------------------

    def _delete(self, repository: str, delete: _Delete, *, is_tag: bool) -> Reason:
        """The reason for which it goes, or after all stays."""
        if self._run.stopping:
            raise HandedBack
        place = Place(self._walk.registry, RepositoryName(repository))
        reason = self._run.write(self._deleted, place, delete, is_tag=is_tag)
        if reason is Reason.DUE:
            self._state = self._state.counting(is_tag=is_tag)
            self._works.pacer.spend(1)
        return reason

    def _deleted(self, tx: Connection, place: Place, delete: _Delete, *, is_tag: bool) -> Reason:
        """With the count that tells of it, in the middle of a page."""
        reason = delete(tx, place)
        self._write_state(tx, self._state.counting(is_tag=is_tag) if reason is Reason.DUE else self._state)
        return reason

    def _told(self, tx: Connection) -> None:
        self._write_state(tx, self._state)
        tell(tx, self._row.operation_id, self._progress())

    def _write_state(self, tx: Connection, state: State) -> None:
        """Raises CanceledError."""
        if not queries.set_state(tx, self._row.operation_id, msgspec.json.encode(state).decode()):
            raise CanceledError

    def _progress(self) -> dict[str, str | int]:
        state = self._state
        told: dict[str, str | int] = {"deletedTags": state.tags, "deletedManifests": state.manifests}
        return {**told, "kept": sum(state.kept.values()), "repository": state.position.repository}

    def _end(self, outcome: Outcome, problem: Problem | None) -> None:
        self._run.write(self._ended, outcome, problem)

    def _ended(self, tx: Connection, outcome: Outcome, problem: Problem | None) -> None:
        operation, now, done = self._row.operation_id, self._run.now, self._state
        tell(tx, operation, self._progress())
        end(tx, operation, outcome, now, problem)
        last = LastRun(
            operation=operation,
            status=outcome,
            start_time=moment(self._plan.started),
            end_time=moment(now),
            deleted_tags=done.tags,
            deleted_manifests=done.manifests,
            repositories=done.repositories,
            kept=done.kept,
            dry_run=self._plan.dry_run,
            error=None if problem is None else stated(problem, operation).error.message,
        )
        queries.delete_purge(tx, self._row, msgspec.json.encode(last).decode())


def _merge(counts: dict[str, int], more: Mapping[Reason, int]) -> None:
    """What goes is counted elsewhere."""
    for reason, count in more.items():
        if reason is not Reason.DUE:
            counts[reason] = counts.get(reason, 0) + count
