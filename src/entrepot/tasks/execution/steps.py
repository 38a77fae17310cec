"""One step: its delay, its tries, its limit, and how its end is judged (ACR-TASKS 1.5, 2.3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from entrepot.tasks.engines.model import Canceled, Sink, TimedOut
from entrepot.tasks.execution import commands
from entrepot.tasks.execution.attesting import note
from entrepot.tasks.execution.building import Shared, building, dependencies_of
from entrepot.tasks.execution.calls import Calls, How, RunTimedOut, Words
from entrepot.tasks.execution.failures import StepFailed, exit_status, timed_out
from entrepot.tasks.execution.images import ALIASES
from entrepot.tasks.execution.model import Dependency, StepResult, StepState
from entrepot.tasks.execution.planning import Planned
from entrepot.tasks.execution.pushing import push
from entrepot.tasks.execution.watching import TextSink
from entrepot.tasks.language.model import Step

# What docker's client ends with where no container began.
_NOT_STARTED: Final = 125
# Of repeats, in the reason of the step's failure.
FAILURES_TOLD: Final = 10

# Runs a step's command once: where its output goes and how many seconds it has, to its exit code.
Command = Callable[[Sink, float], int]


@dataclass(frozen=True, slots=True)
class Done:
    """How a step ended. ``error``: why it and so the run failed. ``stopped``: what ended it with the run."""

    result: StepResult
    error: str = ""
    stopped: Canceled | RunTimedOut | None = None
    dependencies: tuple[Dependency, ...] = ()


def run_step(about: Planned, calls: Calls, shared: Shared, exits: Mapping[str, int]) -> Done:
    """``exits``: exit codes of earlier steps. Raises EngineFailed."""
    step, began = about.step, calls.clock.now()

    def result(state: StepState, exit_code: int | None = None) -> StepResult:
        return StepResult(step.id, state, calls.clock.now() - began, exit_code)

    try:
        if step.start_delay > 0:
            calls.log.say(f"Waiting {step.start_delay} seconds before executing step ID: {step.id}")
            calls.wait(step.start_delay)
            began = calls.clock.now()
        calls.log.say(
            f"Executing step ID: {step.id}. Timeout(sec): {step.timeout}, "
            f"Working directory: '{step.working_directory}', Network: '{step.network}'"
        )
        code, found = _act(about, calls, shared, exits)
        return Done(result(StepState.SUCCESSFUL, code), dependencies=found)
    except (Canceled, RunTimedOut) as stopped:
        return Done(result(StepState.CANCELED), stopped=stopped)
    except StepFailed as failure:
        if not step.ignore_errors:
            return Done(result(StepState.FAILED, failure.exit_code), f"failed to run step ID: {step.id}: {failure}")
        calls.log.say(f"Step ID: {step.id} encountered an error: {failure}, but is set to ignore errors. Continuing...")
        return Done(result(StepState.SUCCESSFUL, failure.exit_code))


def _act(
    about: Planned, calls: Calls, shared: Shared, exits: Mapping[str, int]
) -> tuple[int | None, tuple[Dependency, ...]]:
    step = about.step
    if step.push:
        push(about, calls, shared)
        return None, ()
    if about.build is not None:
        build = building(about, about.build, calls, shared)
        found = dependencies_of(build, shared.work.limits.refresh)
        code = _executions(step, calls, build.once)
        note(build, found)
        return code, found
    if step.pull:
        _pull(step, calls)
    container = _Container(step, calls, shared.containers, exits, shared.work.environment)
    return _executions(step, calls, container.once), ()


def _executions(step: Step, calls: Calls, command: Command) -> int:
    """The first and those that ``repeat`` asks for, whatever came of each; the last exit code. Raises StepFailed."""
    ends = calls.clock.now() + step.timeout
    failures: list[StepFailed] = []
    code = 0
    for _ in range(step.repeat + 1):
        try:
            code = _tries(step, calls, command, ends)
        except StepFailed as failure:
            failures.append(failure)
            if failure.exit_code is None:
                break
    if failures:
        told = [str(failure) for failure in failures[:FAILURES_TOLD]]
        more = len(failures) - len(told)
        raise StepFailed(", ".join([*told, *([f"and {more} more"] if more else [])]), failures[-1].exit_code)
    return code


def _tries(step: Step, calls: Calls, command: Command, ends: float) -> int:
    """Raises StepFailed, without an exit code where the step's time is over."""
    for at in range(step.retries + 1):
        calls.log.say(f"Launching container with name: {step.id}")
        output = TextSink(calls.log.raw, step.retry_on_errors)
        try:
            code = command(output, ends - calls.clock.now())
        except TimedOut:
            raise StepFailed(timed_out("the step's", step.timeout)) from None
        if _is_success(step, code):
            calls.log.say(f"Successfully executed container: {step.id}")
            return code
        if at == step.retries or (step.retry_on_errors and not output.has_text):
            calls.log.say(f"Container failed during run: {step.id}. No retries remaining.")
            raise StepFailed(exit_status(code), code)
        calls.log.say(f"Container failed during run: {step.id}, waiting {step.retry_delay} seconds before retrying...")
        calls.wait(max(0.0, min(step.retry_delay, ends - calls.clock.now())))
    raise AssertionError("checks.py lets no retries below 0 through")


def _is_success(step: Step, code: int) -> bool:
    """Nobody waits for the end of a detached container: its code tells only whether it started."""
    if step.detach or not (step.exited_with or step.exited_without):
        return code == 0
    return (not step.exited_with or code in step.exited_with) and code not in step.exited_without


@dataclass(frozen=True, slots=True)
class _Container:
    """A ``cmd`` step's. ``names``: of those that may be there. ``environment``: what it gets beside its own."""

    step: Step
    calls: Calls
    names: set[str]
    exits: Mapping[str, int]
    environment: Mapping[str, str]

    def once(self, output: Sink, seconds: float) -> int:
        name, machine = self.step.id, self.calls.machine
        if name in self.names:
            # Kept, detached, or left by a client that was ended: docker would refuse the name.
            machine.remove(name)
        self.names.add(name)
        line = commands.run_line(self.step, self.exits, self.environment)
        try:
            code = self.calls.shell(line, How(output, seconds, env=self.environment))
        except TimedOut:
            machine.remove(name)
            self.names.discard(name)
            raise
        if not (self.step.keep or self.step.detach):
            self.names.discard(name)
        if code == _NOT_STARTED and (hint := _hint(commands.image_of(self.step.cmd))):
            self.calls.log.say(hint)
        return code


def _hint(image: str) -> str:
    """What to do where an alias's own image cannot be had; empty for any other image."""
    for alias, reference in ALIASES.items():
        if image == reference:
            return (
                f"{image} is what the alias {alias} stands for. Where it cannot be pulled, copy such an image into a "
                f"registry, and name it with the setting task_images: {alias}=REFERENCE"
            )
    return ""


def _pull(step: Step, calls: Calls) -> None:
    """Beside the step's limit, within the run's. Raises StepFailed."""
    calls.log.say("Step specified pull. Performing an explicit pull...")
    image = commands.image_of(step.cmd)
    said = ""
    for at in range(step.cmd_download_retries + 1):
        if at:
            calls.wait(max(0, step.cmd_download_retry_delay))
        words = Words()

        def output(piece: bytes, words: Words = words) -> None:
            words(piece)
            calls.log.raw(piece)

        code = calls.client(["pull", "--", image], How(output, float("inf")))
        if code == 0:
            return
        said = words.text or exit_status(code)
    raise StepFailed(f"failed to pull image {image}: {said}")
