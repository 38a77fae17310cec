"""Push steps (ACR-TASKS 1.8)."""

from tests.unit.tasks.execution.recording import Bench, ends

from entrepot.tasks.execution.model import Ending

DIGEST = "sha256:" + "d" * 64


def test_images_are_pushed_one_after_another(bench: Bench) -> None:
    outcome = bench.run("steps: [{id: p, push: [b.example.com/x, 'b.example.com/y:1', b.example.com/x]}]")
    assert outcome.ending is Ending.SUCCEEDED
    assert [each.text for each in bench.machine.of("push")] == [
        "docker push -- b.example.com/x:latest",
        "docker push -- b.example.com/y:1",
    ]
    assert bench.log.lines[-5:-1] == [
        "Pushing image: b.example.com/x:latest, attempt 1",
        "Successfully pushed image: b.example.com/x:latest",
        "Pushing image: b.example.com/y:1, attempt 1",
        "Successfully pushed image: b.example.com/y:1",
    ]


def test_a_push_has_three_attempts_with_growing_pauses(bench: Bench) -> None:
    bench.machine.on("push", ends(1), ends(1), ends(0))
    assert bench.run("steps: [{push: [x]}]").ending is Ending.SUCCEEDED
    assert bench.clock.waits == [0.25, 0.5]
    assert bench.told("Pushing image: x:latest, attempt 3")


def test_a_push_that_fails_three_times_fails_the_step_whatever_retries_say(bench: Bench) -> None:
    bench.machine.on("push", ends(1))
    outcome = bench.run("steps: [{id: p, push: [x, y], retries: 9}]")
    assert outcome.error == "failed to run step ID: p: failed to push images successfully"
    assert len(bench.machine.of("push")) == 3


def test_a_push_that_may_fail_does_not_end_the_run(bench: Bench) -> None:
    bench.machine.on("push", ends(1))
    assert bench.run("steps: [{push: [x], ignoreErrors: true}]").ending is Ending.SUCCEEDED


def test_a_pushs_limit_holds_for_all_its_images(bench: Bench) -> None:
    bench.machine.on("push", ends(0, seconds=40))
    outcome = bench.run("steps: [{id: p, push: [x, y, z], timeout: 100}]")
    assert outcome.error == "failed to run step ID: p: timed out (the step's limit of 100 seconds)"
    assert [each.call.seconds for each in bench.machine.of("push")] == [100, 60, 20]
