import json

from bench.model import Metric, Plan, Row, Running, Sample
from bench.report import render, table
from bench.results import RowResult, Run, as_json
from bench.targets import all_met, verdicts


def nothing(_running: Running, _plan: Plan):
    return lambda: Sample({})


def a_run(row: str = "manifest", **samples: list[Sample | None]) -> Run:
    result = RowResult(Row(row, "manifest GET by tag", Metric("rate", "/s"), tuple(samples), nothing))
    for name, taken in samples.items():
        for sample in taken:
            result.add(name, sample)
    plan = Plan(repeat=1, seconds=2, large=500_000_000, huge=10**10, scale=1_000_000)
    return Run("2026-01-02 03:04 UTC", plan, {"cores": "2"}, {"nginx": "1.22"}, [result])


def rate(value: float, **more: float) -> Sample:
    return Sample({"rate": value, **more})


def test_columns_of_a_table_stand_in_line():
    assert table(("a", "long"), [("wider", "b")]) == [
        "| a     | long |",
        "| ----- | ---- |",
        "| wider | b    |",
    ]


def test_a_report_names_machine_versions_and_plan():
    text = render(a_run(entrepot=[rate(10)]), [])

    assert "- cores: 2" in text
    assert "- nginx: 1.22" in text
    assert "large blob 500 MB, huge blob 10 GB, 1,000,000 tags" in text


def test_a_rival_is_shown_with_how_many_times_better_entrepot_is():
    text = render(a_run(entrepot=[rate(400), rate(500)], distribution3=[rate(100), rate(100)]), [])

    assert "4.50 x (4.00 - 5.00)" in text


def test_a_contender_without_figures_is_shown_with_its_reason():
    run = a_run(entrepot=[None])
    run.rows[0].reasons["entrepot"] = "ended at the start"

    text = render(run, [])

    assert "failed" in text
    assert "- entrepot: ended at the start" in text


def test_a_row_says_when_other_programs_took_much_of_the_machine():
    assert "Disturbed" in render(a_run(entrepot=[rate(1, others_percent=40)]), [])
    assert "Disturbed" not in render(a_run(entrepot=[rate(1, others_percent=2)]), [])


def test_targets_are_met_missed_or_not_measured():
    run = a_run(entrepot=[rate(360)], distribution3=[rate(100)], distribution2=[rate(60)])

    assert [(verdict.measured, verdict.met) for verdict in verdicts(run)] == [
        ("3.60 x", True),
        ("6.00 x", False),
        ("not measured", None),
    ]


def test_only_a_missed_target_fails_a_run():
    met = verdicts(a_run(entrepot=[rate(400)], distribution3=[rate(100)]))
    missed = verdicts(a_run(entrepot=[rate(100)], distribution3=[rate(100)]))

    assert all_met(met)
    assert not all_met(missed)


def test_targets_of_rows_that_did_not_run_are_not_listed():
    assert [verdict.row for verdict in verdicts(a_run("storm", entrepot=[rate(1)]))] == []


def test_json_keeps_every_raw_sample():
    written = json.loads(json.dumps(as_json(a_run(entrepot=[rate(1, p99_ms=2), None]), [])))

    assert written["rows"][0]["samples"] == {"entrepot": [{"rate": 1, "p99_ms": 2}, None]}
    assert written["plan"]["large"] == 500_000_000
