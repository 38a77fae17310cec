"""PostgreSQL as the catalog: an engine whose connections never wait for ever.

The server ends a statement that takes too long. That its machine is gone shows in TCP, and that it hangs, or a proxy
before it does, only in the silence: then the connection is given up here.
"""

from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url

T = TypeVar("T")

_STATEMENT_SECONDS: Final = 60
# A server that works would have ended the statement by then.
SILENCE_SECONDS: Final = _STATEMENT_SECONDS + 15
_CONNECT: Final = {
    "connect_timeout": 5,
    # The system would wait for a quarter of an hour, or for two hours where nothing was sent.
    "tcp_user_timeout": 20_000,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # A page is read sooner than workers of PostgreSQL have begun to read it together (bench/lists.py).
    "options": f"-c statement_timeout={_STATEMENT_SECONDS}s -c idle_in_transaction_session_timeout=60s"
    " -c max_parallel_workers_per_gather=0",
}


class ImpatientConnection(psycopg.Connection):
    """A connection that is closed when it does not answer; to SQLAlchemy it is then a broken one."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Where psycopg waits for everything; it asks for a ``timeout`` of its own to cancel a statement."""
        try:
            return super().wait(gen, interval, SILENCE_SECONDS if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.info.transaction_status == TransactionStatus.ACTIVE:
                self.close()  # an answer that comes later must not be taken for another statement's
            raise


def open_postgresql(url: str, pool_size: int) -> Engine:
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=30,
        connect_args=_CONNECT,
    )

    @event.listens_for(engine, "do_connect")
    def connect(  # pyright: ignore[reportUnusedFunction]  the event calls it
        _dialect: object, _record: object, positional: list[Any], named: dict[str, Any]
    ) -> ImpatientConnection:
        return ImpatientConnection.connect(*positional, **named)

    return engine
