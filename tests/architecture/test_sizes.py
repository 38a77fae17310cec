"""How long a function and a file may be (STYLE section 3). An exception is one line here, with its reason."""

import ast
from collections.abc import Iterator

from tests.architecture.source import PACKAGE, ROOT, Source, sources

FUNCTION_LINES = 60
FILE_LINES = 600

# "path::function" -> why splitting it would make it worse.
LONG_FUNCTIONS: dict[str, str] = {}
# path -> the same. Tables and migrations are data and may be long.
LONG_FILES: dict[str, str] = {}

DATA = ("src/entrepot/db/migrations/", "src/entrepot/db/tables.py")


def test_no_function_is_longer_than_sixty_lines() -> None:
    assert _over(dict(_functions()), FUNCTION_LINES, LONG_FUNCTIONS) == []


def test_no_file_is_longer_than_six_hundred_lines() -> None:
    files = {source.name: len(source.text.splitlines()) for source in _measured()}
    assert _over(files, FILE_LINES, LONG_FILES) == []


def test_every_exception_is_still_needed_and_has_a_reason() -> None:
    lines = dict(_functions()) | {source.name: len(source.text.splitlines()) for source in _measured()}
    limits = dict.fromkeys(LONG_FUNCTIONS, FUNCTION_LINES) | dict.fromkeys(LONG_FILES, FILE_LINES)
    assert [name for name, limit in limits.items() if lines.get(name, 0) <= limit] == []
    assert all((LONG_FUNCTIONS | LONG_FILES).values())


def _over(lines: dict[str, int], limit: int, exceptions: dict[str, str]) -> list[str]:
    return [f"{name}: {count} lines" for name, count in lines.items() if count > limit and name not in exceptions]


def _measured() -> Iterator[Source]:
    for folder in (PACKAGE, ROOT / "tests", ROOT / "bench"):
        yield from (source for source in sources(folder) if not source.name.startswith(DATA))


def _functions() -> Iterator[tuple[str, int]]:
    for source in _measured():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{source.name}::{node.name}", _body_lines(node)


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Without signature and docstring, as STYLE measures."""
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    return 0 if not body else (body[-1].end_lineno or 0) - body[0].lineno + 1
