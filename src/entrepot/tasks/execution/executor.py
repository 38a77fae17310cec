"""A run from its first line to its last: what is needed, the steps, what came of them, and tidying (ACR-TASKS 2.2)."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Final

from entrepot.tasks.engines.model import Canceled, Machine
from entrepot.tasks.execution.building import Shared, has_buildkit
from entrepot.tasks.execution.caching import pushed_images
from entrepot.tasks.execution.calls import Calls, RunTimedOut
from entrepot.tasks.execution.dependencies import block, look_up, unknown, with_digests
from entrepot.tasks.execution.failures import RunFailed, timed_out
from entrepot.tasks.execution.model import (
    Clock,
    Dependency,
    Ending,
    MonotonicClock,
    Outcome,
    RunLog,
    StepResult,
    Work,
)
from entrepot.tasks.execution.planning import Plan, plan
from entrepot.tasks.execution.preparing import clean_up, configure, log_in, make_networks
from entrepot.tasks.execution.running import Ran, is_whole, run_all
from entrepot.tasks.execution.steps import Done
from entrepot.tasks.execution.volumes import fill_volumes
from entrepot.tasks.execution.watching import Digests

CANCELED: Final = "the run was canceled"
_BUILDKIT: Final = "buildkit"
_MONOTONIC: Final = MonotonicClock()


def execute(work: Work, machine: Machine, log: RunLog, canceled: Event, clock: Clock = _MONOTONIC) -> Outcome:
    """Blocks until the run is over, and nothing of its steps goes on. The machine stays open.

    ``canceled``: ends the run when it is set. Raises EngineFailed; the run can then be tried elsewhere.
    """
    calls = Calls(machine, log, clock, canceled, clock.now() + work.seconds)
    run = _Run(work, calls)
    try:
        outcome = run.outcome()
    finally:
        # Tidying is not the run's: its end, and its being canceled, do not count.
        after = Calls(machine, log, clock, Event(), clock.now() + work.limits.setup)
        clean_up(after, sorted(run.containers), run.networks, work.limits)
    if outcome.ending in {Ending.FAILED, Ending.TIMED_OUT}:
        log.raw(f"{outcome.error}\n".encode())
    return outcome


@dataclass(slots=True)
class _Run:
    work: Work
    calls: Calls
    containers: set[str] = field(default_factory=set[str])
    networks: list[str] = field(default_factory=list[str])
    steps: tuple[StepResult, ...] = ()

    def outcome(self) -> Outcome:
        try:
            planned = plan(self.work)
            self.steps = Ran().results(planned)
            with ThreadPoolExecutor(1) as pool:
                # Beside the log-ins: each takes as long as a client needs to start.
                looking = pool.submit(self._finds_buildkit, planned)
                self._prepare(planned)
            pushed = pushed_images(planned.steps)
            shared = Shared(self.work, looking.result(), containers=self.containers, pushed=pushed)
            ran = run_all(planned, self.calls, shared)
            self.steps = ran.results(planned)
            _end_early(ran, planned)
            found = self._tell(planned, ran, shared.digests)
        except RunFailed as failure:
            return Outcome(Ending.FAILED, str(failure), self.steps)
        except RunTimedOut as late:
            limit = timed_out("the run's", self.work.timeout)
            return Outcome(Ending.TIMED_OUT, f"{late}{limit}", self.steps)
        except Canceled:
            return Outcome(Ending.CANCELED, CANCELED, self.steps)
        images = tuple(dict.fromkeys(each.image for each in found if each.image is not None and each.image.digest))
        return Outcome(Ending.SUCCEEDED, "", self.steps, images, found)

    def _prepare(self, planned: Plan) -> None:
        limits = self.work.limits
        for line in planned.lines:
            self.calls.log.say(line)
        for name in make_networks(self.calls, planned.networks, limits):
            self.networks.append(name)
        own = [each for each in self.work.logins if each.server == self.work.server]
        configure(self.calls, own)
        for login in self.work.logins:
            if login not in own:
                log_in(self.calls, login, limits)
        steps = [each.step for each in planned.steps]
        fill_volumes(self.calls, planned.volumes, steps, limits, self.work.id)

    def _finds_buildkit(self, planned: Plan) -> bool:
        if all(each.build is None for each in planned.steps):
            return False
        # A client needs half a second to tell; it stays what it is while the worker runs. Machines do not.
        known = self.calls.machine.has_buildkit and self.work.known.get(_BUILDKIT, False)
        is_there = known or has_buildkit(self.calls, self.work.limits.setup)
        if is_there:
            self.work.known[_BUILDKIT] = True
        if not is_there:
            self.calls.log.say(
                "BuildKit is not here (it needs docker, buildx from docker 23 on, and no list of hosts as egress): "
                "builds use the engine's other builder"
            )
        return is_there

    def _tell(self, planned: Plan, ran: Ran, digests: Digests) -> tuple[Dependency, ...]:
        """What the log says of the steps and their images."""
        log, found = self.calls.log, list[Dependency]()
        for each in planned.steps:
            done = ran.done[each.step.id]
            log.say(
                f"Step ID: {each.step.id} marked as {done.result.state} "
                f"(elapsed time in seconds: {done.result.elapsed:.6f})"
            )
            if done.dependencies:
                log.say(f"Populating digests for step ID: {each.step.id}...")
                found += self._known(done.dependencies, digests)
                log.say(f"Successfully populated digests for step ID: {each.step.id}")
        if found:
            log.say("The following dependencies were found:")
            log.raw(f"{block(found)}\n".encode())
        return tuple(found)

    def _known(self, of_step: tuple[Dependency, ...], digests: Digests) -> list[Dependency]:
        inspected = look_up(self.calls, unknown(of_step, digests))
        return [with_digests(each, digests, inspected) for each in of_step]


def _end_early(ran: Ran, planned: Plan) -> None:
    """Raises what ended the run before its last step, if anything did."""
    match ran.first:
        case None if not is_whole(ran, planned):
            raise Canceled
        case Done(error=error) if error:
            raise RunFailed(error)
        case Done(stopped=RunTimedOut(), result=result):
            raise RunTimedOut(f"failed to run step ID: {result.id}: ")
        case Done():
            raise Canceled
        case None:
            pass
