"""What a plan says in full: its task file read, its names rendered (ACR-TASKS 1, 3.1, 4.1)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from entrepot.tasks.contexts.inside import resolve
from entrepot.tasks.contexts.model import ContextFailed
from entrepot.tasks.contexts.texts import is_address
from entrepot.tasks.engines.model import WORKSPACE_VOLUME
from entrepot.tasks.execution.images import ALIASES
from entrepot.tasks.execution.model import BuildArgument, QuickBuild
from entrepot.tasks.language import reading
from entrepot.tasks.language.documents import read_values
from entrepot.tasks.language.reading import Given, Task
from entrepot.tasks.language.rendering import Renderer
from entrepot.tasks.model import Platform
from entrepot.tasks.runs.model import Build, Plan, Secrets, Steps

# Whoever may push a branch chooses its name, and a task's author puts it into a shell line. git permits $(...) in it.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.@+=,/#%-]*")
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
            architecture=re.split("[,/]", (platform.architecture or "amd64").lower())[0],
            commit=self.commit,
            branch=self.branch if is_plain(self.branch) else "",
            triggered_by=self.triggered_by,
            shared_volume=WORKSPACE_VOLUME,
            task_name=self.task,
        )


# The text of a vault's secret, by its address and the client id of who reads it, which may be empty.
Unlock: TypeAlias = Callable[[str, str], str]
# The text at an address, of so many bytes at most. Raises OSError.
FetchText: TypeAlias = Callable[[str, int], str]


def _no_vaults(url: str, client_id: str) -> str:  # noqa: ARG001  it is an Unlock
    raise ContextFailed(f"{url[:300]}: there are no vaults here")


def _no_addresses(url: str, limit: int) -> str:  # noqa: ARG001  it is a FetchText
    raise OSError(0, "addresses are not read here")


def is_plain(branch: str) -> bool:
    """Whether a shell reads the name as it stands. A branch of another name is not told to the task."""
    return _PLAIN.fullmatch(branch) is not None


@dataclass(frozen=True, slots=True)
class Reader:
    """``images``: by the names that task files have for them. ``fetch``: of further aliases."""

    renderer: Renderer
    images: Mapping[str, str]
    unlock: Unlock = _no_vaults
    fetch: FetchText = _no_addresses

    def load(self, root: Path, source: str) -> str:
        """Further aliases. Raises OSError, ContextFailed."""
        return self.fetch(source, FILE_LIMIT) if is_address(source) else _file(root, source)


def read_job(plan: Plan, secrets: Secrets, known: Reading, reader: Reader, root: Path) -> Task | QuickBuild:
    """``root``: the run's files. Raises TaskInvalid; ContextFailed for one that is not there; what ``unlock`` does."""
    happened: dict[str, object] = {} if plan.pushed is None else {**plan.pushed.values()}
    given = Given(known.given(plan.platform), happened)
    match plan.work:
        case Build() as build:
            return _build(build, plan, secrets, given, reader.renderer)
        case Steps() as steps:
            return read_steps(steps, secrets, given, reader, root)


def read_steps(steps: Steps, secrets: Secrets, known: Given, reader: Reader, root: Path) -> Task:
    """``known``: its values are those of what began the run. The rest is as for ``read_job``."""
    text = steps.text if not steps.path else _file(root, steps.path)
    values_text = steps.values_text if not steps.values_path else _file(root, steps.values_path)
    shown = {name: value or "" for name, value in steps.values.items()}
    values: dict[str, object] = {**read_values(values_text), **shown, **secrets.values, **known.values}
    given = replace(known, values=values, images={**ALIASES, **reader.images}, load=partial(reader.load, root))
    task = reader.renderer.read(text, given)
    if not task.file.secrets:
        return task
    # Where secrets are is itself rendered, so the file is read twice (ACR-TASKS 3.2).
    found = {each.id: reader.unlock(each.keyvault, each.client_id) for each in task.file.secrets}
    return reader.renderer.read(text, replace(given, secrets=found))


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
        docker_platforms(plan.platform),
        attestations=build.attestations,
    )


def docker_platforms(platform: Platform) -> tuple[str, ...]:
    """As docker writes them; none where the machine's own is meant."""
    if platform.architecture is None:
        return ()
    named = dict.fromkeys(platform.architecture.lower().replace("x86", "386").split(","))
    variant = f"/{platform.variant.lower()}" if platform.variant and len(named) == 1 else ""
    return tuple(f"{platform.os.lower()}/{architecture}{variant}" for architecture in named)


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
