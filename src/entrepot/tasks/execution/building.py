"""A build step: which builder, what it runs, what it stands on, its cache (ACR-TASKS 1.6, 4.1, 4.4)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from entrepot.tasks.engines.model import WORKSPACE, Sink, TimedOut
from entrepot.tasks.execution import commands
from entrepot.tasks.execution.builds import Build
from entrepot.tasks.execution.caching import Cache, Executed, Stage, cache_of, push_cache, usable, with_stages
from entrepot.tasks.execution.calls import Calls, How, Words
from entrepot.tasks.execution.dependencies import Scanned, dependencies, scan
from entrepot.tasks.execution.failures import StepFailed
from entrepot.tasks.execution.model import Built, Dependency, Work
from entrepot.tasks.execution.planning import Planned
from entrepot.tasks.execution.refreshing import Refreshing, refresh
from entrepot.tasks.execution.watching import Digests, LineSink, TextSink

# The client would ask registries for tokens itself. It has no network; the engine has one.
_WITH_BUILDKIT: Final[Mapping[str, str]] = {commands.BUILDKIT: "1", "BUILDKIT_NO_CLIENT_TOKEN": "1"}
# What the kernel says of a program for another processor, where nothing emulates that.
_FOREIGN: Final = "exec format error"
_EMULATION: Final = (
    "RUN for another platform needs emulation on the engine's machine (binfmt: the package qemu-user-static), or a"
    " Dockerfile that cross-compiles with FROM --platform=$BUILDPLATFORM"
)
_HELP_LIMIT: Final = 64 * 1024


def has_buildkit(calls: Calls, seconds: float) -> bool:
    """Whether the client can build with it: one from release 23 on needs buildx for that, and fails without."""
    if not calls.machine.has_buildkit:
        return False
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
    ``pushed``: what push steps push. ``caches``: by the image with which each is pushed, once it is built.
    ``built``: images of which something is to be said, by their names.
    """

    work: Work
    has_buildkit: bool
    digests: Digests = field(default_factory=Digests)
    # Each step's thread adds and removes its own name alone.
    containers: set[str] = field(default_factory=set[str])
    pushed: frozenset[str] = frozenset()
    caches: dict[str, str] = field(default_factory=dict[str, str])
    built: dict[str, Built] = field(default_factory=dict[str, Built])


@dataclass(frozen=True, slots=True)
class Building:
    """``build``: what ``about`` builds. ``found``: what its Dockerfile says, where that is known."""

    about: Planned
    build: Build
    calls: Calls
    shared: Shared
    folder: str
    cache: Cache | None = None
    found: Scanned | None = None

    def once(self, output: Sink, seconds: float) -> int:
        seen = TextSink(LineSink(output, self.shared.digests.see_base), [_FOREIGN])
        code = self._build_all(seen, self.calls.clock.now() + seconds)
        if code and seen.has_text:
            self.calls.log.say(f"{_FOREIGN}: {_EMULATION}")
        return code

    def _build_all(self, lines: Sink, ends: float) -> int:
        """Stages whose caches are kept, each with its own, then the image: of several caches that one build is given,
        BuildKit of docker 20.10 takes the one or the other.
        """
        made: list[str] = []
        for stage in self.cache.stages if self.cache else ():
            executed = Executed()
            code = self._build_stage(stage, LineSink(lines, executed.see), ends - self.calls.clock.now())
            if code:
                return code
            made += [stage.image] if executed.is_any else []
        code = self._build(lines, ends - self.calls.clock.now())
        if code == 0 and self.cache is not None:
            self._keep(self.cache, made, ends)
        return code

    def _build_stage(self, stage: Stage, lines: Sink, seconds: float) -> int:
        self.calls.log.say(f"Building the stage {stage.name}, whose cache is kept")
        line = commands.build_line(self.about.step, stage.text, stage.image)
        return self.calls.shell(line, How(lines, seconds, self.folder, _WITH_BUILDKIT))

    def _keep(self, cache: Cache, made: Iterable[str], ends: float) -> None:
        """``made``: caches of stages in which something was done; those of the others are there."""
        if cache.beside:
            self.shared.caches[cache.beside] = cache.image
            return
        for image in (cache.image, *made):
            push_cache(image, self.calls, ends - self.calls.clock.now())

    def _build(self, lines: Sink, seconds: float) -> int:
        # Unlike ACR's engine, which has it off; a step's own DOCKER_BUILDKIT=0 counts more.
        env = _WITH_BUILDKIT if self.shared.has_buildkit else {}
        cache = "" if self.cache is None else self.cache.image
        quick = self.about.quick
        if quick is None:
            line = commands.build_line(self.about.step, self.about.text, cache)
            return self.calls.shell(line, How(lines, seconds, self.folder, env))
        mounted = commands.quick_secrets(quick) if self.shared.has_buildkit else []
        options = [
            *commands.quick_arguments(quick, self.about.names or self.build.tags),
            *mounted,
            *commands.cache_arguments(cache),
        ]
        secrets = commands.quick_environment(quick)
        return self.calls.client([*options, "."], How(lines, seconds, self.folder, {**env, **secrets}))


def building(about: Planned, build: Build, calls: Calls, shared: Shared) -> Building:
    """Raises StepFailed for a folder that is none of the run's own: a build runs in the machine, not in a container."""
    folder = commands.folder_of(about.step)
    if folder != WORKSPACE and not folder.startswith(f"{WORKSPACE}/"):
        raise StepFailed(f"working directory {folder} is not within {WORKSPACE}, where builds run")
    cache = cache_of(about, shared.work, shared.pushed)
    cache = usable(cache, about, calls, has_buildkit=shared.has_buildkit)
    found = scan(calls, build, folder)
    cache = with_stages(cache, about, () if found is None else found.stages, calls)
    return Building(about, build, calls, shared, folder, cache, found)


def dependencies_of(building: Building, seconds: float) -> tuple[Dependency, ...]:
    """Without digests; what the engine has of them is refreshed. ``seconds``: for each image."""
    found = None if building.found is None else building.found.bases
    all_of = dependencies(building.build, found, building.about.commit)
    first = all_of[0]
    how = Refreshing(seconds, building.build.platform)
    refresh(building.calls, filter(None, (first.runtime, *first.buildtime)), building.shared.digests, how)
    return tuple(all_of)
