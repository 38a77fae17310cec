"""What a plan says in full: its task file read, its names rendered (ACR-TASKS 1, 3.1, 4.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from entrepot.tasks.contexts.inside import resolve
from entrepot.tasks.contexts.model import ContextFailed
from entrepot.tasks.execution.model import BuildArgument, QuickBuild
from entrepot.tasks.language import reading
from entrepot.tasks.language.documents import read_values
from entrepot.tasks.language.reading import Given, Task
from entrepot.tasks.language.rendering import Renderer
from entrepot.tasks.model import Platform
from entrepot.tasks.runs.model import Build, Plan, Secrets, Steps

# Of the engine of ACR at the commit that ACR-TASKS was read from (ACR-TASKS 3.3).
IMAGES: Final[Mapping[str, str]] = {
    "acr": "mcr.microsoft.com/acr/acr-cli:0.19",
    "az": "mcr.microsoft.com/acr/azure-cli:2ff604c",
    "bash": "mcr.microsoft.com/acr/bash:2ff604c",
    "curl": "mcr.microsoft.com/acr/curl:2ff604c",
    "cssc": "mcr.microsoft.com/acr/cssc:2ff604c",
}
FILE_LIMIT: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """What templates find of a run. ``registry``, ``server``: its registry's name and login server."""

    name: str
    registry: str
    server: str
    task: str = ""
    commit: str = ""
    branch: str = ""
    triggered_by: str = ""

    def given(self, platform: Platform) -> reading.Run:
        return reading.Run(
            id=self.name,
            registry=self.server,
            registry_name=self.registry,
            date=f"{datetime.now(UTC):%Y%m%d-%H%M%Sz}",
            os=platform.os.lower(),
            architecture=(platform.architecture or "amd64").lower(),
            commit=self.commit,
            branch=self.branch,
            triggered_by=self.triggered_by,
            task_name=self.task,
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """``images``: by the names that task files have for them."""

    renderer: Renderer
    images: Mapping[str, str]


def read_job(plan: Plan, secrets: Secrets, known: Reading, reader: Reader, root: Path) -> Task | QuickBuild:
    """``root``: the run's files. Raises TaskInvalid; ContextFailed for a file that is not there."""
    run = known.given(plan.platform)
    match plan.work:
        case Build() as build:
            return _build(build, plan, secrets, Given(run), reader.renderer)
        case Steps() as steps:
            text = steps.text if not steps.path else _file(root, steps.path)
            values_text = steps.values_text if not steps.values_path else _file(root, steps.values_path)
            shown = {name: value or "" for name, value in steps.values.items()}
            values: dict[str, object] = {**read_values(values_text), **shown, **secrets.values}
            given = Given(run, values, images={**IMAGES, **reader.images}, load=lambda path: _file(root, path))
            return reader.renderer.read(text, given)


def _build(build: Build, plan: Plan, secrets: Secrets, given: Given, renderer: Renderer) -> QuickBuild:
    shown = [name for name in build.arguments if name not in secrets.arguments]
    texts = [*build.images, build.target, *(build.arguments[name] or "" for name in shown)]
    rendered = renderer.texts(texts, given)
    names, target, values = (
        rendered[: len(build.images)],
        rendered[len(build.images)],
        rendered[len(build.images) + 1 :],
    )
    known = dict(zip(shown, values, strict=True))
    arguments = [
        BuildArgument(name, known[name])
        if name in known
        else BuildArgument(name, secrets.arguments[name], is_secret=True)
        for name in build.arguments
    ]
    return QuickBuild(
        build.dockerfile,
        tuple(names),
        build.push and bool(names),
        build.no_cache,
        target,
        tuple(arguments),
        _platform(plan.platform),
    )


def _platform(platform: Platform) -> str:
    """As docker writes it; the machine's own unless said."""
    if platform.architecture is None:
        return ""
    architecture = platform.architecture.lower().replace("x86", "386")
    return "/".join(filter(None, (platform.os.lower(), architecture, (platform.variant or "").lower())))


def _file(root: Path, name: str) -> str:
    """A text of the run's files; what leads out of them is none. Raises ContextFailed."""
    try:
        path = resolve(root, name)
        if not path.is_file():
            raise FileNotFoundError
        if path.stat().st_size > FILE_LIMIT:
            raise ContextFailed(f"{name} has more than {FILE_LIMIT} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise ContextFailed(f"unable to read {name}: there is no such text file in the run's source") from None
