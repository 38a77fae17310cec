"""The steps of a run in their order, side by side where nothing stands between them (ACR-TASKS 2.1 to 2.3)."""

from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event
from typing import Final

from entrepot.tasks.engines.model import Machine
from entrepot.tasks.execution.building import Shared
from entrepot.tasks.execution.calls import Calls
from entrepot.tasks.execution.model import StepResult, StepState
from entrepot.tasks.execution.planning import Plan, Planned
from entrepot.tasks.execution.steps import Done, run_step

# Steps at once; further ones wait.
PARALLEL: Final = 64
# Seconds between two looks at whether the run is canceled.
LOOK: Final = 0.1


@dataclass(slots=True)
class Ran:
    """What became of each step that began, and what ended the run early."""

    done: dict[str, Done] = field(default_factory=dict[str, Done])
    first: Done | None = None

    def results(self, plan: Plan) -> tuple[StepResult, ...]:
        """In file order."""
        ids = [each.step.id for each in plan.steps]
        return tuple(self.done[name].result if name in self.done else StepResult(name) for name in ids)

    def add(self, done: Done) -> None:
        self.done[done.result.id] = done
        if self.first is None and (done.error or done.stopped is not None):
            self.first = done

    def lets_begin(self, about: Planned) -> bool:
        return all(name in self.done for name in about.parents)


def run_all(plan: Plan, calls: Calls, shared: Shared) -> Ran:
    """Until all steps are done, or one failed or the run was canceled: then all that run are ended first.

    Raises EngineFailed.
    """
    ran, stop = Ran(), Event()
    inner = calls.until(stop)
    waiting, running = list(plan.steps), dict[Future[Done], Planned]()
    with ThreadPoolExecutor(PARALLEL) as pool:
        try:
            while True:
                ready = [] if stop.is_set() else [each for each in waiting if ran.lets_begin(each)]
                for each in ready:
                    waiting.remove(each)
                    running[pool.submit(run_step, each, inner, shared, _exits(each, plan, ran))] = each
                if not running:
                    return ran
                finished = wait(running, timeout=LOOK, return_when=FIRST_COMPLETED).done
                for future in [each for each in running if each in finished]:
                    running.pop(future)
                    ran.add(future.result())
                if not stop.is_set() and (ran.first is not None or calls.canceled.is_set()):
                    stop.set()
                    _remove(calls.machine, shared.containers)
        finally:
            # Whatever happened here: no step goes on without anybody who waits for it.
            stop.set()


def _remove(machine: Machine, containers: set[str]) -> None:
    """At once: the client of a container that ignores being told to end would wait for it."""
    for name in sorted(containers.copy()):
        machine.remove(name)


def _exits(about: Planned, plan: Plan, ran: Ran) -> Mapping[str, int]:
    """Exit codes of the steps before it that may fail without ending the run; all others are 0."""
    parents = {each.step.id: each for each in plan.steps}
    found: dict[str, int] = {}
    looked: set[str] = set()
    left = list(about.parents)
    while left:
        name = left.pop()
        if name in looked:
            continue
        looked.add(name)
        step, code = parents[name].step, ran.done[name].result.exit_code
        left += parents[name].parents
        if code is not None and (step.ignore_errors or step.exited_with or step.exited_without):
            found[name] = code
    return dict(sorted(found.items()))


def is_whole(ran: Ran, plan: Plan) -> bool:
    return all(result.state is StepState.SUCCESSFUL for result in ran.results(plan))
