"""From what is to be run to steps that can run: what a quick build is in steps, and what no run may ask for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from entrepot.tasks.execution.builds import Build, parse_build, with_context_here
from entrepot.tasks.execution.commands import unusable_secrets
from entrepot.tasks.execution.failures import RunFailed
from entrepot.tasks.execution.images import parse_image, with_server
from entrepot.tasks.execution.model import Fetched, QuickBuild, Work
from entrepot.tasks.language.findings import Finding
from entrepot.tasks.language.model import Network, Step, Volume
from entrepot.tasks.language.reading import Task

# Of a quick build's steps, in seconds (ACR-TASKS 2.3).
BUILD_SECONDS: Final = 28_800
PUSH_SECONDS: Final = 3600
# Each is looked for in all that a step writes.
TEXTS_LIMIT: Final = 100
# In all volumes: each is a call of its own.
FILES_LIMIT: Final = 200
WITH_ALIASES: Final = "v1.1.0"
ALIASES: Final = (
    "Alias support enabled for version >= 1.1.0, please see https://aka.ms/acr/tasks/task-aliases for more information."
)


@dataclass(frozen=True, slots=True)
class Index:
    """``image``: its name in the end. ``children``: by platform, names of the images that are in it."""

    image: str
    children: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Planned:
    """A step, the steps it waits for, and, if it builds, what.

    ``text``: what follows docker build. ``quick``: the build is of a request, and is no text. ``names``: what the
    engine calls the image, where that is not what it is called in the end. ``indexes``: what a push puts together.
    """

    step: Step
    parents: tuple[str, ...] = ()
    build: Build | None = None
    text: str = ""
    quick: QuickBuild | None = None
    commit: str = ""
    names: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in file order. ``lines``: what the log says of the task before anything begins."""

    steps: tuple[Planned, ...]
    networks: tuple[Network, ...] = ()
    volumes: tuple[Volume, ...] = ()
    lines: tuple[str, ...] = ()


def plan(work: Work) -> Plan:
    """Raises RunFailed for what is refused here, before anything begins."""
    return _of_quick(work.job, work) if isinstance(work.job, QuickBuild) else _of_task(work.job, work)


def _of_quick(build: QuickBuild, work: Work) -> Plan:
    others = tuple(login.server for login in work.logins)
    images = tuple(dict.fromkeys(with_server(name, work.server, others) for name in build.images))
    if build.is_pushed and not images:
        raise RunFailed("step is missing a cmd, build, or push property")
    if build.is_pushed and not work.logins:
        raise RunFailed("when specifying push, at least one credential is required")
    if names := unusable_secrets(build):
        raise RunFailed(f"a secret build argument may not be called {names[0]}: the builder's client reads it")
    if len(build.platforms) > 1:
        return Plan(tuple(_of_platforms(build, images, work)))
    steps = [Planned(_build_step("build", build), (), build_of(build, images), quick=build, commit=work.commit)]
    if build.is_pushed:
        steps.append(Planned(_push_step(images, "build"), ("build",)))
    return Plan(tuple(steps))


def build_of(build: QuickBuild, images: tuple[str, ...] = ()) -> Build:
    """Of the folder it runs in."""
    arguments = {each.name: each.value for each in build.arguments if each.value is not None and not each.is_secret}
    platform = build.platforms[0] if build.platforms else ""
    return Build(images, build.dockerfile, ".", build.target, arguments, platform)


def _build_step(name: str, build: QuickBuild) -> Step:
    return Step(id=name, build=".", timeout=BUILD_SECONDS, working_directory=build.folder)


def _push_step(images: Iterable[str], after: str) -> Step:
    return Step(id="push", push=list(images), timeout=PUSH_SECONDS, when=[after])


def _of_platforms(build: QuickBuild, images: tuple[str, ...], work: Work) -> Iterator[Planned]:
    """A build for each platform, one after another, then one push. Until the index is there, the images of platforms
    have tags of their own: an engine pushes nothing without one. Raises RunFailed.
    """
    own = [name for name in images if name.startswith(f"{work.server}/")]
    if build.is_pushed and (work.publisher is None or len(own) < len(images)):
        raise RunFailed(
            "an image of several platforms is pushed to the run's own registry alone: build one platform, or name it"
            f" without a registry (login server {work.server})"
        )
    named = {name: parse_image(name) for name in images}
    if wrong := [name for name, image in named.items() if image is None or not image.tag]:
        raise RunFailed(f"{wrong[0]} is no name of an image")
    places = dict.fromkeys("/".join(image.place) for image in named.values() if image is not None)
    before: tuple[str, ...] = ()
    children: dict[str, tuple[str, ...]] = {}
    for platform in build.platforms:
        slug = platform.replace("/", "-")
        children[platform] = tuple(f"{place}:build-{work.id}-{slug}" for place in places)
        one = replace(build, platforms=(platform,))
        step = _build_step(f"build-{slug}", one)
        names = children[platform] if build.is_pushed else images
        yield Planned(step, before, build_of(one, images), quick=one, commit=work.commit, names=names)
        before = (step.id,)
    if build.is_pushed:
        of_place = {place: at for at, place in enumerate(places)}
        indexes = tuple(
            Index(name, {platform: names[of_place["/".join(image.place)]] for platform, names in children.items()})
            for name, image in named.items()
            if image is not None
        )
        yield Planned(_push_step(images, *before), before, indexes=indexes)


def _of_task(task: Task, work: Work) -> Plan:
    for step in task.steps:
        if step.privileged:
            raise RunFailed(f"step ID: {step.id} asks for privileged, which no run has here: remove the property")
        if len(step.retry_on_errors) > TEXTS_LIMIT:
            raise RunFailed(f"step ID: {step.id} has more than {TEXTS_LIMIT} texts in retryOnErrors")
    if sum(len(volume.secret) for volume in task.file.volumes) > FILES_LIMIT:
        raise RunFailed(f"volumes have more than {FILES_LIMIT} files")
    steps = tuple(_planned(step, task.parents[step.id], work) for step in task.steps)
    return Plan(steps, task.networks, tuple(task.file.volumes), tuple(_lines(task, work)))


def _planned(step: Step, parents: tuple[str, ...], work: Work) -> Planned:
    if not step.build:
        return Planned(step, parents)
    build, text, commit = parse_build(step.build), step.build, work.commit
    fetched: Fetched | None = work.fetched.get(step.id)
    if fetched is not None:
        text, commit = with_context_here(text, build.context), fetched.commit
        build, step = replace(build, context="."), _within(step, fetched.folder)
    return Planned(step, parents, build, text, commit=commit)


def _within(step: Step, folder: str) -> Step:
    return msgspec.structs.replace(step, working_directory=folder)


def _lines(task: Task, work: Work) -> Iterator[str]:
    if task.file.version == WITH_ALIASES:
        yield ALIASES
    yield from map(_told, task.warnings)
    for step in task.steps:
        if step.isolation.lower() not in {"", "default"}:
            yield f"Step ID: {step.id}: isolation is ignored, there are no Windows containers here"
        if step.timeout > work.timeout:
            yield f"Step ID: {step.id}: its timeout of {step.timeout} seconds is longer than the run's, {work.timeout}"


def _told(finding: Finding) -> str:
    place = "" if finding.place is None else f"line {finding.place.line}: "
    return f"Warning: {place}{finding}"
