"""What samples say: medians, ranges, and ratios of samples that were taken in the same round.

A ratio is the median of the rounds' ratios, not the ratio of medians: a machine that slows down for a while slows both
sides of a round, and the ratio stays.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.model import Metric, Sample


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and its range."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        return cls(statistics.median(values), min(values), max(values)) if values else None


def values(samples: Sequence[Sample | None], metric: str) -> list[float]:
    """The metric of each round that has it."""
    return [sample.metrics[metric] for sample in samples if sample is not None and metric in sample.metrics]


def spread(samples: Sequence[Sample | None], metric: str) -> Spread | None:
    return Spread.of(values(samples, metric))


def ratio(ours: Sequence[Sample | None], theirs: Sequence[Sample | None], metric: str) -> Spread | None:
    """Ours by theirs, round by round; rounds that one of both lacks are left out."""
    pairs = zip(ours, theirs, strict=False)
    return Spread.of(
        [
            one.metrics[metric] / other.metrics[metric]
            for one, other in pairs
            if one is not None and other is not None and metric in one.metrics and other.metrics.get(metric)
        ]
    )


def advantage(ours: Sequence[Sample | None], theirs: Sequence[Sample | None], metric: Metric) -> Spread | None:
    """How many times better ours is: above 1 is better, whichever way the metric points."""
    return ratio(ours, theirs, metric.name) if metric.higher_is_better else ratio(theirs, ours, metric.name)
