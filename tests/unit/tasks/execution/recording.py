"""A machine, a log and a clock that record; the machine answers as a test says, and time passes only as a test says."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import normpath
from threading import Event, Lock

from entrepot.tasks.engines.model import Call, Canceled, EngineFailed, EngineImage, TimedOut
from entrepot.tasks.execution.executor import execute
from entrepot.tasks.execution.images import ImageName
from entrepot.tasks.execution.model import (
    Attachment,
    Fetched,
    Login,
    Origin,
    Outcome,
    PublishFailed,
    QuickBuild,
    Work,
)
from entrepot.tasks.language.reading import Given, Task, read_task

# Longer than any test takes; what waits so long failed.
PATIENCE = 30


class RecordingClock:
    """Waiting takes no time, and moves the clock on."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._now = 1000.0
        self.waits: list[float] = []

    def now(self) -> float:
        with self._lock:
            return self._now

    def wait(self, event: Event, seconds: float) -> bool:
        if event.is_set():
            return True
        self.waits.append(seconds)
        self.advance(seconds)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds


class RecordingLog:
    """``lines``: what was said, and each piece of output."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.lines: list[str] = []
        self.output = b""

    def say(self, text: str) -> None:
        with self._lock:
            self.lines.append(text)

    def raw(self, output: bytes) -> None:
        with self._lock:
            self.lines.append(output.decode())
            self.output += output


Answer = Callable[[Call], int]


@dataclass(frozen=True)
class Ends:
    """After so many seconds, with this output and exit code."""

    code: int = 0
    output: bytes = b""
    seconds: float = 0


def ends(code: int = 0, output: bytes = b"", seconds: float = 0) -> Ends:
    return Ends(code, output, seconds)


def waits_for_the_end(call: Call) -> int:
    """Until the call is canceled."""
    assert call.canceled.wait(PATIENCE), "nobody canceled the call"
    raise Canceled


@dataclass(frozen=True)
class Recorded:
    """A call. ``text``: the line, or ``docker`` and the arguments."""

    text: str
    call: Call


class RecordingMachine:
    """Runs nothing. A call is answered by the first rule whose pattern is found in it; without one it succeeds.
    ``files`` are those that are there; ``there``: the engine's images; ``asked``: which ones it was asked for.

    ``has_buildkit``: whether the client's help for builds, which is not recorded, knows of secrets.
    """

    def __init__(self, clock: RecordingClock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._rules: list[tuple[re.Pattern[str], Iterator[Ends | Answer]]] = []
        self.calls: list[Recorded] = []
        self.files: dict[str, bytes] = {}
        self.there: list[EngineImage] = []
        self.asked: list[list[str]] = []
        self.read_paths: list[str] = []
        self.is_silent = False
        self.removed: list[str] = []
        self.has_buildkit = True

    def on(self, pattern: str, *answers: Ends | Answer) -> None:
        """One call after another; the last answers all further ones."""

        def told() -> Iterator[Ends | Answer]:
            yield from answers
            while True:
                yield answers[-1]

        self._rules.append((re.compile(pattern), told()))

    def shell(self, line: str, call: Call) -> int:
        return self._answer(line, call)

    def client(self, arguments: Sequence[str], call: Call) -> int:
        return self._answer(" ".join(["docker", *arguments]), call)

    def write(self, path: str, content: bytes) -> None:
        self.files[path] = content

    def read(self, path: str, limit: int) -> bytes | None:
        self.read_paths.append(normpath(path))
        content = self.files.get(normpath(path))
        return None if content is None else content[:limit]

    def images(self, names: Sequence[str]) -> list[EngineImage]:
        if self.is_silent:
            raise EngineFailed("it does not answer")
        self.asked.append(list(names))
        return [image for image in self.there if set(image.tags) & set(names)]

    def remove(self, container: str) -> None:
        with self._lock:
            self.removed.append(container)

    def close(self) -> None:
        """Nothing is there."""

    def _answer(self, text: str, call: Call) -> int:
        if text == "docker build --help":
            call.output(
                b"      --secret stringArray   Secret to expose to the build\n" if self.has_buildkit else b"ERROR"
            )
            return 0 if self.has_buildkit else 1
        with self._lock:
            self.calls.append(Recorded(text, call))
            answers = next((answers for pattern, answers in self._rules if pattern.search(text)), None)
            answer: Ends | Answer = ends() if answers is None else next(answers)
        if not isinstance(answer, Ends):
            return answer(call)
        if answer.output:
            call.output(answer.output)
        self._clock.advance(min(answer.seconds, call.seconds))
        if answer.seconds > call.seconds:
            raise TimedOut
        return answer.code

    def of(self, pattern: str) -> list[Recorded]:
        return [each for each in self.calls if re.search(pattern, each.text)]

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.calls]


@dataclass
class RecordingPublisher:
    """A registry that takes everything, but for what ``refuses``."""

    refuses: str = ""
    indexes: list[tuple[str, dict[str, str], list[str]]] = field(default_factory=list)
    attached: list[tuple[str, Attachment]] = field(default_factory=list)

    def put_index(self, image: ImageName, children: Mapping[str, str], temporary: Sequence[str]) -> str:
        if self.refuses:
            raise PublishFailed(self.refuses)
        self.indexes.append((image.reference, dict(children), list(temporary)))
        return "sha256:" + "1" * 64

    def attach(self, image: ImageName, attachment: Attachment) -> str:
        if self.refuses:
            raise PublishFailed(self.refuses)
        self.attached.append((f"{'/'.join(image.place)}@{image.digest}", attachment))
        return "sha256:" + "2" * 64


@dataclass
class Bench:
    """What a test runs a task with, and looks at."""

    clock: RecordingClock = field(default_factory=RecordingClock)
    log: RecordingLog = field(default_factory=RecordingLog)
    canceled: Event = field(default_factory=Event)
    logins: tuple[Login, ...] = ()
    timeout: int = 3600
    task_name: str = ""
    commit: str = ""
    fetched: Mapping[str, Fetched] = field(default_factory=dict[str, Fetched])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    branch: str = ""
    platform: str = ""
    keeps_cache: bool = True
    publisher: "RecordingPublisher | None" = None
    sbom_image: str = ""
    known: dict[str, bool] = field(default_factory=dict[str, bool])

    def __post_init__(self) -> None:
        self.machine = RecordingMachine(self.clock)

    def run(self, job: str | Task | QuickBuild) -> Outcome:
        """``job``: a task file's text, or what was read."""
        work = Work(
            "r1",
            read_task(job, Given()) if isinstance(job, str) else job,
            "app.example.com",
            self.timeout,
            self.timeout,
            self.logins,
            self.task_name,
            self.commit,
            self.fetched,
            self.environment,
            known=self.known,
            branch=self.branch,
            platform=self.platform,
            keeps_cache=self.keeps_cache,
            publisher=self.publisher,
            origin=Origin("urn:entrepot:d", "ca1", "https://git.example.com/a.git", "docker 1"),
            sbom_image=self.sbom_image,
        )
        return execute(work, self.machine, self.log, self.canceled, self.clock)

    def told(self, text: str) -> bool:
        """Whether the log has a line with this text in it."""
        return any(text in line for line in self.log.lines)
