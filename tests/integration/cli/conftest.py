"""The `entrepot` command in this process, on a registry that answers beside it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from tests.registry import Registry, empty_postgres

from entrepot.cli import main
from entrepot.db.access_tables import audit_entry
from entrepot.db.schema import metadata
from entrepot.settings import Settings


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    exit_code: int
    out: str
    error: str


@dataclass(frozen=True)
class Command:
    """``entrepot`` with the settings that name a catalog and its content."""

    flags: tuple[str, ...]
    said: pytest.CaptureFixture[str]

    def __call__(self, *words: str | Path) -> Done:
        self.said.readouterr()
        exit_code = main([*map(str, words), *self.flags])
        told = self.said.readouterr()
        return Done(exit_code, told.out, told.err)

    def succeeds(self, *words: str | Path) -> str:
        done = self(*words)
        assert done.exit_code == 0, done
        return done.out

    def on(self, settings: Settings) -> "Command":
        return replace(self, flags=flags_of(settings))


def flags_of(settings: Settings) -> tuple[str, ...]:
    url = settings.database_url
    database = ("--database-url", url.get_secret_value()) if url else ()
    return ("--data-dir", str(settings.data_dir), *database)


@pytest.fixture
def entrepot(settings: Settings, capfd: pytest.CaptureFixture[str]) -> Command:
    """The command on the test's catalog."""
    return Command(flags_of(settings), capfd)


Look = Callable[[], object]


@pytest.fixture
def everything(registry: Registry) -> Look:
    """Every row of the catalog and every file of the content store, to be compared with a later look."""
    return lambda: (registry.query(_rows), sorted(_files(registry.settings.data_dir / "content")))


def _rows(tx: Connection) -> dict[str, list[tuple[object, ...]]]:
    """But the audit log: a sign-in from before is written a moment later."""
    tables = [table for table in metadata.sorted_tables if table is not audit_entry]
    return {table.name: sorted(map(tuple, tx.execute(select(table))), key=repr) for table in tables}


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path, _, names in os.walk(folder):
        for name in names:
            file = Path(path, name)
            yield str(file.relative_to(folder)), file.read_bytes()


@pytest.fixture
def empty_database(postgres_template: str) -> Iterator[str]:
    with empty_postgres(postgres_template) as url:
        yield url


def file_of(settings: Settings, digest: str) -> Path:
    """The one file of a blob in the content store."""
    (found,) = (settings.data_dir / "content" / "blobs").glob(f"*/*/{digest.partition(':')[2]}.*")
    return found
