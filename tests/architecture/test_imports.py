"""The import contracts of pyproject.toml, and what import-linter cannot say: names that belong to one kind of file."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports
from tests.architecture.source import ROOT, Source, sources

# What the rest of the house may know of SQLAlchemy: the doors' types and failures, not statements and tables.
SQL_FOR_ALL = {"Connection", "Engine", "Executable", "Row", "Select", "URL", "make_url"}


def test_every_room_imports_downwards_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_logo=True, cache_dir=None)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_sql_is_written_in_db_and_in_files_named_queries_only() -> None:
    outside = [source for source in sources() if not _may_write_sql(source.in_package)]
    assert [f"{source.name}: {name}" for source in outside for name in _sql_names(source)] == []


def test_formats_import_only_the_standard_library_msgspec_and_errors() -> None:
    allowed = {*sys.stdlib_module_names, "msgspec"}
    formats = [source for source in sources() if source.in_package.parts[0] == "oci"]
    foreign = [
        f"{source.name}: {module}"
        for source in formats
        for module, _ in _imports(source)
        if module.partition(".")[0] not in allowed and not module.startswith(("entrepot.oci", "entrepot.errors"))
    ]
    assert foreign == []


def _may_write_sql(path: Path) -> bool:
    return path.parts[0] == "db" or path.name == "queries.py" or "queries" in path.parts


def _sql_names(source: Source) -> Iterator[str]:
    for module, names in _imports(source):
        if module in {"entrepot.db.tables", "sqlalchemy.sql"} or module.startswith("sqlalchemy.dialects"):
            yield module
        elif module == "entrepot.db":
            yield from names & {"tables"}
        elif module == "sqlalchemy":
            yield from (names - SQL_FOR_ALL) if names else {"sqlalchemy"}


def _imports(source: Source) -> Iterator[tuple[str, set[str]]]:
    """Each imported module, with the names taken from it (none for ``import module``)."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                yield from ((alias.name, set()) for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module, {alias.name for alias in names}
            case _:
                pass
