"""What a run found, and the same as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from bench.model import Plan, Row, Sample

FORMAT: Final = 1


@dataclass(slots=True)
class RowResult:
    """Samples by contender, one entry per round (None where it failed), and why a contender has none."""

    row: Row
    samples: dict[str, list[Sample | None]] = field(default_factory=dict[str, list[Sample | None]])
    reasons: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, contender: str, sample: Sample | None) -> None:
        self.samples.setdefault(contender, []).append(sample)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target of DESIGN section 5 beside what was measured; ``met`` is None where nothing was."""

    row: str
    text: str
    measured: str
    met: bool | None


@dataclass(slots=True)
class Run:
    """Everything that the report needs."""

    date: str
    plan: Plan
    machine: Mapping[str, str]
    versions: dict[str, str]
    rows: list[RowResult] = field(default_factory=list[RowResult])


def as_json(run: Run, verdicts: list[Verdict]) -> dict[str, object]:
    return {
        "format": FORMAT,
        "date": run.date,
        "plan": asdict(run.plan),
        "machine": dict(run.machine),
        "versions": dict(run.versions),
        "rows": [_row(result) for result in run.rows],
        "targets": [asdict(verdict) for verdict in verdicts],
    }


def _row(result: RowResult) -> dict[str, object]:
    row = result.row
    return {
        "name": row.name,
        "title": row.title,
        "ours": row.ours,
        "primary": asdict(row.primary),
        "samples": {
            name: [None if sample is None else dict(sample.metrics) for sample in samples]
            for name, samples in result.samples.items()
        },
        "unavailable": dict(result.reasons),
    }
