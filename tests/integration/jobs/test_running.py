"""What a run may do: steps that are remembered, changes that happen once, and nothing once it is in other hands."""

import base64
import os
import pickle
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table, inspect, select, update
from tests.integration.jobs.conftest import Office
from tests.integration.jobs.effects import (
    INPUTS,
    OUTPUTS,
    RUNS,
    STEPS,
    dbos,
    finished,
    note,
    noted,
    statuses,
    take_away,
)
from tests.integration.jobs.workflows import WORK
from tests.services import wait_until

from entrepot.db.database import Database
from entrepot.jobs import queries
from entrepot.jobs.prune import PRUNE
from entrepot.jobs.run import Run


def test_an_execution_that_lost_its_run_does_no_more_and_its_successor_does_it_once(office: Office) -> None:
    """Both are in one process here, so only the token tells them apart."""
    thing = office.thing()
    go = threading.Event()
    ended: list[str] = []

    def work(run: Run) -> None:
        name = threading.current_thread().name
        run.once("begin", note, thing, "begin", name, run.attempt)
        run.step("wait", lambda: go.wait(10))
        run.once("end", note, thing, "end", name, run.attempt)
        ended.append(name)

    office.bodies[thing] = work
    office.wake(WORK, thing)
    wait_until(lambda: len(office.database.read(noted, thing)) == 1, "the first has begun")
    office.database.write(take_away, WORK.key((thing,)))
    office.wait_for(thing, times=2)
    go.set()
    wait_until(lambda: office.database.read(finished, WORK.key((thing,))), "the second has ended")
    assert [(what, attempt) for what, _, attempt in office.database.read(noted, thing)] == [("begin", 1), ("end", 2)]
    assert office.attempts_at(thing) == [1, 2]
    assert len(ended) == 1
    assert office.database.read(statuses, WORK.key((thing,))) == [("SUCCESS", 2)]


def test_a_change_is_refused_in_the_middle_of_a_step_of_a_lost_run(office: Office) -> None:
    thing = office.thing()
    go = threading.Event()

    def act(run: Run) -> None:
        go.wait(10)
        run.write(note, thing, "act", "", run.attempt)

    def work(run: Run) -> None:
        run.step("act", act, run)

    office.bodies[thing] = work
    office.wake(WORK, thing)
    office.wait_for(thing)
    office.database.write(take_away, WORK.key((thing,)))
    office.wait_for(thing, times=2)
    go.set()
    wait_until(lambda: office.database.read(finished, WORK.key((thing,))), "the second has ended")
    assert office.database.read(noted, thing) == [("act", "", 2)]


def test_steps_done_before_are_not_done_again(office: Office) -> None:
    thing = office.thing()
    calls: list[str] = []
    answers: list[object] = []
    begun, go = threading.Event(), threading.Event()

    def outside() -> dict[str, list[int]]:
        calls.append("outside")
        return {"parts": [1, 2]}

    def inside(tx: Connection) -> list[str]:
        note(tx, thing, "inside")
        return ["a", "b"]

    def work(run: Run) -> None:
        answers.append((run.step("outside", outside), run.once("inside", inside)))
        begun.set()
        go.wait(10)

    office.bodies[thing] = work
    office.wake(WORK, thing)
    assert begun.wait(10)
    office.database.write(take_away, WORK.key((thing,)))
    wait_until(lambda: len(answers) == 2, "the second came as far")
    go.set()
    assert answers == [({"parts": [1, 2]}, ["a", "b"])] * 2
    assert calls == ["outside"]
    assert len(office.database.read(noted, thing)) == 1


def test_what_fails_is_kept_without_its_text_and_tried_again_later(office: Office) -> None:
    thing = office.thing()

    def fail_at_first(_: Run) -> None:
        if len(office.attempts_at(thing)) == 1:
            raise ValueError("password=hunter2")

    office.bodies[thing] = fail_at_first
    office.wake(WORK, thing)
    office.wait_for(thing, times=2)
    wait_until(lambda: office.database.read(finished, WORK.key((thing,))), "it ended")
    assert sorted(office.database.read(statuses, WORK.key((thing,)))) == [("ERROR", 1), ("SUCCESS", 1)]

    def errors(tx: Connection) -> list[str]:
        joined = select(OUTPUTS.c.error).join_from(RUNS, OUTPUTS, RUNS.c.workflow_uuid == OUTPUTS.c.workflow_uuid)
        return list(dbos(tx, joined.where(RUNS.c.queue_partition_key == WORK.key((thing,)))).scalars())

    (error,) = filter(None, office.database.read(errors))
    assert "ValueError" in error
    assert "hunter2" not in error


