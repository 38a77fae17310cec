"""A base image as a trigger sees it, and what happens to one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from sqlalchemy import Connection

from entrepot.jobs.model import Queue, Workflow
from entrepot.tasks.runs.model import ImageUpdate

KIND: Final = "image"
# Reads the Dockerfiles of a task before its first run; its id: the task's row.
SCAN: Final = Workflow("tasks.scan_bases", Queue("task-scans", at_once=1))
# Tells whoever a trigger names of a change; its id: the evaluation's row.
TELL: Final = Workflow("tasks.tell_of_base", Queue("task-tellings", at_once=2))


@dataclass(frozen=True, slots=True)
class Trigger:
    """The base image trigger of a task. ``counts_all``: images of build stages too. ``endpoint``: who is told of
    changes; ``tells_all``: of what changed, and not the token alone.
    """

    name: str
    counts_all: bool
    endpoint: str | None = None
    tells_all: bool = True


@dataclass(slots=True)
class Watched:
    """An image that a trigger waits for, as its row has it. ``label``: REGISTRY/TASK, as chains have it.

    ``seen``: the digest that its tag had, None where nobody knows; of an own one as of ``sequence`` in
    ``repository_id``.
    """

    task_id: int
    registry: str
    repository: str
    tag: str
    own: str | None
    type: str
    seen: str | None
    repository_id: int | None
    sequence: int
    is_signed_in: bool
    failures: int
    trigger: str
    counts_all: bool
    endpoint: str | None
    label: str

    @property
    def name(self) -> str:
        return f"{self.registry}/{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that gave an image another digest. ``id``: of this one time. ``chain``: the tasks that led to it."""

    id: str
    at: datetime
    chain: tuple[str, ...] = ()


# Makes the run of a task by its row's id, with the chain that led to it; its row's id. Raises Problem before it writes.
Begin: TypeAlias = Callable[[Connection, int, ImageUpdate, tuple[str, ...], datetime], int]


@dataclass(frozen=True, slots=True)
class Beginning:
    """How changes become runs. ``tell``: has the evaluation of this row told to the trigger's endpoint."""

    begin: Begin
    tell: Callable[[Connection, int], None]
