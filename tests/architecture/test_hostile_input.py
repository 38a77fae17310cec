"""The pages on hostile input and on what keeps runs apart name tests: they must be there."""

import ast
import re
from pathlib import Path

import pytest
from tests.architecture.source import ROOT

PAGE = ROOT / "docs" / "concepts" / "hostile-input.md"
ISOLATION = PAGE.with_name("task-isolation.md")
_TEST = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)?)`")
NAMED = sorted({name for page in (PAGE, ISOLATION) for name in _TEST.findall(page.read_text(encoding="utf-8"))})


@pytest.mark.parametrize("name", NAMED)
def test_every_test_that_the_page_names_is_there(name: str) -> None:
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert any(found.startswith("test_") for found in tests)
    assert not function or function in tests


@pytest.mark.parametrize("page", [PAGE, ISOLATION], ids=lambda page: page.name)
def test_every_row_names_a_test(page: Path) -> None:
    table = page.read_text(encoding="utf-8").rpartition("| what happens | tests |")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert rows
    assert [row for row in rows if "`tests/" not in row] == []


def test_every_file_of_hostile_requests_is_on_the_page() -> None:
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests/integration/hostile").glob("test_*.py")}
    assert files <= {name.partition("::")[0] for name in NAMED}
