"""Takes the samples: starts contenders for a row, goes round and round, and ends them again."""

import shutil
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from itertools import count
from pathlib import Path
from subprocess import TimeoutExpired

from bench.contenders.lab import Lab
from bench.model import MACHINE, Contender, Measure, Plan, Row, Running, Sample, Unavailable, Wrong
from bench.report import progress
from bench.results import RowResult
from entrepot.errors import Problem

FAILURES = (Unavailable, Wrong, OSError, HTTPException, TimeoutExpired, Problem)
"""What one contender may fail with, while the others go on."""

_folders = count()


def measure_row(lab: Lab, row: Row, contenders: Sequence[Contender], plan: Plan) -> RowResult:
    result = RowResult(row)
    free = shutil.disk_usage(lab.household.folder).free
    if free < row.disk(plan) * 1.2:
        result.reasons[row.name] = f"needs {row.disk(plan) * 1.2 / 1e9:.0f} GB of disk, {free / 1e9:.0f} are free"
        return result
    rounds = min(plan.repeat, row.most_repeats)
    if row.solo:
        _alone(lab, contenders, plan, (result, rounds))
    else:
        _side_by_side(lab, contenders, plan, (result, rounds))
    say(progress(result))
    return result


def _side_by_side(lab: Lab, contenders: Sequence[Contender], plan: Plan, task: tuple[RowResult, int]) -> None:
    """All run at once, but one at a time has work: A B C, A B C, ..."""
    result, rounds = task
    measures = dict[str, Measure]()
    started = list[Running]()
    try:
        for contender in contenders:
            with _failure_noted(result, contender.name):
                running = _start(lab, contender)
                started.append(running)
                measures[contender.name] = result.row.prepare(running, plan)
        for _ in range(rounds):
            _round(lab, plan, result, measures)
    finally:
        for running in started:
            _end(lab, running.folder)


def _round(lab: Lab, plan: Plan, result: RowResult, measures: dict[str, Measure]) -> None:
    _measure_machine(lab, plan, result)
    for name, measure in measures.items():
        result.add(name, _sample(result, name, measure))


def _alone(lab: Lab, contenders: Sequence[Contender], plan: Plan, task: tuple[RowResult, int]) -> None:
    """A fresh contender for each sample, and nobody beside it."""
    result, rounds = task
    for _ in range(rounds):
        _measure_machine(lab, plan, result)
        for contender in contenders:
            with _failure_noted(result, contender.name):
                running = _start(lab, contender)
                try:
                    result.add(contender.name, result.row.prepare(running, plan)())
                finally:
                    _end(lab, running.folder)


def _measure_machine(lab: Lab, plan: Plan, result: RowResult) -> None:
    if result.row.reference is not None:
        result.add(MACHINE, result.row.reference(lab.household.folder, plan))


def _sample(result: RowResult, name: str, measure: Callable[[], Sample]) -> Sample | None:
    with _failure_noted(result, name):
        return measure()
    return None


@contextmanager
def _failure_noted(result: RowResult, name: str) -> Generator[None]:
    try:
        yield
    except FAILURES as error:
        result.reasons[name] = f"{error or type(error).__name__}"
        say(f"{result.row.name}: {name}: {result.reasons[name]}")


def _start(lab: Lab, contender: Contender) -> Running:
    folder = lab.household.folder / f"{next(_folders)}-{contender.name}"
    folder.mkdir()
    try:
        return contender.start(folder)
    except FAILURES:
        _end(lab, folder)
        raise


def _end(lab: Lab, folder: Path) -> None:
    """The data goes now, not when the run ends: ten large blobs would fill a small disk."""
    lab.household.stop_below(folder)
    shutil.rmtree(folder, ignore_errors=True)


def say(text: str) -> None:
    """To the person who waits; the report alone goes to standard output."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
