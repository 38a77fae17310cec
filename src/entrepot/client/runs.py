"""Runs of tasks: what they work on is sent, their log is followed, their end is waited for."""

import base64
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import msgspec

from entrepot.client.http import Request, refused
from entrepot.client.management import Management
from entrepot.client.refusals import Refused, Unreachable, Unreadable

SUCCEEDED: Final = "Succeeded"
# A run's log is asked for anew when an answer ends, or breaks off so many times with nothing in between.
_BROKEN: Final = 6
_PAUSE_SECONDS: Final = 0.5
_PIECE: Final = 1024 * 1024


class Platform(msgspec.Struct, omit_defaults=True):
    os: str
    architecture: str | None = None
    variant: str | None = None


class TaskTrigger(msgspec.Struct, omit_defaults=True):
    name: str
    schedule: str | None = None
    status: str = "Enabled"


class Triggers(msgspec.Struct, rename="camel", omit_defaults=True):
    timer_triggers: list[TaskTrigger] = []
    source_triggers: list[TaskTrigger] = []
    base_image_trigger: TaskTrigger | None = None

    @property
    def names(self) -> list[str]:
        base = [] if self.base_image_trigger is None else [self.base_image_trigger]
        return [each.name for each in (*self.timer_triggers, *self.source_triggers, *base)]


class Step(msgspec.Struct, rename="camel", omit_defaults=True):
    type: str = ""
    context_path: str | None = None


class TaskProperties(msgspec.Struct, rename="camel", omit_defaults=True):
    status: str = "Enabled"
    timeout: int = 3600
    platform: Platform | None = None
    agent_pool_name: str | None = None
    step: Step | None = None
    trigger: Triggers = msgspec.field(default_factory=Triggers)


class Task(msgspec.Struct):
    id: str
    name: str
    properties: TaskProperties


class OutputImage(msgspec.Struct, omit_defaults=True):
    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None


class RunProperties(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """``run_error_message``: why it failed, or why it waits."""

    run_id: str
    status: str
    run_type: str
    create_time: str
    start_time: str | None = None
    finish_time: str | None = None
    task: str | None = None
    agent_pool_name: str | None = None
    output_images: list[OutputImage] = []
    run_error_message: str | None = None


class Run(msgspec.Struct):
    id: str
    name: str
    properties: RunProperties


class _Upload(msgspec.Struct, rename="camel"):
    upload_url: str
    relative_path: str


class _Link(msgspec.Struct, rename="camel"):
    log_link: str


class _Text(msgspec.Struct):
    text: str


@dataclass(frozen=True, slots=True)
class Runs:
    """Of one registry, by its id. All methods raise Refused, SignInNeeded, Unreachable, Unreadable."""

    management: Management
    registry: str
    pause: Callable[[float], None] = field(default=time.sleep)

    def upload(self, pieces: Iterable[bytes]) -> str:
        """Send an archive; what a request calls it."""
        place = self.management.post(f"{self.registry}/listBuildSourceUploadUrl", {}, _Upload)
        names: list[str] = []
        for number, piece in enumerate(pieces):
            name = base64.b64encode(b"%08d" % number).decode()
            self._put(f"{place.upload_url}&comp=block&blockid={name.replace('=', '%3D')}", piece)
            names.append(name)
        listed = "".join(f"<Latest>{name}</Latest>" for name in names)
        self._put(f"{place.upload_url}&comp=blocklist", f"<BlockList>{listed}</BlockList>".encode())
        return place.relative_path

    def _put(self, url: str, content: bytes) -> None:
        """To a URL that carries its own permission: no token goes with it."""
        answer = self.management.http.send(Request("PUT", self.management.own(url), content=content))
        if answer.status != HTTPStatus.CREATED:
            raise refused(answer) or Unreadable(f"the upload was answered {answer.status}")

    def schedule(self, request: Mapping[str, object]) -> Run:
        return self.management.post(f"{self.registry}/scheduleRun", {**request}, Run)

    def get(self, run: str) -> Run:
        return self.management.get(f"{self.registry}/runs/{run}", Run)

    def cancel(self, run: str) -> None:
        self.management.act(f"{self.registry}/runs/{run}/cancel")

    def log(self, run: str) -> Iterator[bytes]:
        """As far as it has come."""
        link, start = self._link(run), 0
        while True:
            asked = {"range": f"bytes={start}-{start + _PIECE - 1}"}
            answer = self.management.http.send(Request("GET", link, asked))
            if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}:
                return
            no = refused(answer)
            if no is not None:
                raise no
            yield answer.content
            start += len(answer.content)

    def follow(self, run: str) -> Iterator[str]:
        """The log as it comes, to its end; then the run has ended. Goes on where it was when a connection ends."""
        at, broken = "0", 0
        while broken < _BROKEN:
            before = at
            try:
                for event in self.management.http.events(self._link(run), at):
                    at = event.id
                    if event.name == "end":
                        return
                    if event.name == "log":
                        yield _text_of(event.content)
            except (Refused, Unreachable) as error:
                if not _passes(error):
                    raise
            else:
                continue
            broken = 0 if at != before else broken + 1
            self.pause(_PAUSE_SECONDS * 2**broken)
        raise Unreachable("the log breaks off again and again", f"the log of {run}, {broken} times")

    def _link(self, run: str) -> str:
        link = self.management.post(f"{self.registry}/runs/{run}/listLogSasUrl", {}, _Link).log_link
        return self.management.own(link)


def _passes(error: Refused | Unreachable) -> bool:
    """Whether it may be otherwise in a moment."""
    return isinstance(error, Unreachable) or error.status == HTTPStatus.TOO_MANY_REQUESTS


def _text_of(content: str) -> str:
    try:
        return msgspec.json.decode(content, type=_Text).text
    except msgspec.DecodeError as error:
        raise Unreadable(f"an event of a log cannot be read: {error}") from None
