"""The targets of DESIGN section 5, and whether a run meets them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.model import DISTRIBUTION_2, DISTRIBUTION_3, MACHINE, NGINX
from bench.results import Run, Verdict
from bench.statistics import ratio, spread


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Our figure is at least ``times`` that of the other one, in the same round."""

    row: str
    times: float
    other: str
    text: str
    metric: str = "rate"


@dataclass(frozen=True, slots=True)
class Below:
    """Our figure is below a limit."""

    row: str
    limit: float
    metric: str
    text: str


@dataclass(frozen=True, slots=True)
class Above:
    """Our figure is at least a limit."""

    row: str
    limit: float
    metric: str
    text: str


Target = AtLeast | Below | Above

TARGETS: Final[tuple[Target, ...]] = (
    AtLeast("manifest", 3.5, DISTRIBUTION_3, "3.5 x distribution 3.1.1"),
    AtLeast("manifest", 10, DISTRIBUTION_2, "10 x distribution 2.8.2"),
    AtLeast("manifest", 1 / 3, NGINX, "a third of nginx with a static file"),
    AtLeast("manifest-postgresql", 1, DISTRIBUTION_3, "1 x distribution 3.1.1"),
    AtLeast("manifest-postgresql", 4, DISTRIBUTION_2, "4 x distribution 2.8.2"),
    AtLeast("blob-small", 8, DISTRIBUTION_3, "8 x distribution 3.1.1"),
    AtLeast("blob-small", 8, DISTRIBUTION_2, "8 x distribution 2.8.2"),
    Above("token", 1000, "rate", "1,000 tokens/s"),
    Below("management", 10, "paced_p99_ms", "p99 under 10 ms, 16 connections that think for 20 ms"),
    AtLeast("push", 2, DISTRIBUTION_3, "2 x distribution 3.1.1 without fsync"),
    AtLeast("pull-large", 1.1, DISTRIBUTION_3, "1.1 x distribution 3.1.1"),
    Below("pull-large", 64, "memory_growth_mib", "memory flat (below 64 MiB)"),
    AtLeast("push-large", 1, DISTRIBUTION_3, "not slower than distribution 3.1.1 without fsync"),
    AtLeast("push-large", 1, DISTRIBUTION_2, "not slower than distribution 2.8.2 without fsync"),
    AtLeast("push-large", 0.6, MACHINE, "60 % of the slower of disk and sha256"),
    Below("huge", 64, "memory_growth_mib", "memory grows by less than 64 MiB"),
    Below("tags", 1.5, "growth", "within 1.5 x of the page at 100 tags"),
    Below("catalog", 1.5, "growth", "within 1.5 x of the page at 100 repositories"),
    Above("gc", 1000, "rate", "1,000 blobs/s"),
    Below("gc", 1.25, "p99_growth", "p99 of pulls grows by less than 25 %"),
    Above("webhooks", 500, "rate", "500 events/s"),
    Below("webhooks", 1.1, "p99_growth", "p99 of pulls grows by less than 10 %"),
    Below("task-build", 1, "beyond_s", "at most 1 s and 15 % over docker build"),
    Below("task-step", 0.3, "over_s", "at most 0.3 s over docker run"),
    Below("task-queue", 64, "memory_growth_mib", "memory flat (below 64 MiB)"),
    Below("task-log", 1.25, "p99_growth", "p99 of pulls grows by less than 25 %"),
    Below("start", 2, "seconds", "under 2 s"),
    Below("start-seeded", 2, "seconds", "under 2 s"),
    Below("idle", 400, "memory_mib", "under 400 MiB"),
    Below("idle", 5, "cpu_percent", "under 5 % of one core"),
)


def verdicts(run: Run) -> list[Verdict]:
    measured = {result.row.name for result in run.rows}
    return [_verdict(run, target) for target in TARGETS if target.row in measured]


def all_met(found: Sequence[Verdict]) -> bool:
    """Targets that this run did not measure are not missed."""
    return all(verdict.met is not False for verdict in found)


def _verdict(run: Run, target: Target) -> Verdict:
    figure = _figure(run, target)
    if figure is None:
        return Verdict(target.row, target.text, "not measured", None)
    match target:
        case AtLeast():
            return Verdict(target.row, target.text, f"{figure:.2f} x", figure >= target.times)
        case Below():
            return Verdict(target.row, target.text, f"{figure:.3g}", figure < target.limit)
        case Above():
            return Verdict(target.row, target.text, f"{figure:.3g}", figure >= target.limit)


def _figure(run: Run, target: Target) -> float | None:
    result = next(result for result in run.rows if result.row.name == target.row)
    ours = result.samples.get(result.row.ours, [])
    if isinstance(target, AtLeast):
        found = ratio(ours, result.samples.get(target.other, []), target.metric)
    else:
        found = spread(ours, target.metric)
    return None if found is None else found.median
