"""A push step: one image after another, each with its tries (ACR-TASKS 1.8)."""

from functools import partial
from typing import Final

from entrepot.tasks.engines.model import Sink, TimedOut
from entrepot.tasks.execution.calls import Calls, How
from entrepot.tasks.execution.failures import StepFailed, timed_out
from entrepot.tasks.execution.images import parse_image, to_push
from entrepot.tasks.execution.watching import Digests, LineSink
from entrepot.tasks.language.model import Step

TRIES: Final = 3
PAUSE: Final = 0.25


def push(step: Step, calls: Calls, digests: Digests) -> None:
    """Raises StepFailed."""
    ends = calls.clock.now() + step.timeout
    try:
        for name in to_push(step.push):
            _push_one(name, calls, ends, digests)
    except TimedOut:
        raise StepFailed(timed_out("the step's", step.timeout)) from None


def _push_one(name: str, calls: Calls, ends: float, digests: Digests) -> None:
    for at in range(TRIES):
        if at:
            calls.wait(PAUSE * 2 ** (at - 1))
        calls.log.say(f"Pushing image: {name}, attempt {at + 1}")
        if calls.client(["push", "--", name], How(_seen(name, calls, digests), ends - calls.clock.now())) == 0:
            calls.log.say(f"Successfully pushed image: {name}")
            return
    raise StepFailed("failed to push images successfully")


def _seen(name: str, calls: Calls, digests: Digests) -> Sink:
    image = parse_image(name)
    return calls.log.raw if image is None else LineSink(calls.log.raw, partial(digests.see_push, image))
