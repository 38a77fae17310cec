"""DBOS, wrapped in one place: nothing else in the house imports it.

Source: DBOS Transact for Python 3.4. It is a singleton of its process, and a few things that this room needs have no
public name yet: the token that an execution owns its run by, the loop that claims from a queue and how many it may
have at once, and two intervals.
tests/unit/jobs names each, so that an upgrade that moves one fails there.
"""

# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false
# The private names are the ones that the docstring lists, and stand only here.

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, TypeVar

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions, Serializer
from dbos import _dbos as runtime
from dbos import _serialization as serialization
from dbos import _workflow_commands as workflow_commands
from dbos._context import assert_current_dbos_context
from dbos._error import DBOSWorkflowConflictIDError
from dbos._queue import Queue as DbosQueue
from dbos._queue import queue_worker_thread
from sqlalchemy import Connection

from entrepot.db.database import Database
from entrepot.jobs.model import Id, Json, Queue, Workflow
from entrepot.jobs.rules import queues_of
from entrepot.jobs.run import Claim

J = TypeVar("J", bound=Json)
Entry: TypeAlias = Callable[..., None]

APPLICATION: Final = "entrepot"
# One for all releases: by default it is a hash of the code, and a new release would not touch what an old one began.
# Bodies therefore keep to STYLE's rule for rows: expand, then contract. A new order of steps is a new workflow name.
VERSION: Final = "1"
# A queue's loop is woken by its bell; this is only how long it would sleep without one.
_UNATTENDED: Final = 60.0
# For what waits until a time. Under the 5 s after which PostgreSQL ends the holder of DBOS's lock for it.
_SWEEP: Final = 4.0
_JSON: Final = DBOSPortableJSONSerializer()


class NoPickle(Serializer):
    """In the place of DBOS's pickle: a row may ask for it, and whoever can write rows could run code in a worker."""

    # Only the error about such a row comes here, so that the row can be put aside.
    def serialize(self, data: Any) -> str:  # noqa: ANN401 - DBOS's signature
        return _JSON.serialize(type(data).__name__)

    # DBOS's abstract method says cls and is called on an instance.
    def deserialize(self, serialized_data: str) -> Any:  # noqa: ANN401 - DBOS's signature
        raise TypeError(f"{len(serialized_data)} characters are not read as a pickle")

    def name(self) -> str:
        return _PICKLE


_PICKLE: Final = serialization.DBOSDefaultSerializer.name()
serialization.DBOSDefaultSerializer = NoPickle()


class Client:
    """DBOS for a process that runs no workflow: enqueues, and makes the tables."""

    def __init__(self, database: Database) -> None:
        _route_logs()
        self._client = DBOSClient(
            system_database_engine=database.engine, serializer=_JSON, application_name=APPLICATION, lazy=True
        )

    def enqueue(self, tx: Connection, workflow: Workflow, ids: tuple[Id, ...]) -> None:
        self._client.enqueue_in_transaction(tx, _options(workflow, ids), *ids)

    def enqueue_as(self, tx: Connection, workflow: Workflow, run_id: str) -> None:
        """Nothing happens when there is, or was, a run of this id."""
        self._client.enqueue_in_transaction(tx, {**_options(workflow, ()), "workflow_id": run_id})

    def enqueue_later(self, tx: Connection, workflow: Workflow, ids: tuple[Id, ...], seconds: float) -> None:
        self._client.enqueue_in_transaction(tx, {**_options(workflow, ids), "delay_seconds": seconds}, *ids)

    def register(self, queue: Queue) -> None:
        """Write down the queue's limits; a partition is a key, so runs of one key never overlap."""
        self._client.register_queue(
            queue.name,
            worker_concurrency=queue.at_once,
            partition_concurrency=1,
            limiter={"limit": queue.rate.limit, "period": queue.rate.seconds} if queue.rate else None,
            polling_interval_sec=_UNATTENDED,
        )

    def migrate(self) -> None:
        self._client._sys_db.run_migrations()  # noqa: SLF001 - DBOS.migrate would open an engine of its own


def migrate(database: Database) -> None:
    """Make DBOS's own tables in the catalog's database, or bring them up to date (on PostgreSQL in a schema ``dbos``).

    To be called under the catalog's migration lock, but outside of any transaction: it opens its own.
    """
    Client(database).migrate()


