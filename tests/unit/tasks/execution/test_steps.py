"""One step: tries, limits, delays, and what counts as its success (ACR-TASKS 1.5, 2.3)."""

import pytest
from tests.unit.tasks.execution.recording import Bench, ends

from entrepot.tasks.execution.images import ALIASES
from entrepot.tasks.execution.model import Ending, StepState

RUN = "^docker run"


def of_step(bench: Bench) -> list[str]:
    """What the log says of the step ``a``, without its network and the summary."""
    start = next(at for at, line in enumerate(bench.log.lines) if line.startswith(("Executing", "Waiting")))
    return bench.log.lines[start:]


def test_a_step_that_succeeds_says_so(bench: Bench) -> None:
    bench.machine.on(RUN, ends(0, b"hello\n", 1.25))
    bench.run("steps: [{id: a, cmd: x, workingDirectory: src}]")
    assert of_step(bench) == [
        "Executing step ID: a. Timeout(sec): 600, Working directory: 'src', Network: 'acb_default_network'",
        "Launching container with name: a",
        "hello\n",
        "Successfully executed container: a",
        "Step ID: a marked as successful (elapsed time in seconds: 1.250000)",
    ]


def test_what_opens_the_runs_identities_is_in_commands_alone_and_on_no_command_line(bench: Bench) -> None:
    bench.environment = {"IDENTITY_ENDPOINT": "https://x.example/msi/token", "IDENTITY_HEADER": "the-header"}
    bench.run("steps: [{id: a, cmd: x}, {id: b, build: -t y .}]")
    (ran,) = bench.machine.of(RUN)
    assert " --env IDENTITY_ENDPOINT --env IDENTITY_HEADER " in ran.text
    assert ran.call.env == bench.environment
    assert "the-header" not in str(bench.machine.texts)
    (built,) = bench.machine.of("build -t y")
    assert "IDENTITY_HEADER" not in built.call.env


def test_a_step_that_fails_has_no_retries_unless_it_says(bench: Bench) -> None:
    bench.machine.on(RUN, ends(2))
    bench.run("steps: [{id: a, cmd: x}]")
    assert of_step(bench)[1:] == [
        "Launching container with name: a",
        "Container failed during run: a. No retries remaining.",
        "failed to run step ID: a: exit status 2\n",
    ]


def test_retries_are_further_tries_with_a_pause_of_five_seconds(bench: Bench) -> None:
    bench.machine.on(RUN, ends(1), ends(1), ends(0))
    outcome = bench.run("steps: [{id: a, cmd: x, retries: 3}]")
    assert outcome.ending is Ending.SUCCEEDED
    assert len(bench.machine.of(RUN)) == 3
    assert bench.clock.waits == [5, 5]
    assert bench.log.lines.count("Container failed during run: a, waiting 5 seconds before retrying...") == 2


def test_retries_come_to_an_end(bench: Bench) -> None:
    bench.machine.on(RUN, ends(1))
    outcome = bench.run("steps: [{id: a, cmd: x, retries: 2, retryDelay: 7}]")
    assert outcome.error == "failed to run step ID: a: exit status 1"
    assert len(bench.machine.of(RUN)) == 3
    assert bench.clock.waits == [7, 7]


@pytest.mark.parametrize(
    ("pieces", "tries"),
    [
        ([b"net", b"work is unre", b"achable"], 3),
        ([b"network is down"], 1),
        ([], 1),
    ],
)
def test_some_failures_only_are_worth_a_retry_when_texts_say_so(bench: Bench, pieces: list[bytes], tries: int) -> None:
    def writes(call) -> int:
        for piece in pieces:
            call.output(piece)
        return 1

    bench.machine.on(RUN, writes)
    bench.run("steps: [{id: a, cmd: x, retries: 2, retryOnErrors: ['EOF', 'is unreach']}]")
    assert len(bench.machine.of(RUN)) == tries


def test_repeats_all_run_and_each_failure_is_told(bench: Bench) -> None:
    bench.machine.on(RUN, ends(3), ends(0), ends(4))
    outcome = bench.run("steps: [{id: a, cmd: x, repeat: 2}]")
    assert outcome.error == "failed to run step ID: a: exit status 3, exit status 4"
    assert len(bench.machine.of(RUN)) == 3


def test_of_many_repeats_that_failed_some_are_told(bench: Bench) -> None:
    bench.machine.on(RUN, ends(1))
    outcome = bench.run("steps: [{id: a, cmd: x, repeat: 39}]")
    assert len(bench.machine.of(RUN)) == 40
    assert outcome.error == f"failed to run step ID: a: {'exit status 1, ' * 10}and 30 more"


