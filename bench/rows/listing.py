"""Pages of 100 names out of few and out of very many: a page must not cost more where there is more."""

from typing import Final, Literal

from bench.model import (
    DISTRIBUTION_2,
    DISTRIBUTION_3,
    OURS,
    Measure,
    Metric,
    Names,
    Plan,
    Row,
    Running,
    Sample,
    Unavailable,
)
from bench.registry import bearer, pull
from bench.rows.reads import pids
from bench.usage import Meter
from bench.wrk import Load, run_wrk

FEW: Final = 100
PAGE: Final = 100
WINDOWS: Final = 3
RIVALS: Final = (OURS, DISTRIBUTION_3, DISTRIBUTION_2)
GROWTH: Final = Metric("growth", "x", higher_is_better=False)

Kind = Literal["tags", "catalog"]


def names(prefix: str, count: int) -> Names:
    return Names(prefix, 10_000_000, count)


def prepare_tags(running: Running, plan: Plan) -> Measure:
    if running.seeder is None:
        raise Unavailable("the bench cannot seed it")
    many = names("tag-", min(plan.scale, running.seeder.most))
    running.seeder.tags("bench/few", names("tag-", FEW))
    running.seeder.tags("bench/many", many)
    low, high = pull("bench/few"), pull("bench/many")
    few_url = f"{running.url}/v2/bench/few/tags/list?n={PAGE}"
    many_url = f"{running.url}/v2/bench/many/tags/list?n={PAGE}&last={many[many.count // 2]}"
    return lambda: _counted(many, _compare(running, plan.seconds, (few_url, low), (many_url, high)))


def prepare_catalog(running: Running, plan: Plan) -> Measure:
    """The small page is measured before the many repositories exist: a registry has one catalog."""
    if running.seeder is None:
        raise Unavailable("the bench cannot seed it")
    many = names("bench/repository-", min(plan.scale // 10, running.seeder.most))
    first, others = many.split(FEW)
    running.seeder.repositories(first)
    scope, url = "registry:catalog:*", f"{running.url}/v2/_catalog?n={PAGE}"
    few = [_page(running, url, scope, plan.seconds) for _ in range(WINDOWS)]
    running.seeder.repositories(others)
    middle = f"{url}&last={many[many.count // 2]}"
    return lambda: _counted(many, _growth(few, [_page(running, middle, scope, plan.seconds) for _ in range(WINDOWS)]))


def _counted(many: Names, sample: Sample) -> Sample:
    """With how many names there were: not every contender can be given as many."""
    return Sample({**sample.metrics, "names": many.count})


def _compare(running: Running, seconds: float, few: tuple[str, str], many: tuple[str, str]) -> Sample:
    pairs = [(_page(running, *few, seconds), _page(running, *many, seconds)) for _ in range(WINDOWS)]
    return _growth([pair[0] for pair in pairs], [pair[1] for pair in pairs])


def _growth(few: list[Sample], many: list[Sample]) -> Sample:
    """By the calmest window of each: what disturbs a single client only ever adds time."""
    before, after = (min(pages, key=lambda page: page.metrics["page_ms"]).metrics for pages in (few, many))
    growth = {"growth": after["page_ms"] / before["page_ms"], "cpu_growth": after["cpu_us"] / before["cpu_us"]}
    return Sample({**after, "few_ms": before["page_ms"], **growth})


def _page(running: Running, url: str, scope: str, seconds: float) -> Sample:
    """The median of one client that asks again and again."""
    with Meter(pids(running)) as meter:
        outcome = run_wrk(Load(url, 1, 1, seconds / WINDOWS, bearer(running.tokens, scope))).checked()
    latency = outcome.latency_ms
    return Sample({"page_ms": latency[50], "p99_ms": latency[99], **meter.metrics(outcome.requests)})


def _row(kind: Kind) -> Row:
    title = f"{kind}: a page of {PAGE} in the middle of very many, against the same page of {FEW}"
    prepare = prepare_tags if kind == "tags" else prepare_catalog
    return Row(kind, title, GROWTH, RIVALS, prepare, solo=True, most_repeats=1)


ROWS: Final = (_row("tags"), _row("catalog"))
