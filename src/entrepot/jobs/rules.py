"""What decides from values alone: names that clash, when a schedule is due, which workers are dead."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from croniter import croniter

from entrepot.jobs.model import Cron, Every, Queue, Workflow


def queues_of(workflows: Collection[Workflow]) -> dict[str, Queue]:
    """Each queue by its name. Raises ValueError when two workflows have one name, or two different queues."""
    queues = {workflow.queue for workflow in workflows}
    for names in ([workflow.name for workflow in workflows], [queue.name for queue in queues]):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise ValueError(f"declared twice, and differently: {', '.join(twice)}")
    return {queue.name: queue for queue in queues}


def first_due(schedule: Every | Cron, now: datetime) -> datetime:
    """The moment a worker that starts now begins with.

    For ``Every`` that is the one just passed: a laptop that is never on at the full hour still does its hourly work.
    """
    match schedule:
        case Every(seconds):
            return datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)
        case Cron():
            return next_due(schedule, now)


def next_due(schedule: Every | Cron, now: datetime) -> datetime:
    """The first moment after now, however many were missed. Raises ValueError for a wrong cron expression."""
    match schedule:
        case Every(seconds):
            return first_due(schedule, now) + timedelta(seconds=seconds)
        case Cron(expression):
            # croniter has no types; asked for a datetime it answers with one.
            moment: datetime = croniter(expression, now).get_next(datetime)
            return moment


@dataclass(frozen=True, slots=True)
class Sighting:
    """A worker's row as it was last seen changed, and when that was by our own clock."""

    seen_at: datetime
    since: float


class Vigil:
    """Watches the other workers' rows for the one that stopped changing.

    Only this process's monotonic clock counts: the clocks of two machines differ, and all of them jump. Who did not
    look for a while (stopped, or without its database) knows nothing about the others, so it begins anew.
    """

    def __init__(self, dead_after: float) -> None:
        self._dead_after = dead_after
        self._looked = float("-inf")
        self._sightings: dict[str, Sighting] = {}

    def look(self, rows: Mapping[str, datetime], at: float) -> dict[str, datetime]:
        """The rows of workers that are dead; to be called at every beat."""
        known = self._sightings if at - self._looked <= self._dead_after / 2 else {}
        self._looked = at
        self._sightings = {
            worker: known[worker] if worker in known and known[worker].seen_at == seen_at else Sighting(seen_at, at)
            for worker, seen_at in rows.items()
        }
        return {
            worker: sighting.seen_at
            for worker, sighting in self._sightings.items()
            if at - sighting.since > self._dead_after
        }
