"""What our files say about themselves: docstrings, names, and reasons beside what they switch off."""

import ast
import re
from pathlib import Path

from tests.architecture.source import PACKAGE, ROOT, Source, sources

# STYLE section 5: names that tell nothing.
EMPTY_NAMES = frozenset({"base", "common", "data", "handler", "helper", "info", "manager", "misc", "process", "util"})
IGNORE = re.compile(
    r"#\s*(?:noqa|type:\s*ignore|pyright:\s*ignore)(?:(?::\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*)|\[[\w, -]+\])?"
)
REASON = re.compile(r"\w{3,}")


def test_every_module_says_what_its_one_job_is() -> None:
    assert [source.name for source in sources() if not ast.get_docstring(source.tree)] == []


def test_no_module_has_a_name_that_tells_nothing() -> None:
    names = {path for source in sources() for path in (source.in_package, *source.in_package.parents)}
    assert sorted(path.as_posix() for path in names if _tells_nothing(path.stem)) == []


def test_every_ignored_warning_has_its_reason_beside_it() -> None:
    assert [found for source in sources() for found in _bare_ignores(source)] == []


def test_every_lint_rule_that_is_off_has_its_reason_beside_it() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if re.match(r'\s+"[A-Z]+[0-9]*",', line)]
    assert rules
    assert [line for line in rules if not re.search(r"#\s+\S+", line)] == []


def test_the_lock_files_name_no_index() -> None:
    locks = [*Path(ROOT, "requirements").glob("*.txt"), *Path(ROOT, "requirements", "npm").glob("*.json")]
    addresses = re.compile(r'--(?:extra-)?index-url|--find-links|"resolved"')
    assert [lock.name for lock in locks if addresses.search(lock.read_text(encoding="utf-8"))] == []


def test_the_package_is_marked_as_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


def _tells_nothing(stem: str) -> bool:
    """Alone or as a suffix: a "data_folder" is a folder, a "folder_data" is anything."""
    last = stem.rpartition("_")[2]
    return last in EMPTY_NAMES or last.removesuffix("s") in EMPTY_NAMES


def _bare_ignores(source: Source) -> list[str]:
    return [
        f"{source.name}:{number}"
        for number, line in enumerate(source.text.splitlines(), 1)
        if (found := IGNORE.search(line)) and not REASON.search(line[found.end() :])
    ]