def test_everything_is_kept_as_json(office: Office) -> None:
    thing = office.thing(lambda run: run.step("answer", lambda: {"ok": True}))
    office.wake(WORK, thing)
    wait_until(lambda: office.database.read(finished, WORK.key((thing,))), "it ran")

    def kept(tx: Connection) -> set[str | None]:
        joined = select(RUNS.c.serialization, STEPS.c.serialization).join_from(
            RUNS, STEPS, RUNS.c.workflow_uuid == STEPS.c.workflow_uuid
        )
        row = dbos(tx, joined.where(RUNS.c.queue_partition_key == WORK.key((thing,)))).one()
        return set(row)

    assert office.database.read(kept) == {"portable_json"}


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_a_row_that_says_it_is_pickled_is_not_believed(office: Office, tmp_path: Path) -> None:
    thing = office.thing()
    bomb = base64.b64encode(pickle.dumps({"args": (Bomb(tmp_path / "exploded"),), "kwargs": {}})).decode()

    def plant(tx: Connection) -> None:
        office.jobs.wake(tx, WORK, thing)
        planted = update(RUNS).where(RUNS.c.queue_partition_key == WORK.key((thing,)))
        run_id = dbos(tx, planted.values(serialization="py_pickle").returning(RUNS.c.workflow_uuid)).scalar_one()
        dbos(tx, update(INPUTS).where(INPUTS.c.workflow_uuid == run_id).values(inputs=bomb))

    office.database.write(plant)
    wait_until(lambda: office.database.read(finished, WORK.key((thing,))), "it was refused")
    assert office.database.read(statuses, WORK.key((thing,))) == [("ERROR", 1)]
    assert not (tmp_path / "exploded").exists()
    assert office.attempts_at(thing) == []


def test_rows_of_old_runs_are_deleted_and_younger_ones_stay(office: Office) -> None:
    old, young = office.thing(lambda run: run.step("s", lambda: 1)), office.thing()
    for thing in (old, young):
        office.wake(WORK, thing)
        wait_until(lambda thing=thing: office.database.read(finished, WORK.key((thing,))), "it ran")

    def age(tx: Connection) -> str:
        two_hours_ago = int((datetime.now(UTC) - timedelta(hours=2)).timestamp() * 1000)
        aged = update(RUNS).where(RUNS.c.queue_partition_key == WORK.key((old,))).values(completed_at=two_hours_ago)
        return dbos(tx, aged.returning(RUNS.c.workflow_uuid)).scalar_one()

    run_id = office.database.write(age)
    office.database.write(office.jobs.wake, PRUNE)

    def left(tx: Connection) -> list[Table]:
        tables = (RUNS, INPUTS, OUTPUTS, STEPS)
        return [table for table in tables if dbos(tx, select(table).where(table.c.workflow_uuid == run_id)).first()]

    wait_until(lambda: not office.database.read(left), "it was deleted")
    assert office.database.read(statuses, WORK.key((young,))) == [("SUCCESS", 1)]


@pytest.mark.parametrize("table", (queries.run, queries.run_input, queries.run_output, queries.step), ids=str)
def test_the_tables_that_our_statements_name_are_dbos_s(database: Database, table: Table) -> None:
    schema = None if database.is_sqlite else queries.SCHEMA
    found = {column["name"] for column in inspect(database.engine).get_columns(table.name, schema=schema)}
    assert {column.name for column in table.columns} <= found


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # PostgreSQL plans by the rows that are there
def test_a_look_for_work_reads_only_what_waits(database: Database) -> None:
    statement = queries.Claimable(database, ["test"]).statement
    compiled = statement.compiled(database.engine.dialect)
    values = tuple(compiled.bind({"queue_0": "test"}))
    rows = database.read(lambda tx: tx.exec_driver_sql("EXPLAIN QUERY PLAN " + compiled.sql, values).all())
    plan = [row.detail for row in rows]
    assert not [step for step in plan if step.startswith(("SCAN waiting", "SCAN going"))]
    assert any("idx_workflow_status_in_flight" in step for step in plan)
    assert any("idx_workflow_status_partition_dequeue" in step for step in plan)
