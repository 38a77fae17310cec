"""Further aliases at an address, from a real web server (ACR-TASKS 3.3; section 11: valid-remote, invalid-remote)."""

import ssl
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from tests.outside import Asked, Server, answer, ok, redirect, serving

from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound
from entrepot.tasks.contexts.model import Means
from entrepot.tasks.contexts.texts import fetch_text
from entrepot.tasks.engines.model import Canceled
from entrepot.tasks.language.findings import TaskInvalid
from entrepot.tasks.language.reading import Task
from entrepot.tasks.language.rendering import Renderer
from entrepot.tasks.model import Platform
from entrepot.tasks.runs.model import Plan, Secrets, Steps
from entrepot.tasks.runs.reading import FILE_LIMIT, Reader, Reading, read_job

TASK = """\
version: v1.1.0
alias:
  src: [SOURCES]
  values: {third: of the file}
steps:
  - cmd: $first $second $third
"""
FAILED = "unable to search/replace aliases in task: "


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    made = Renderer()
    yield made
    made.close()


@pytest.fixture
def outbound() -> Iterator[Outbound]:
    made = Outbound(Permitted.of(["127.0.0.1"]), ssl.create_default_context())
    yield made
    made.close()


Read = Callable[..., str]


@pytest.fixture
def read(renderer: Renderer, outbound: Outbound, tmp_path: Path) -> Read:
    """The command of a task whose aliases are at these places."""

    def of(*sources: str, canceled: Event | None = None) -> str:
        means = Means(outbound, tmp_path, canceled=canceled or Event())
        reader = Reader(renderer, {}, fetch=partial(fetch_text, means))
        plan = Plan(Steps(text=TASK.replace("SOURCES", ", ".join(map(repr, sources)))), Platform("linux"), 300)
        task = read_job(plan, Secrets(), Reading("ca1", "local", "localhost:5000"), reader, tmp_path)
        assert isinstance(task, Task)
        return task.steps[0].cmd

    return of


@pytest.fixture
def refusal(read: Read) -> Callable[..., str]:
    def of(*sources: str) -> str:
        with pytest.raises(TaskInvalid) as raised:
            read(*sources)
        return str(raised.value)

    return of


def at(server: Server, path: str = "aliases.yaml") -> str:
    return f"http://{server.place}/{path}"


def test_aliases_at_an_address_are_read_among_those_of_files(read: Read, tmp_path: Path) -> None:
    (tmp_path / "near.yaml").write_text("first: of a file\n")
    with serving(lambda _: ok(b"# two\nfirst: from afar\nsecond: '{{.Run.ID}}'\nthird: x\n")) as server:
        assert read(at(server, "a.yaml?sig=abc"), "near.yaml") == "of a file ca1 of the file"
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("GET", "/a.yaml?sig=abc")
    assert "authorization" not in {name.lower() for name in asked.headers}


def test_an_empty_answer_adds_nothing_and_a_redirect_is_followed(read: Read) -> None:
    def answers(asked: Asked) -> Iterable[bytes]:
        return ok() if asked.target == "/there" else redirect("/there")

    with serving(answers) as server:
        assert read(at(server)) == "$first $second of the file"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (answer(404, b"no such\nblob"), "failed to GET it, with status 404 Not Found: no such blob"),
        (answer(304), "failed to GET it, with status 304 Not Modified"),
        (ok(b"- a\n- b\n"), "cannot unmarshal"),
        (ok(b"a-b: c\n"), "alias key names only support alphanumeric characters"),
        (ok(b"a: \xff\n"), "is no text"),
        (ok(b"a: " + b"x" * FILE_LIMIT), "the answer is larger than is accepted"),
    ],
    ids=["absent", "not modified", "a list", "a key", "no text", "too long"],
)
def test_what_is_no_list_of_aliases_fails_the_reading(
    refusal: Callable[..., str], given: list[bytes], reason: str
) -> None:
    with serving(lambda _: given) as server:
        said = refusal(at(server, "a.yaml?sig=abc"))
    assert said.startswith(FAILED)
    assert reason in said
    assert "sig=abc" not in said


def test_a_refusal_names_the_address(refusal: Callable[..., str]) -> None:
    with serving(lambda _: answer(403)) as server:
        assert refusal(at(server)).startswith(f"{FAILED}{at(server)}: failed to GET it, with status 403 Forbidden")


def test_who_does_not_answer_in_two_seconds_fails_the_reading(refusal: Callable[..., str]) -> None:
    def silent(_asked: Asked) -> Iterable[bytes]:
        server.over.wait(20)
        yield b""

    with serving(silent) as server:
        assert "did not come in time (2 seconds)" in refusal(at(server))


def test_what_is_not_to_be_called_is_not(refusal: Callable[..., str]) -> None:
    said = refusal("http://127.0.0.2/a.yaml")
    assert "its address is not public" in said


def test_a_run_that_is_canceled_reads_no_further(read: Read) -> None:
    canceled = Event()

    def cancels(_asked: Asked) -> Iterable[bytes]:
        canceled.set()
        server.over.wait(20)
        yield b""

    with serving(cancels) as server, pytest.raises(Canceled):
        read(at(server), canceled=canceled)
