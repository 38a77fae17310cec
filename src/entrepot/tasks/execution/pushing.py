"""A push step: one image after another, each with its tries (ACR-TASKS 1.8)."""

from collections.abc import Collection
from functools import partial
from typing import Final

from entrepot.tasks.engines.model import Sink, TimedOut
from entrepot.tasks.execution.attesting import attest
from entrepot.tasks.execution.building import Shared
from entrepot.tasks.execution.caching import push_cache
from entrepot.tasks.execution.calls import Calls, How
from entrepot.tasks.execution.failures import StepFailed, timed_out
from entrepot.tasks.execution.images import ImageName, parse_image, to_push
from entrepot.tasks.execution.model import PublishFailed
from entrepot.tasks.execution.planning import Index, Planned
from entrepot.tasks.execution.watching import Digests, LineSink

TRIES: Final = 3
PAUSE: Final = 0.25


def push(about: Planned, calls: Calls, shared: Shared) -> None:
    """Raises StepFailed."""
    ends = calls.clock.now() + about.step.timeout
    built = dict.fromkeys(name for index in about.indexes for name in index.children.values())
    try:
        for name in built or to_push(about.step.push):
            _push_one(name, calls, ends, shared.digests)
            if cache := shared.caches.get(name):
                push_cache(cache, calls, ends - calls.clock.now())
            attest(name, calls, shared, ends)
    except TimedOut:
        raise StepFailed(timed_out("the step's", about.step.timeout)) from None
    for at, index in enumerate(about.indexes):
        needed = {name for later in about.indexes[at + 1 :] for name in later.children.values()}
        _put(index, calls, shared, needed)


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


def _put(index: Index, calls: Calls, shared: Shared, needed: Collection[str]) -> None:
    """``needed``: images of platforms whose tags are still wanted. Raises StepFailed."""
    image, publisher = _named(index.image), shared.work.publisher
    children = {platform: shared.digests.pushed(_named(name)) for platform, name in index.children.items()}
    if publisher is None or not all(children.values()):
        raise StepFailed("the engine did not tell the digests of what it pushed")
    temporary = [_named(name).tag for name in index.children.values() if name not in needed]
    calls.log.say(f"Pushing index: {index.image} of {', '.join(children)}")
    try:
        digest = publisher.put_index(image, children, temporary)
    except PublishFailed as failed:
        raise StepFailed(f"failed to push the index {index.image}: {failed}") from None
    shared.digests.add_pushed(image, digest)
    calls.log.say(f"Successfully pushed index: {index.image}, digest: {digest}")


def _named(name: str) -> ImageName:
    image = parse_image(name)
    if image is None:
        raise StepFailed(f"{name} is no name of an image")
    return image
