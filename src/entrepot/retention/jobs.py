"""The room's workflows: collection, the sweep, and the end of old events."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Final

import structlog
from structlog.typing import FilteringBoundLogger

from entrepot.content.model import ContentStore
from entrepot.jobs.model import Every, Json, Queue, Workflow
from entrepot.jobs.run import Body, Run
from entrepot.retention import metrics, queries
from entrepot.retention.collect import Collector, Site
from entrepot.retention.model import Tally, Waits
from entrepot.retention.outbox import forget_events
from entrepot.retention.rules import seconds_between_rounds, seconds_between_sweeps
from entrepot.retention.sweep import Sweeper

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.retention")

QUEUE: Final = Queue("retention", at_once=2)
_EVENTS_EVERY: Final = 300


def workflows(store: ContentStore, waits: Waits, rate: int, keep_events: timedelta) -> Mapping[Workflow, Body]:
    """What a job worker runs beside this content store. All go on where they were interrupted: their work is rows."""

    def collect(run: Run) -> None:
        run.step("collect", _collect, run, Site(run, store, waits, rate, lambda: run.now))

    def sweep(run: Run) -> None:
        run.step("sweep", _sweep, run, Site(run, store, waits, rate, lambda: run.now))

    def forget(run: Run) -> None:
        run.step("forget", _forget, run, keep_events)

    return {
        Workflow("retention.events", QUEUE, Every(_EVENTS_EVERY)): forget,
        Workflow("retention.collect", QUEUE, Every(seconds_between_rounds(waits))): collect,
        Workflow("retention.sweep", QUEUE, Every(seconds_between_sweeps(waits))): sweep,
    }


def _collect(run: Run, site: Site) -> Json:
    """Twice is safe: it does what is due by then."""
    now = site.now()
    metrics.show("reviews", run.read(queries.waiting_reviews, now), now)
    metrics.show("keys", run.read(queries.waiting_keys, site.store.name, now), now)
    return _told("collected", Collector(site).collect(lambda: run.stopping, _nobody))


def _sweep(run: Run, site: Site) -> Json:
    """Twice is safe: it looks at what is there by then."""
    return _told("swept", Sweeper(site).sweep(lambda: run.stopping))


def _forget(run: Run, keep: timedelta) -> Json:
    """Twice is safe: it deletes what is old by then."""
    return forget_events(run, run.now - keep, lambda: run.stopping)


def _told(event: str, done: Tally) -> Json:
    counts = {name: count for name, count in asdict(done).items() if count}
    if counts:
        log.info(event, **counts)
    return counts


def _nobody(_so_far: Tally) -> None:
    """Nobody watches a job's progress but its metrics."""
