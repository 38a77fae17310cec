"""Prints docs/conformance.md from the newest results: ``python -m tests.contract.conformance.summary``.

Run it after ``scripts/test contract/conformance``, in the repository.
"""

import platform
import re
import sqlite3
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.contract.conformance.suite import PROGRAM, SETTINGS, SWITCHES, Outcome, outcome_in
from tests.services import postgres_program

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "build" / "conformance"
PAGE = ROOT / "docs" / "conformance.md"

TEXT = """<!-- Printed by tests/contract/conformance/summary.py; do not edit by hand. -->
# OCI conformance

Entrepot runs the conformance suite of the
[OCI distribution specification](https://github.com/opencontainers/distribution-spec/tree/main/conformance) in every
build: for specification 1.1 and for its development text (`dev`), on SQLite and on PostgreSQL, over TLS, signed in,
with all {switches} switches on. A test that fails or is skipped fails the build.

The server runs with its defaults but for `{settings}`: the suite's "Sparse Manifests" hold an image that names a
layer which nobody has pushed. The specification lets a registry refuse such a manifest, and Entrepot does unless told.

| specification | database | tests | passed | failed | skipped |
|---|---|---:|---:|---:|---:|
{runs}

Run on {day} (UTC) with Entrepot {version}, Python {python}, SQLite {sqlite} and {postgres}; the suite is
`{revision}`.

To repeat it: `scripts/test contract/conformance`. The suite's own reports, with every request and answer, are then in
`build/conformance/`; this page is printed from them by `.venv/bin/python -m tests.contract.conformance.summary`.

## What the suite looks at

| interface or content | {columns} |
|---|{rules}|
{statuses}
"""


def main() -> None:
    outcomes = dict(_outcomes())
    if not outcomes:
        raise SystemExit(f"no results in {RESULTS}: run scripts/test contract/conformance first")
    PAGE.write_text(page(outcomes))


def page(outcomes: dict[tuple[str, str], Outcome]) -> str:
    runs = [f"| {version} | {database} | {_counts(outcome)} |" for (version, database), outcome in outcomes.items()]
    names = sorted({name for outcome in outcomes.values() for name in outcome.statuses})
    rows = [f"| {name} | {_cells(o.statuses.get(name, '') for o in outcomes.values())} |" for name in names]
    return TEXT.format(
        switches=len(SWITCHES),
        settings=" ".join(SETTINGS),
        runs="\n".join(runs),
        day=_day(),
        version=tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        postgres=_postgres_version(),
        revision=_revision(),
        columns=_cells(f"{version}, {database}" for version, database in outcomes),
        rules=_cells("---" for _ in outcomes).replace(" ", ""),
        statuses="\n".join(rows),
    )


def _outcomes() -> Iterator[tuple[tuple[str, str], Outcome]]:
    for results in sorted(RESULTS.glob("*-*")):
        version, _, database = results.name.partition("-")
        yield (version, database), outcome_in(results)


def _counts(outcome: Outcome) -> str:
    return _cells(map(str, (outcome.tests, outcome.passed, outcome.failed, outcome.skipped)))


def _cells(cells: Iterable[str]) -> str:
    return " | ".join(cells)


def _day() -> str:
    newest = max(report.stat().st_mtime for report in RESULTS.glob("*/junit.xml"))
    return datetime.fromtimestamp(newest, UTC).date().isoformat()


def _postgres_version() -> str:
    command = [*postgres_program("postgres"), "--version"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return " ".join(re.findall(r"PostgreSQL|\d[\d.]*", said)[:2])


def _revision() -> str:
    tools = (ROOT / "requirements" / "go-test.txt").read_text()
    return next(line.partition("@")[2] for line in tools.splitlines() if line.startswith(f"{PROGRAM} "))


if __name__ == "__main__":
    main()
