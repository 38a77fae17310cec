"""The run as Markdown: what was compared on which machine, a table of figures, a table of targets."""

from collections.abc import Iterable, Sequence
from typing import Final

from bench.model import Metric, Sample
from bench.results import RowResult, Run, Verdict
from bench.statistics import Spread, advantage, spread

NOTES: Final = """\
- Servers and load generator share this machine's cores: a figure is what is left beside the client, and the ratios are
  what counts.
- A ratio is the median over rounds (A B C, A B C, ...) of the two samples of one round; in brackets its range. Above 1
  Entrepot is better.
- Every registry speaks TLS and checks a bearer token per request; nginx checks none and looks nothing up: it is a
  ceiling, no rival. wrk and curl offer one TLS 1.3 cipher (AES-128-GCM), so that no server gains by its choice.
- Peers get the advantage: no access log, errors only, no tracing, descriptors cached in memory, tokens whose check
  costs least, no fsync. Entrepot runs as it comes, with durable pushes.
- CPU is user and system time of all of a server's processes, PostgreSQL included, per request (image, blob); memory is
  the peak of their proportional set size (PSS)."""
HEAD: Final = (
    "contender",
    "median",
    "range",
    "Entrepot is",
    "by CPU",
    "CPU us each",
    "client us each",
    "p99 ms",
    "peak MiB",
)


def render(run: Run, verdicts: Sequence[Verdict]) -> str:
    parts = [f"# Entrepot beside other registries, {run.date}", _facts(run)]
    parts += [_row(result) for result in run.rows]
    parts.append(_targets(verdicts))
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(run: Run) -> str:
    lines = [f"- {name}: {value}" for name, value in (*run.machine.items(), *run.versions.items())]
    plan = run.plan
    lines.append(
        f"- plan: {plan.repeat} rounds of {plan.seconds:g} s, large blob {_size(plan.large)}, "
        f"huge blob {_size(plan.huge)}, {plan.scale:,} tags"
    )
    return "\n".join([*lines, NOTES])


def _row(result: RowResult) -> str:
    row = result.row
    lines = [f"## {row.name}: {row.title} ({row.primary.unit})", ""]
    if result.samples:
        lines += table(HEAD, (_cells(result, name) for name in result.samples))
    lines += [f"- {name}: {reason}" for name, reason in result.reasons.items()]
    lines += _more(result)
    lines += _disturbance(result)
    return "\n".join(lines)


def _cells(result: RowResult, name: str) -> list[str]:
    samples, primary = result.samples[name], result.row.primary
    found = spread(samples, primary.name)
    return [
        name,
        "failed" if found is None else f"**{_figure(found.median)}**",
        "" if found is None else f"{_figure(found.low)} - {_figure(found.high)}",
        *_against_ours(result, name),
        *(_median(samples, metric) for metric in COLUMNS),
    ]


def _against_ours(result: RowResult, name: str) -> list[str]:
    """By speed, with its range, and by CPU used for the same work, which others' work on the machine disturbs less."""
    ours, theirs = result.samples.get(result.row.ours, []), result.samples[name]
    if name == result.row.ours:
        return ["", ""]
    cpu = advantage(ours, theirs, CPU)
    return [_times(advantage(ours, theirs, result.row.primary)), "" if cpu is None else f"{cpu.median:.2f} x"]


CPU: Final = Metric("cpu_us", "us", higher_is_better=False)
COLUMNS: Final = ("cpu_us", "client_cpu_us", "p99_ms", "memory_mib")
QUIET: Final = frozenset({*COLUMNS, "p50_ms", "p75_ms", "p90_ms", "others_percent"})
MUCH_PERCENT: Final = 10
"""Of the machine, taken by other programs: from there on a figure is not to be published."""


def _more(result: RowResult) -> list[str]:
    """Figures that only this row has."""
    lines = list[str]()
    for name, samples in result.samples.items():
        metrics = {metric for sample in samples if sample is not None for metric in sample.metrics}
        extra = sorted(metrics - QUIET - {result.row.primary.name})
        if extra:
            lines.append(f"- {name}: " + ", ".join(f"{metric} {_median(samples, metric)}" for metric in extra))
    return ["", *lines] if lines else []


def _disturbance(result: RowResult) -> list[str]:
    found = spread([sample for samples in result.samples.values() for sample in samples], "others_percent")
    if found is None or found.high < MUCH_PERCENT:
        return []
    told = f"other programs took {found.median:.0f} % of the machine's cores (at most {found.high:.0f} % in a sample)"
    return ["", f"**Disturbed:** {told}. Repeat it on a quiet machine; CPU per request suffers least."]


def _targets(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return ""
    words = {True: "yes", False: "**no**", None: "-"}
    rows = ([each.row, each.text, each.measured, words[each.met]] for each in verdicts)
    return "\n".join(["## Targets", "", *table(("row", "target", "measured", "met"), rows)])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns stand in line."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]


def progress(result: RowResult) -> str:
    """One line while the run goes on."""
    medians = ((name, spread(samples, result.row.primary.name)) for name, samples in result.samples.items())
    told = (f"{name} {'failed' if found is None else _figure(found.median)}" for name, found in medians)
    return f"{result.row.name} ({result.row.primary.unit}): " + ", ".join(told)


def _median(samples: Sequence[Sample | None], metric: str) -> str:
    found = spread(samples, metric)
    return "" if found is None else _figure(found.median)


def _times(found: Spread | None) -> str:
    return "" if found is None else f"{found.median:.2f} x ({found.low:.2f} - {found.high:.2f})"


def _figure(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _size(count: int) -> str:
    return f"{count / 1e9:g} GB" if count >= 10**9 else f"{count / 1e6:g} MB"
