"""Where a build finds what an earlier one made, on whatever worker that was: its cache in the registry (ACR-TASKS 4.4).

The cache is within an image (``BUILDKIT_INLINE_CACHE``), the only form that each docker engine with BuildKit can write.
It is the built image itself under a tag of its own, so it costs a manifest. Of a step that asks for a cache, the stages
are kept as well that the image is made of, each as an image with its own cache.
"""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from entrepot.tasks.engines.model import TimedOut
from entrepot.tasks.execution import commands
from entrepot.tasks.execution.builds import cache_image, kept_cache_image, stage_cache_image, unnamed_text
from entrepot.tasks.execution.calls import Calls, How, Words
from entrepot.tasks.execution.images import to_push
from entrepot.tasks.execution.model import Work
from entrepot.tasks.execution.planning import Planned

# Stages of a build whose caches are kept.
_STAGES: Final = 8
_INSTRUCTION: Final = re.compile(r"#(\d+) \[[^\]]* \d+/\d+\] (?!FROM )")
_DONE: Final = re.compile(r"#(\d+) DONE ")


class Stage(NamedTuple):
    """``image``: holds its cache. ``text``: builds it, behind docker build."""

    name: str
    image: str
    text: str


@dataclass(frozen=True, slots=True)
class Cache:
    """``image``: holds the cache. ``beside``: the image with which it is pushed; without one it is pushed at once.
    ``stages``: those that have caches of their own.
    """

    image: str
    beside: str = ""
    stages: tuple[Stage, ...] = ()


class Executed:
    """Whether an instruction was done that was in no cache, by what BuildKit says."""

    def __init__(self) -> None:
        self._instructions: set[str] = set()
        self.is_any = False

    def see(self, line: str) -> None:
        if found := _INSTRUCTION.match(line):
            self._instructions.add(found[1])
        elif found := _DONE.match(line):
            self.is_any = self.is_any or found[1] in self._instructions


def pushed_images(steps: Iterable[Planned]) -> frozenset[str]:
    """What push steps name, each with its tag."""
    return frozenset(name for each in steps for name in to_push(each.step.push))


def cache_of(about: Planned, work: Work, pushed: frozenset[str]) -> Cache | None:
    """What the step asks for; or, for an image that the run pushes to its own registry, what it gets anyhow: nothing is
    written to a registry to which the task itself would not write.
    """
    step, build = about.step, about.build
    if build is None or step.cache.lower() == "disabled" or (about.quick and about.quick.no_cache):
        return None
    if step.cache:
        asked = cache_image(build, work.server, work.task_name, step.id)
        return Cache(asked) if asked else None
    if not work.keeps_cache or all(login.server != work.server for login in work.logins):
        return None
    mine = (name for name in to_push(list(build.tags)) if name in pushed and name.startswith(f"{work.server}/"))
    image = next(mine, "")
    kept = kept_cache_image(image, work.branch, build.platform or work.platform)
    return Cache(kept, about.names[0] if about.names else image) if kept else None


def usable(cache: Cache | None, about: Planned, calls: Calls, *, has_buildkit: bool) -> Cache | None:
    """None for builders that know no caches in registries; a step that asked for one is told."""
    if cache is None or (has_buildkit and not commands.is_classic(about.step)):
        return cache
    if not cache.beside:
        calls.log.say(f"Step ID: {about.step.id}: the cache is not used, it needs BuildKit")
    return None


def with_stages(cache: Cache | None, about: Planned, stages: Iterable[str], calls: Calls) -> Cache | None:
    """Where the step asked for it: their layers are in no image that it pushes, and may hold what it shows nobody."""
    if cache is None or cache.beside:
        return cache
    text = unnamed_text(about.text)
    named = [(stage, image) for stage in stages if (image := stage_cache_image(cache.image, stage))]
    if named and not text:
        calls.log.say(
            f"Step ID: {about.step.id}: the cache has the last stage alone: the build is more than one command"
        )
        return cache
    kept = (Stage(stage, image, f"--target {shlex.quote(stage)} {text}") for stage, image in named[:_STAGES])
    return replace(cache, stages=tuple(kept))


def push_cache(image: str, calls: Calls, seconds: float) -> None:
    """A failure is no failure of the run."""
    words = Words()
    try:
        is_kept = calls.client(["push", "--", image], How(words, seconds)) == 0
    except TimedOut:
        is_kept = False
    if not is_kept:
        calls.log.say(f"The build cache was not pushed to {image}: {words.text}")
