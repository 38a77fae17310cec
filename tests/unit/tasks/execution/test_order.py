"""Which step runs when, and what a failure does to the others (ACR-TASKS 2.1, 2.3)."""

from threading import Barrier, Event

import pytest
from tests.unit.tasks.execution.recording import PATIENCE, Bench, ends, waits_for_the_end

from entrepot.tasks.engines.model import Call, Canceled, EngineFailed
from entrepot.tasks.execution.model import Ending, StepState
from entrepot.tasks.execution.running import PARALLEL


def order(bench: Bench) -> list[str]:
    return [each.text.partition("--name ")[2].split()[0] for each in bench.machine.of("^docker run")]


def states(bench: Bench, text: str) -> dict[str, StepState]:
    return {step.id: step.state for step in bench.run(text).steps}


def test_steps_run_one_after_another_unless_they_say_otherwise(bench: Bench) -> None:
    outcome = bench.run("steps: [{id: a, cmd: x}, {cmd: x}, {id: c, cmd: x}]")
    assert outcome.ending is Ending.SUCCEEDED
    assert order(bench) == ["a", "acb_step_1", "c"]


def test_steps_that_wait_for_nobody_run_side_by_side(bench: Bench) -> None:
    both = Barrier(2, timeout=PATIENCE)

    def meets(_: Call) -> int:
        both.wait()
        return 0

    bench.machine.on("--name [ab] ", meets)
    outcome = bench.run("steps: [{id: a, cmd: x, when: ['-']}, {id: b, cmd: x, when: ['-']}, {id: c, cmd: x}]")
    assert outcome.ending is Ending.SUCCEEDED
    assert order(bench)[2:] == ["c"]


def test_a_step_waits_for_all_that_it_names_and_for_nobody_else(bench: Bench) -> None:
    c_is_done = Event()

    def waits(_: Call) -> int:
        assert c_is_done.wait(PATIENCE)
        return 0

    def sets(_: Call) -> int:
        c_is_done.set()
        return 0

    bench.machine.on("--name b ", waits)
    bench.machine.on("--name c ", sets)
    text = "steps: [{id: a, cmd: x}, {id: b, cmd: x}, {id: c, cmd: x, when: [a]}, {id: d, cmd: x, when: [b, c, b]}]"
    assert bench.run(text).ending is Ending.SUCCEEDED
    assert order(bench)[0] == "a"
    assert order(bench)[-1] == "d"


def test_a_file_without_steps_succeeds(bench: Bench) -> None:
    assert bench.run("").ending is Ending.SUCCEEDED
    assert order(bench) == []


def test_a_failure_ends_the_run_and_skips_what_did_not_begin(bench: Bench) -> None:
    bench.machine.on("--name b ", ends(3))
    outcome = bench.run("steps: [{id: a, cmd: x}, {id: b, cmd: x}, {id: c, cmd: x}]")
    assert outcome.ending is Ending.FAILED
    assert outcome.error == "failed to run step ID: b: exit status 3"
    assert [(step.state, step.exit_code) for step in outcome.steps] == [
        (StepState.SUCCESSFUL, 0),
        (StepState.FAILED, 3),
        (StepState.SKIPPED, None),
    ]
    assert bench.log.lines[-1] == "failed to run step ID: b: exit status 3\n"
    assert not bench.told("marked as")


def test_a_failure_ends_the_steps_beside_it_and_removes_their_containers(bench: Bench) -> None:
    begun = Event()

    def hangs(call: Call) -> int:
        begun.set()
        return waits_for_the_end(call)

    def fails(_: Call) -> int:
        assert begun.wait(PATIENCE)
        return 1

    bench.machine.on("--name slow ", hangs)
    bench.machine.on("--name bad ", fails)
    text = "steps: [{id: slow, cmd: x, when: ['-'], ignoreErrors: true}, {id: bad, cmd: x, when: ['-']}]"
    assert states(bench, text) == {"slow": StepState.CANCELED, "bad": StepState.FAILED}
    assert set(bench.machine.removed) == {"slow"}
    assert not bench.canceled.is_set()


