"""A build step: which builder, what it runs, what it stands on, its cache (ACR-TASKS 1.6, 4.1, 4.4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from entrepot.tasks.engines.model import WORKSPACE, Sink, TimedOut
from entrepot.tasks.execution import commands
from entrepot.tasks.execution.builds import Build, cache_image
from entrepot.tasks.execution.calls import Calls, How, Words
from entrepot.tasks.execution.dependencies import dependencies, scan
from entrepot.tasks.execution.failures import StepFailed
from entrepot.tasks.execution.model import Dependency, Work
from entrepot.tasks.execution.planning import Planned
from entrepot.tasks.execution.refreshing import refresh
from entrepot.tasks.execution.watching import Digests, LineSink

# The client would ask registries for tokens itself. It has no network; the engine has one.
_WITH_BUILDKIT: Final[Mapping[str, str]] = {commands.BUILDKIT: "1", "BUILDKIT_NO_CLIENT_TOKEN": "1"}
_HELP_LIMIT: Final = 64 * 1024


def has_buildkit(calls: Calls, seconds: float) -> bool:
    """Whether the client can build with it: one from release 23 on needs buildx for that, and fails without."""
    output = Words(_HELP_LIMIT)
    try:
        code = calls.client(["build", "--help"], How(output, seconds, env=_WITH_BUILDKIT))
    except TimedOut:
        return False
    # The classic builder knows no secrets.
    return code == 0 and b"--secret" in output.bytes


@dataclass(frozen=True, slots=True)
class Shared:
    """What all steps of a run have in common.

    ``has_buildkit``: whether builds can use it. ``containers``: names of those of steps that may still be there.
    """

    work: Work
    has_buildkit: bool
    digests: Digests = field(default_factory=Digests)
    # Each step's thread adds and removes its own name alone.
    containers: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class Building:
    """``build``: what ``about`` builds. ``cache``: an image, empty for none."""

    about: Planned
    build: Build
    calls: Calls
    digests: Digests
    has_buildkit: bool
    folder: str
    cache: str = ""

    def once(self, output: Sink, seconds: float) -> int:
        lines = LineSink(output, self.digests.see_base)
        # Unlike ACR's engine, which has it off; a step's own DOCKER_BUILDKIT=0 counts more.
        env = _WITH_BUILDKIT if self.has_buildkit else {}
        if quick := self.about.quick:
            mounted = commands.quick_secrets(quick) if self.has_buildkit else []
            arguments = [*commands.quick_arguments(quick, self.build.tags), *mounted, "."]
            secrets = commands.quick_environment(quick)
            return self.calls.client(arguments, How(lines, seconds, self.folder, {**env, **secrets}))
        ends = self.calls.clock.now() + seconds
        line = commands.build_line(self.about.step, self.about.text, self.cache)
        code = self.calls.shell(line, How(lines, seconds, self.folder, env))
        if code == 0 and self.cache:
            self._keep_cache(ends - self.calls.clock.now())
        return code

    def _keep_cache(self, seconds: float) -> None:
        """A failure is no failure of the build."""
        words = Words()
        try:
            is_kept = self.calls.client(["push", "--", self.cache], How(words, seconds)) == 0
        except TimedOut:
            is_kept = False
        if not is_kept:
            self.calls.log.say(f"The build cache was not pushed to {self.cache}: {words.text}")


def building(about: Planned, build: Build, calls: Calls, shared: Shared) -> Building:
    """Raises StepFailed for a folder that is none of the run's own: a build runs in the machine, not in a container."""
    folder = commands.folder_of(about.step)
    if folder != WORKSPACE and not folder.startswith(f"{WORKSPACE}/"):
        raise StepFailed(f"working directory {folder} is not within {WORKSPACE}, where builds run")
    cache = _cache(about, build, calls, shared)
    return Building(about, build, calls, shared.digests, shared.has_buildkit, folder, cache)


def _cache(about: Planned, build: Build, calls: Calls, shared: Shared) -> str:
    step, work = about.step, shared.work
    if step.cache.lower() != "enabled":
        return ""
    if commands.is_classic(step) or not shared.has_buildkit:
        calls.log.say(f"Step ID: {step.id}: the cache is not used, it needs BuildKit")
        return ""
    return cache_image(build, work.server, work.task_name, step.id)


def dependencies_of(building: Building, seconds: float) -> tuple[Dependency, ...]:
    """Without digests; what the engine has of them is refreshed. ``seconds``: for reading, and for each image."""
    found = scan(building.calls, building.build, building.folder, seconds)
    all_of = dependencies(building.build, found, building.about.commit)
    first = all_of[0]
    refresh(building.calls, filter(None, (first.runtime, *first.buildtime)), building.digests, seconds)
    return tuple(all_of)