def test_each_repeat_has_its_own_retries(bench: Bench) -> None:
    bench.machine.on(RUN, ends(1), ends(0), ends(1), ends(0))
    assert bench.run("steps: [{id: a, cmd: x, repeat: 1, retries: 1}]").ending is Ending.SUCCEEDED
    assert len(bench.machine.of(RUN)) == 4


def test_one_limit_holds_for_all_tries_and_pauses_together(bench: Bench) -> None:
    bench.machine.on(RUN, ends(1, seconds=40))
    outcome = bench.run("steps: [{id: a, cmd: x, retries: 9, retryDelay: 30, timeout: 100}]")
    assert outcome.ending is Ending.FAILED
    assert outcome.error == "failed to run step ID: a: timed out (the step's limit of 100 seconds)"
    assert [each.call.seconds for each in bench.machine.of(RUN)] == [100, 30]
    assert bench.machine.removed == ["a"]


def test_a_pause_ends_with_the_steps_limit(bench: Bench) -> None:
    bench.machine.on(RUN, ends(1, seconds=40))
    outcome = bench.run("steps: [{id: a, cmd: x, retries: 9, retryDelay: 500, timeout: 100}]")
    assert outcome.error.endswith("timed out (the step's limit of 100 seconds)")
    assert bench.clock.waits == [60]
    assert len(bench.machine.of(RUN)) == 1


def test_a_limit_ends_the_repeats_too(bench: Bench) -> None:
    bench.machine.on(RUN, ends(3, seconds=1), ends(0, seconds=1000))
    outcome = bench.run("steps: [{id: a, cmd: x, repeat: 5}]")
    assert outcome.error == "failed to run step ID: a: exit status 3, timed out (the step's limit of 600 seconds)"
    assert len(bench.machine.of(RUN)) == 2


def test_the_runs_own_limit_beats_a_steps_and_is_named(bench: Bench) -> None:
    bench.timeout = 300
    bench.machine.on(RUN, ends(0, seconds=1000))
    outcome = bench.run("steps: [{id: a, cmd: x, timeout: 900, ignoreErrors: true}, {id: b, cmd: x}]")
    assert outcome.ending is Ending.TIMED_OUT
    assert outcome.error == "failed to run step ID: a: timed out (the run's limit of 300 seconds)"
    assert [step.state for step in outcome.steps] == [StepState.CANCELED, StepState.SKIPPED]
    assert bench.told("Step ID: a: its timeout of 900 seconds is longer than the run's, 300")
    assert set(bench.machine.removed) == {"a"}


def test_a_delay_comes_before_the_step_and_is_no_part_of_its_time(bench: Bench) -> None:
    outcome = bench.run("steps: [{id: a, cmd: x, startDelay: 50, timeout: 20}]")
    assert of_step(bench)[0] == "Waiting 50 seconds before executing step ID: a"
    assert bench.clock.waits == [50]
    assert [each.call.seconds for each in bench.machine.of(RUN)] == [20]
    assert outcome.steps[0].elapsed == 0


def test_a_delay_beyond_the_runs_limit_ends_with_it(bench: Bench) -> None:
    bench.timeout = 300
    outcome = bench.run("steps: [{id: a, cmd: x, startDelay: 400}]")
    assert outcome.error == "failed to run step ID: a: timed out (the run's limit of 300 seconds)"
    assert bench.machine.of(RUN) == []


def test_errors_that_are_ignored_are_told_and_the_run_goes_on(bench: Bench) -> None:
    bench.machine.on("--name a ", ends(9))
    outcome = bench.run("steps: [{id: a, cmd: x, ignoreErrors: true}, {id: b, cmd: x}]")
    assert outcome.ending is Ending.SUCCEEDED
    assert bench.told("Step ID: a encountered an error: exit status 9, but is set to ignore errors. Continuing...")
    assert (outcome.steps[0].state, outcome.steps[0].exit_code) == (StepState.SUCCESSFUL, 9)
    assert len(bench.machine.of("--name b ")) == 1


def test_a_limit_that_is_ignored_leaves_no_container_behind_for_later_steps(bench: Bench) -> None:
    bench.machine.on("--name a ", ends(0, seconds=1000))
    assert bench.run("steps: [{id: a, cmd: x, ignoreErrors: true}, {id: b, cmd: x}]").ending is Ending.SUCCEEDED
    assert bench.machine.removed == ["a"]


