"""The page on hostile input names tests: they must be there."""

import ast
import re

import pytest
from tests.architecture.source import ROOT

PAGE = ROOT / "docs" / "concepts" / "hostile-input.md"
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("name", NAMED)
def test_every_test_that_the_page_names_is_there(name: str) -> None:
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert any(found.startswith("test_") for found in tests)
    assert not function or function in tests


def test_every_row_names_a_test() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    assert rows
    assert [row for row in rows if "`tests/" not in row] == []


def test_every_file_of_hostile_requests_is_on_the_page() -> None:
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests/integration/hostile").glob("test_*.py")}
    assert files <= {name.partition("::")[0] for name in NAMED}