def test_a_canceled_run_ends_its_steps_and_begins_no_other(bench: Bench) -> None:
    def hangs(call: Call) -> int:
        bench.canceled.set()
        return waits_for_the_end(call)

    bench.machine.on("--name a ", hangs)
    outcome = bench.run("steps: [{id: a, cmd: x, ignoreErrors: true}, {id: b, cmd: x}]")
    assert (outcome.ending, outcome.error) == (Ending.CANCELED, "the run was canceled")
    assert [step.state for step in outcome.steps] == [StepState.CANCELED, StepState.SKIPPED]
    assert set(bench.machine.removed) == {"a"}
    # The network goes too: tidying is not canceled.
    assert bench.machine.texts[-1] == "docker network rm -- acb_default_network"


def test_a_container_that_does_not_end_is_removed_while_its_client_still_waits(bench: Bench) -> None:
    removed = Event()
    remove = bench.machine.remove

    def removes(container: str) -> None:
        remove(container)
        removed.set()

    def ends_with_its_container(call: Call) -> int:
        bench.canceled.set()
        assert removed.wait(PATIENCE)
        raise Canceled

    bench.machine.remove = removes
    bench.machine.on("--name a ", ends_with_its_container)
    assert bench.run("steps: [{id: a, cmd: x}]").ending is Ending.CANCELED


def test_a_run_that_is_canceled_before_it_begins_runs_nothing(bench: Bench) -> None:
    bench.canceled.set()
    outcome = bench.run("steps: [{id: a, cmd: x}]")
    assert outcome.ending is Ending.CANCELED
    assert bench.machine.calls == []


def test_a_run_whose_last_step_ended_well_is_not_canceled_any_more(bench: Bench) -> None:
    def sets(_: Call) -> int:
        bench.canceled.set()
        return 0

    bench.machine.on("--name a ", sets)
    assert bench.run("steps: [{id: a, cmd: x}]").ending is Ending.SUCCEEDED


def test_an_engine_that_fails_ends_all_steps_and_is_told_to_the_caller(bench: Bench) -> None:
    begun = Event()
    ended: list[str] = []

    def hangs(call: Call) -> int:
        begun.set()
        try:
            return waits_for_the_end(call)
        except Canceled:
            ended.append("slow")
            raise

    def breaks(_: Call) -> int:
        assert begun.wait(PATIENCE)
        raise EngineFailed("the engine is gone")

    bench.machine.on("--name slow ", hangs)
    bench.machine.on("--name bad ", breaks)
    with pytest.raises(EngineFailed):
        bench.run("steps: [{id: slow, cmd: x, when: ['-']}, {id: bad, cmd: x, when: ['-']}]")
    assert ended == ["slow"]


def test_many_steps_at_once_run_so_many_at_a_time(bench: Bench) -> None:
    steps = ", ".join("{cmd: x, when: ['-']}" for _ in range(PARALLEL * 2))
    assert bench.run(f"steps: [{steps}]").ending is Ending.SUCCEEDED
    assert len(order(bench)) == PARALLEL * 2


def test_later_steps_know_the_exit_codes_of_those_that_may_fail(bench: Bench) -> None:
    bench.machine.on("--name test-1 ", ends(7))
    text = """
steps:
  - {id: test-1, cmd: x, ignoreErrors: true}
  - {id: other, cmd: x, when: ["-"], exitedWith: [0, 4]}
  - {id: plain, cmd: x, when: [test-1]}
  - {id: report, cmd: x, when: [plain]}
"""
    assert bench.run(text).ending is Ending.SUCCEEDED
    (report,) = bench.machine.of("--name report ")
    assert "--env ACR_STEP_TEST_1_EXIT=7 " in report.text
    assert "OTHER" not in report.text
    assert "PLAIN" not in report.text