@pytest.mark.parametrize(
    ("rule", "code", "is_success"),
    [
        ("exitedWith: [3]", 3, True),
        ("exitedWith: [3]", 0, False),
        ("exitedWith: [0, 3]", 0, True),
        ("exitedWithout: [1]", 2, True),
        ("exitedWithout: [1]", 1, False),
        ("exitedWith: [1, 2], exitedWithout: [2]", 2, False),
        ("exitedWith: [3], detach: true", 0, True),
    ],
)
def test_exit_codes_that_are_success_can_be_told(bench: Bench, rule: str, code: int, is_success: bool) -> None:
    bench.machine.on(RUN, ends(code))
    assert (bench.run(f"steps: [{{cmd: x, {rule}}}]").ending is Ending.SUCCEEDED) is is_success


def test_detached_and_kept_containers_go_when_the_run_ends(bench: Bench) -> None:
    bench.run("steps: [{id: a, cmd: x, detach: true}, {id: b, cmd: x, keep: true}, {id: c, cmd: x}]")
    assert bench.machine.removed == ["a", "b"]


def test_a_kept_container_makes_way_for_the_next_try(bench: Bench) -> None:
    bench.machine.on(RUN, ends(1), ends(0))
    bench.run("steps: [{id: a, cmd: x, keep: true, retries: 1}]")
    assert bench.machine.removed == ["a", "a"]


def test_an_image_is_pulled_first_when_asked_beside_the_steps_limit(bench: Bench) -> None:
    bench.machine.on("^docker pull", ends(1, b"no such host", 100), ends(0, b"Pulled", 800))
    text = "steps: [{id: a, cmd: app.example.com/x -v, pull: true, cmdDownloadRetries: 2, cmdDownloadRetryDelay: 9}]"
    assert bench.run(text).ending is Ending.SUCCEEDED
    assert [each.text for each in bench.machine.of("pull")] == ["docker pull -- app.example.com/x"] * 2
    assert bench.clock.waits == [9]
    assert of_step(bench)[1:4] == ["Step specified pull. Performing an explicit pull...", "no such host", "Pulled"]


def test_an_image_that_cannot_be_pulled_fails_the_step(bench: Bench) -> None:
    bench.machine.on("^docker pull", ends(1, b"manifest unknown"))
    outcome = bench.run("steps: [{id: a, cmd: x, pull: true}]")
    assert outcome.error == "failed to run step ID: a: failed to pull image x: manifest unknown"
    assert bench.machine.of(RUN) == []


@pytest.mark.parametrize(
    ("image", "code", "alias"),
    [
        (ALIASES["bash"], 125, "bash"),
        (ALIASES["az"], 125, "az"),
        (ALIASES["bash"], 1, ""),
        ("mcr.microsoft.com/acr/bash:1", 125, ""),
    ],
    ids=["bash", "az", "it ran", "another image"],
)
def test_where_a_built_in_image_is_not_to_be_had_the_log_says_how_to_name_another(
    bench: Bench, image: str, code: int, alias: str
) -> None:
    bench.machine.on(RUN, ends(code, b"Unable to find image"))
    outcome = bench.run(f"steps: [{{id: a, cmd: '{image} echo hello'}}]")
    assert outcome.error == f"failed to run step ID: a: exit status {code}"
    hints = [line for line in bench.log.lines if "task_images" in line]
    assert len(hints) == (1 if alias else 0)
    if alias:
        assert hints[0].startswith(f"{image} is what the alias {alias} stands for.")
        assert hints[0].endswith(f"name it with the setting task_images: {alias}=REFERENCE")


def test_privileged_is_refused_before_anything_begins(bench: Bench) -> None:
    outcome = bench.run("steps: [{id: a, cmd: x}, {id: b, cmd: x, privileged: true}]")
    assert outcome.ending is Ending.FAILED
    assert outcome.error == "step ID: b asks for privileged, which no run has here: remove the property"
    assert bench.machine.calls == []


def test_what_would_keep_the_worker_busy_is_refused_before_anything_begins(bench: Bench) -> None:
    assert "more than 100 texts" in bench.run(f"steps: [{{cmd: x, retryOnErrors: [{'a,' * 101}]}}]").error
    files = ", ".join(f"f{at}: eA==" for at in range(201))
    assert (
        "more than 200 files" in bench.run(f"volumes: [{{name: vol, secret: {{{files}}}}}]\nsteps: [{{cmd: x}}]").error
    )
    assert bench.machine.calls == []


def test_isolation_is_ignored_with_a_warning(bench: Bench) -> None:
    bench.run("steps: [{id: a, cmd: x, isolation: hyperv}, {id: b, cmd: x, isolation: default}]")
    assert bench.told("Step ID: a: isolation is ignored")
    assert not bench.told("Step ID: b: isolation")
    assert not any("isolation" in text for text in bench.machine.texts)
