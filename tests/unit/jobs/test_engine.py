"""What this room uses of DBOS without a public name for it: an upgrade that moves one of these fails here first."""

import inspect

from dbos import DBOSClient, StepReservation
from dbos import _dbos as runtime
from dbos import _queue as queue
from dbos import _serialization as serialization
from dbos import _workflow_commands as workflow_commands
from dbos._context import DBOSContext
from dbos._core import execute_dequeued_workflow
from dbos._error import DBOSWorkflowConflictIDError

from entrepot.jobs.engine import NoPickle


def test_the_loop_that_claims_takes_an_event_the_instance_and_a_queue() -> None:
    assert list(inspect.signature(queue.queue_worker_thread).parameters) == ["stop_event", "dbos", "queue"]
    assert "stop_event.wait(timeout=" in inspect.getsource(queue.queue_worker_thread)


def test_the_thread_that_starts_the_loops_is_looked_up_at_launch() -> None:
    assert list(inspect.signature(queue.queue_thread).parameters) == ["stop_event", "dbos"]
    assert "target=queue_thread, args=(evt, self)" in inspect.getsource(runtime.DBOS._launch)


def test_the_interval_of_the_sweeps_is_looked_up_when_they_begin() -> None:
    assert isinstance(workflow_commands._BACKGROUND_JOBS_INTERVAL_SEC, float)
    assert "_BACKGROUND_JOBS_INTERVAL_SEC" in inspect.getsource(workflow_commands.background_jobs_thread)


def test_an_execution_knows_the_token_that_it_owns_its_run_by() -> None:
    assert DBOSContext().owner_xid is None
    assert "owner_xid" in inspect.signature(execute_dequeued_workflow).parameters


def test_a_lost_run_is_no_exception_that_a_body_could_catch() -> None:
    assert not issubclass(DBOSWorkflowConflictIDError, Exception)


def test_a_reserved_step_tells_its_number() -> None:
    assert isinstance(StepReservation.step_id, property)


def test_a_client_can_run_the_migrations_on_an_engine_that_is_given() -> None:
    assert "_sys_db" in inspect.getsource(DBOSClient.__init__)


def test_nothing_is_pickled_any_more() -> None:
    assert isinstance(serialization.DBOSDefaultSerializer, NoPickle)
    left = [name for name, value in vars(serialization).items() if isinstance(value, serialization.DefaultSerializer)]
    assert left == []
