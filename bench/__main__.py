"""``python -m bench``: measures, prints the report on standard output, and exits with 1 when a target is missed."""

import json
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

from bench import arguments, machine
from bench.contenders.custom import Custom
from bench.contenders.distribution import Distribution
from bench.contenders.entrepot import (
    Entrepot,
    EntrepotBuilding,
    EntrepotCollecting,
    EntrepotOnPostgreSQL,
    EntrepotTelling,
)
from bench.contenders.lab import Lab, first_line, program
from bench.contenders.nginx import Nginx
from bench.model import DISTRIBUTION_2, DISTRIBUTION_3, Contender, Row, Unavailable
from bench.processes import Household
from bench.report import render
from bench.results import Run, as_json
from bench.rows import ROWS
from bench.run import measure_row, say
from bench.targets import all_met, verdicts

STOPPED: Final = 130


def main(words: Sequence[str]) -> int:
    """Whatever ends the run, its report tells what was measured until then."""
    given = arguments.parse(words)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _end)
    with Household(given.folder) as household:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        run = Run(now, given.plan, machine.describe(household.folder), {})
        try:
            _measure(given, Lab.furnish(household), run)
        except KeyboardInterrupt:
            say("stopped")
            return STOPPED
        finally:
            sys.stdout.write(render(run, verdicts(run)))
    return 0 if all_met(verdicts(run)) else 1


def _measure(given: arguments.Arguments, lab: Lab, run: Run) -> None:
    """The JSON is written after each row, so that an interrupted run is not lost."""
    chosen = _available(lab, given, run.versions)
    for row in ROWS:
        if row.name in given.rows:
            run.rows.append(measure_row(lab, row, _of_row(row, chosen, given), given.plan))
            _write(given.json, run)


def _available(lab: Lab, given: arguments.Arguments, versions: dict[str, str]) -> list[Contender]:
    """Also notes everybody's version, or why it is left out."""
    everyone: list[Contender] = [
        Entrepot(lab),
        EntrepotOnPostgreSQL(lab),
        EntrepotCollecting(lab),
        EntrepotTelling(lab),
        EntrepotBuilding(lab),
        Distribution(lab, DISTRIBUTION_3),
        Distribution(lab, DISTRIBUTION_2),
        Nginx(lab),
        *(Custom(lab, recipe) for recipe in given.recipes),
    ]
    named = {*given.contenders, *(recipe.name for recipe in given.recipes)}
    versions["wrk"] = first_line(program("wrk"), "-v")
    found = list[Contender]()
    for contender in everyone:
        if contender.name not in named:
            continue
        try:
            versions[contender.name] = contender.version()
            found.append(contender)
        except Unavailable as error:
            versions[contender.name] = f"left out: {error}"
            say(f"{contender.name} is left out: {error}")
    return found


def _of_row(row: Row, chosen: Sequence[Contender], given: arguments.Arguments) -> list[Contender]:
    """In the row's own order; peers from the command line join where rivals are."""
    guests = [recipe.name for recipe in given.recipes] if len(row.contenders) > 1 else []
    by_name = {contender.name: contender for contender in chosen}
    return [by_name[name] for name in (*row.contenders, *guests) if name in by_name]


def _write(file: Path | None, run: Run) -> None:
    if file is not None:
        file.write_text(json.dumps(as_json(run, verdicts(run)), indent=1) + "\n")


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
