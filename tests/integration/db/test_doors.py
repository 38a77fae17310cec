"""What the doors do when PostgreSQL's connection breaks under them."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from entrepot.db.database import Database, open_database
from entrepot.errors import Kind, Problem


@pytest.fixture
def database(postgres_settings: dict[str, Any], tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(postgres_settings["database_url"].get_secret_value(), tmp_path)) as opened:
        yield opened


class Work:
    """Counts how often it runs; the first time it breaks its own connection, before its statement or after it."""

    def __init__(self, *, breaks_first: bool) -> None:
        self.runs = 0
        self._breaks_first = breaks_first

    def __call__(self, tx: Connection) -> int:
        self.runs += 1
        if self._breaks_first:
            self._break(tx)
        answer = tx.execute(text("SELECT 42")).scalar_one()
        if not self._breaks_first:
            self._break(tx)
        return answer

    def _break(self, tx: Connection) -> None:
        driver = tx.connection.driver_connection
        assert driver is not None
        if self.runs == 1:
            with socket.socket(fileno=os.dup(driver.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)


def test_a_write_whose_connection_broke_before_commit_runs_again(database: Database) -> None:
    work = Work(breaks_first=True)
    assert database.write(work) == 42
    assert work.runs == 2


def test_a_write_whose_connection_broke_at_commit_is_told_and_does_not_run_again(database: Database) -> None:
    work = Work(breaks_first=False)
    with pytest.raises(Problem) as told:
        database.write(work)
    assert told.value.kind is Kind.CATALOG_UNAVAILABLE
    assert work.runs == 1


def test_a_read_whose_connection_broke_runs_again(database: Database) -> None:
    work = Work(breaks_first=True)
    assert database.read(work) == 42
    assert work.runs == 2