class Bell(threading.Event):
    """What a queue's loop waits at: it looks when the bell rings, and ends when the event is set."""

    def __init__(self) -> None:
        super().__init__()
        self._rung = threading.Event()

    def ring(self) -> None:
        self._rung.set()

    def set(self) -> None:
        super().set()
        self._rung.set()

    def wait(self, timeout: float | None = None) -> bool:
        self._rung.wait(timeout)
        self._rung.clear()
        return self.is_set()


class Engine:
    """The one DBOS of a worker process: claims runs, starts their entries in threads, and remembers their steps."""

    def __init__(self, database: Database, worker_id: str) -> None:
        _route_logs()
        # Both would be half of what an idle worker costs: a look for new queues, and for runs whose time has come.
        runtime.queue_thread = self._attend
        workflow_commands._BACKGROUND_JOBS_INTERVAL_SEC = _SWEEP  # noqa: SLF001 - the module's docstring
        self._client = Client(database)
        config = DBOSConfig(
            name=APPLICATION,
            application_version=VERSION,
            executor_id=worker_id,
            system_database_engine=database.engine,
            serializer=_JSON,
            run_migrations=False,
            use_listen_notify=False,  # queues are polled in any case, and nothing here sends messages
            log_level="WARNING",
        )
        DBOS(config=config)
        self._bells: dict[str, Bell] = {}
        self._at_once: dict[str, int] = {}

    def start(self, entries: Mapping[Workflow, Entry]) -> None:
        for workflow, entry in entries.items():
            DBOS.workflow(name=workflow.name)(entry)
        for name, queue in queues_of(entries).items():
            self._client.register(queue)
            self._bells[name] = Bell()
            self._at_once[name] = queue.at_once
        DBOS.launch()

    def _attend(self, stopped: threading.Event, dbos: DBOS) -> None:
        """In the place of DBOS's thread, whose loops poll: four times a second costs 4 % of a core for each queue."""
        loops = [
            threading.Thread(target=queue_worker_thread, args=(bell, dbos, self._queue(name)), daemon=True)
            for name, bell in self._bells.items()
        ]
        for loop in loops:
            loop.start()
        stopped.wait()
        self.stop_claiming()
        for loop in loops:
            loop.join()

    def _queue(self, name: str) -> DbosQueue:
        """With the limits that this worker has: what the database has of them is the last worker's that came."""
        queue = DBOS.retrieve_queue(name)
        if queue is None:
            raise RuntimeError(f"{name} is not registered")
        queue.database_backed_queue = False  # or the loop would read them again
        queue._worker_concurrency = self._at_once[name]  # noqa: SLF001 - the module's docstring
        return queue

    def ring(self, queues: Iterable[str]) -> None:
        """Let the loops of these queues claim what waits."""
        for name in queues:
            self._bells[name].ring()

    def stop_claiming(self) -> None:
        for bell in self._bells.values():
            bell.set()

    def end(self) -> None:
        DBOS.destroy(destroy_registry=True)

    # --- for the thread of a run --------------------------------------------------------------------------------------

    @staticmethod
    def claim() -> Claim:
        """By which token the run of this thread is ours: what the claim wrote, not what the row says now."""
        context = assert_current_dbos_context()
        if context.owner_xid is None:
            raise RuntimeError("this thread runs no workflow")
        return Claim(context.workflow_id, context.owner_xid)

    @staticmethod
    def next_number() -> int:
        return DBOS.reserve_step().step_id

    @staticmethod
    def remembered(name: str, call: Callable[[], J]) -> J:
        return DBOS.run_step({"name": name}, call)

    @staticmethod
    def lost(run_id: str) -> BaseException:
        """DBOS knows it: it lets the execution end without writing anything."""
        return DBOSWorkflowConflictIDError(run_id)


def _options(workflow: Workflow, ids: tuple[Id, ...]) -> EnqueueOptions:
    return EnqueueOptions(
        workflow_name=workflow.name, queue_name=workflow.queue.name, queue_partition_key=workflow.key(ids)
    )


def _route_logs() -> None:
    """To the root logger, at warning: with no handler of its own DBOS would add one that writes to the console."""
    logger = logging.getLogger("dbos")
    logger.setLevel(logging.WARNING)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
