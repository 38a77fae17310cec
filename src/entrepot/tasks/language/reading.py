"""From the text of a task file to a task that can run."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import msgspec

from entrepot.tasks.language import aliases, graph
from entrepot.tasks.language.aliases import Aliases, Load
from entrepot.tasks.language.checks import check
from entrepot.tasks.language.documents import read_document
from entrepot.tasks.language.findings import Finding, Place, TaskInvalid
from entrepot.tasks.language.model import RETRY_SECONDS, STEP_SECONDS, Network, Step, TaskFile
from entrepot.tasks.language.templates import render

DEFAULT_NETWORK: Final = Network(name="acb_default_network", driver="bridge", is_default=True)


@dataclass(frozen=True, slots=True)
class Run:
    """What templates find under ``.Run`` (ACR-TASKS 3.1)."""

    id: str = ""
    registry: str = ""
    registry_name: str = ""
    date: str = ""
    os: str = "linux"
    os_version: str = ""
    architecture: str = "amd64"
    commit: str = ""
    branch: str = ""
    git_tag: str = ""
    repository: str = ""
    triggered_by: str = ""
    shared_volume: str = ""
    task_name: str = ""

    def names(self) -> dict[str, object]:
        return {
            "ID": self.id,
            "Registry": self.registry,
            "RegistryName": self.registry_name,
            "Date": self.date,
            "OS": self.os,
            "OSVersion": self.os_version,
            "Architecture": self.architecture,
            "Commit": self.commit,
            "Branch": self.branch,
            "GitTag": self.git_tag,
            "Repository": self.repository,
            "TriggeredBy": self.triggered_by,
            "SharedVolume": self.shared_volume,
            "TaskName": self.task_name,
        }


def _nothing(source: str) -> str:
    raise FileNotFoundError(2, "there are no further files here", source)


@dataclass(frozen=True, slots=True)
class Given:
    """What a task file is read with. ``images``: names that ``cmd`` may begin with, and the image of each."""

    run: Run = field(default_factory=Run)
    values: Mapping[str, object] = field(default_factory=dict[str, object])
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    images: Mapping[str, str] = field(default_factory=dict[str, str])
    load: Load = _nothing

    def root(self) -> dict[str, object]:
        run = self.run.names()
        return {"Run": run, "Build": run, "Values": dict(self.values), "Secrets": dict(self.secrets)}


@dataclass(frozen=True, slots=True)
class Task:
    """Steps in file order with every default filled in; ``parents``: for each step those that it waits for."""

    file: TaskFile
    steps: tuple[Step, ...]
    networks: tuple[Network, ...]
    parents: Mapping[str, tuple[str, ...]]
    warnings: tuple[Finding, ...] = ()


def read_task(text: str, given: Given) -> Task:
    """Raises TaskInvalid, which tells everything that is wrong at the stage that failed."""
    yaml, named, lines = _expanded(text, given)
    with _told_of(lines):
        file, read = read_document(yaml, TaskFile)
    places = {path: _in_source(place, lines) for path, place in read.places.items()}
    warnings = [_moved(finding, lines) for finding in read.findings]
    wrong = check(file, places)
    if wrong:
        raise TaskInvalid([*warnings, *wrong])
    networks = tuple(file.networks) or (DEFAULT_NETWORK,)
    steps = tuple(_ready(step, at, file, _default_of(networks), named) for at, step in enumerate(file.steps))
    return Task(file, steps, networks, graph.parents(file.steps), tuple(warnings))


def rendered(text: str, given: Given) -> str:
    """The YAML that is left once comments, aliases and templates are gone. Raises TaskInvalid."""
    return _expanded(text, given)[0]


def _expanded(text: str, given: Given) -> tuple[str, Aliases | None, tuple[int, ...] | None]:
    """The YAML, the aliases where there are some, and of which line of the source each line is, if that is known."""
    kept, named = aliases.without_comments(text), None
    body = kept.text
    if aliases.has_aliases(body):
        block, kept = aliases.split(kept)
        with _told_of(block.lines):
            named = aliases.read_aliases(block.text, given.root(), given.images, given.load)
        body = aliases.replace(kept.text, named)
    with _told_of(kept.lines):
        yaml = render(body, given.root())
    if body.strip() and not yaml.strip():
        raise TaskInvalid([Finding("unable to render task: rendered template was empty")])
    # What was put in may have had lines of its own.
    is_as_high = yaml.count("\n") + (not yaml.endswith("\n")) == len(kept.lines)
    return yaml, named, kept.lines if is_as_high else None


@contextmanager
def _told_of(lines: tuple[int, ...] | None) -> Generator[None]:
    """What is wrong is told with its places in the source."""
    try:
        yield
    except TaskInvalid as wrong:
        raise TaskInvalid([_moved(each, lines) for each in wrong.findings]) from wrong


def _in_source(place: Place, lines: tuple[int, ...] | None) -> Place:
    if lines is None or place.line > len(lines):
        return place
    return Place(lines[place.line - 1], place.column)


def _moved(finding: Finding, lines: tuple[int, ...] | None) -> Finding:
    place = None if finding.place is None else _in_source(finding.place, lines)
    return Finding(finding.message, place, finding.hint, finding.is_error)


def _default_of(networks: tuple[Network, ...]) -> str:
    """The last that says so."""
    return next((network.name for network in reversed(networks) if network.is_default), "")


def _ready(step: Step, at: int, file: TaskFile, network: str, named: Aliases | None) -> Step:
    seconds = file.step_timeout if file.step_timeout > 0 else STEP_SECONDS
    return msgspec.structs.replace(
        step,
        id=graph.step_id(step, at),
        cmd=step.cmd if named is None or not step.cmd else aliases.expand_first_word(step.cmd, named),
        timeout=step.timeout if step.timeout > 0 else seconds,
        retry_delay=step.retry_delay if step.retry_delay > 0 else RETRY_SECONDS,
        env=_merged(file.env, step.env),
        working_directory=step.working_directory or file.working_directory,
        network=step.network or network,
    )


def _merged(of_task: list[str], of_step: list[str]) -> list[str]:
    """The task's first; one entry of it may hold several. The step's win by name."""
    own = {entry.partition("=")[0] for entry in of_step}
    inherited = [each for entry in of_task for each in entry.split(",") if each.partition("=")[0] not in own]
    return [*inherited, *of_step]
