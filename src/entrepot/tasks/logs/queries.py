"""SQL of the logs."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from entrepot.db.task_tables import task_log, task_run


@dataclass(frozen=True, slots=True)
class Log:
    """``length``: bytes so far. ``status``: the run's. ``is_whole``: nothing more comes. ``file``: where it lies."""

    length: int
    status: str
    is_whole: bool
    file: str | None


def find_log(tx: Connection, run_id: int) -> Log | None:
    """Of a run by its row's id."""
    row = tx.execute(
        select(task_run.c.log_length, task_run.c.status, task_run.c.finished_at, task_run.c.log_file).where(
            task_run.c.id == run_id
        )
    ).one_or_none()
    return None if row is None else Log(row.log_length, row.status, row.finished_at is not None, row.log_file)


def read_log(tx: Connection, run_id: int, start: int, stop: int) -> bytes:
    """The bytes [start, stop) of a log that is no file yet; fewer where it ends before."""
    first = (
        select(task_log.c.start)
        .where(task_log.c.run_id == run_id, task_log.c.start <= start)
        .order_by(task_log.c.start.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = tx.execute(
        select(task_log.c.start, task_log.c.content)
        .where(task_log.c.run_id == run_id, task_log.c.start >= first, task_log.c.start < stop)
        .order_by(task_log.c.start)
    ).all()
    if not rows:
        return b""
    return b"".join(row.content for row in rows)[start - rows[0].start : stop - rows[0].start]


def append_log(tx: Connection, run_id: int, content: bytes) -> int:
    """Add to the end; the new length."""
    length: int = tx.execute(
        update(task_run)
        .where(task_run.c.id == run_id)
        .values(log_length=task_run.c.log_length + len(content))
        .returning(task_run.c.log_length)
    ).scalar_one()
    tx.execute(insert(task_log).values(run_id=run_id, start=length - len(content), content=content))
    return length


def set_file(tx: Connection, run_id: int, file: str) -> None:
    """From now on the log is this file."""
    tx.execute(update(task_run).where(task_run.c.id == run_id).values(log_file=file))
    tx.execute(delete(task_log).where(task_log.c.run_id == run_id))
