"""The room's workflows: chaining, and one for each export. Each run lasts until shortly before the next.

A run every second would cost more in rows of its own than the work does; so a run looks once a second by itself.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from entrepot.access.queries import signing_keys
from entrepot.access.sealing import Sealer
from entrepot.auditing.chaining import Chainer, Habits
from entrepot.auditing.export import Export, Exporter
from entrepot.auditing.notary import open_notary
from entrepot.jobs.model import Every, Json, Queue, Workflow
from entrepot.jobs.run import Body, Run

PERIOD: Final = 60
_LOOK: Final = 1.0
# Before its successor comes: what waits makes the worker look more often.
_EARLY: Final = 2.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the workflows work with. ``path`` is the file where checkpoints are kept apart."""

    sealer: Sealer
    path: Path
    habits: Habits
    exports: tuple[Export, ...]


def workflows(parts: Parts) -> Mapping[Workflow, Body]:
    """What a job worker runs. All go on where they were interrupted: their work is rows."""
    queue = Queue("audit", at_once=1 + len(parts.exports))

    def chain(run: Run) -> None:
        notary = open_notary(run.read(signing_keys), parts.sealer)
        run.step("chain", _chain, run, Chainer(run, notary, parts.path, lambda: run.now, parts.habits))

    bodies: dict[Workflow, Body] = {Workflow("audit.chain", queue, Every(PERIOD)): chain}
    for export in parts.exports:
        bodies[Workflow(f"audit.export.{export.name}", queue, Every(PERIOD))] = _exporting(export)
    return bodies


def _exporting(export: Export) -> Body:
    def body(run: Run) -> None:
        run.step("export", _export, run, export)

    return body


def _chain(run: Run, chainer: Chainer) -> Json:
    """Twice is safe: it chains what is not chained by then."""
    chainer.prune()
    chained = _until_the_next(run, chainer.chain)
    if run.stopping:
        chainer.checkpoint()
    return chained


def _export(run: Run, export: Export) -> Json:
    """Twice is safe: it goes on from the last entry that is known to have gone out."""
    with Exporter(run, export) as exporter:
        return _until_the_next(run, exporter.send)


def _until_the_next(run: Run, work: Callable[[], int]) -> int:
    end = _end_of(run.now)
    done = work()
    while run.now.timestamp() < end and not run.stopping:
        run.pause(_LOOK)
        done += work()
    return done


def _end_of(now: datetime) -> float:
    return (math.floor(now.timestamp() / PERIOD) + 1) * PERIOD - _EARLY
