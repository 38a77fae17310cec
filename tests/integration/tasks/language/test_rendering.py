"""Task files read in a process of its own: the same as here, and what takes too much ends there."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from entrepot.tasks.language.findings import TaskInvalid
from entrepot.tasks.language.reading import Given, Run, read_task
from entrepot.tasks.language.rendering import Renderer

TASK = """\
version: v1.1.0
alias:
  values:
    repo: team/{{.Run.ID}}
  src: [more.yaml]
stepTimeout: 70
env: [A=1, "B={{.Values.b}}"]
networks: [{name: own, isDefault: true}]
unknown: x
steps:
  - id: build
    build: -t $Registry/$repo:$tag .
  - cmd: bash echo 'üñ {{.Secrets.s}}'
    when: [build]
    ports: [8080:50]
"""


def loading(source: str) -> str:
    if source != "more.yaml":
        raise FileNotFoundError(2, "no such file", source)
    return "tag: v7"


GIVEN = Given(
    run=Run(id="ab1", registry="x.example"),
    values={"b": 5, "deep": {"list": [1, None, True, 1.5]}},
    secrets={"s": "p'w"},
    images={"bash": "mcr/bash"},
    load=loading,
)


BUSY = (
    '{{ $x := "a" }}{{ range until 21 }}{{ $x = printf "%s%s" $x $x }}{{ end }}'
    '{{ range until 9000 }}{{ $y := replace "a" "bb" $x }}{{ end }}'
)


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    made = Renderer()
    yield made
    made.close()


def test_a_task_is_read_as_it_is_here(renderer: Renderer) -> None:
    assert renderer.read(TASK, GIVEN) == read_task(TASK, GIVEN)


@pytest.mark.parametrize(
    "text", ["steps: [", "steps: [{cmd: a, build: b}]\nx: y", "{{ nobody }}", "alias: {src: [none]}\nversion: v1.1.0"]
)
def test_what_is_wrong_is_told_as_it_is_here(text: str, renderer: Renderer) -> None:
    with pytest.raises(TaskInvalid) as here:
        read_task(text, GIVEN)
    with pytest.raises(TaskInvalid) as there:
        renderer.read(text, GIVEN)
    assert there.value.findings == here.value.findings


def test_texts_of_a_quick_build_are_rendered(renderer: Renderer) -> None:
    assert renderer.texts(["app:{{.Run.ID}}", "{{.Values.b}}", ""], GIVEN) == ["app:ab1", "5", ""]
    with pytest.raises(TaskInvalid, match="failed to parse template"):
        renderer.texts(["{{"], GIVEN)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{{ $x := "aaaaaaaa" }}{{ range until 60 }}{{ $x = printf "%s%s" $x $x }}{{ end }}', "more memory"),
        (
            "{{ $x := list 1 }}{{ range until 60 }}{{ $x = concat $x $x }}{{ end }}",
            "more memory|of a processor|longer than the",
        ),
        (BUSY, "seconds of a processor|longer than the"),
        ("{{ range until 9000 }}{{ range until 9000 }}{{ end }}{{ end }}", "iteration|limit|exceed"),
        ('{{ range until 200 }}{{ repeat 9999 "x" }}{{ end }}', "output|limit|exceed"),
        ('{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}', "depth|limit|exceed"),
        ("x: " + "[" * 100_000, "deep|nested|yaml"),
        ("a: &a [" + "x," * 900 + "]\nb: &b [" + "*a," * 900 + "]\nenv: *b", "more than|into string"),
    ],
    ids=["doubling", "lists", "busy", "ranges", "output", "itself", "nesting", "anchors"],
)
def test_a_bomb_ends_there_and_the_next_task_is_read(text: str, told: str, renderer: Renderer) -> None:
    with pytest.raises(TaskInvalid, match=told):
        renderer.read(text, GIVEN)
    assert renderer.read("steps: [{cmd: a}]", GIVEN).steps[0].cmd == "a"


def test_a_process_that_was_killed_is_replaced(renderer: Renderer) -> None:
    renderer.read(TASK, GIVEN)
    assert renderer._process is not None
    os.kill(renderer._process.pid, signal.SIGKILL)
    renderer._process.wait()
    assert renderer.read(TASK, GIVEN) == read_task(TASK, GIVEN)


def test_many_threads_each_get_their_own_task(renderer: Renderer) -> None:
    got: dict[int, str] = {}

    def read(number: int) -> None:
        got[number] = renderer.read("steps: [{cmd: 'x {{.Values.n}}'}]", Given(values={"n": number})).steps[0].cmd

    threads = [threading.Thread(target=read, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {number: f"x {number}" for number in range(20)}


def test_the_process_has_nothing_of_the_server(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTREPOT_SECRET", "s3cret")
    other = Renderer()
    try:
        other.read(TASK, GIVEN)
        assert other._process is not None
        assert b"s3cret" not in Path(f"/proc/{other._process.pid}/environ").read_bytes()
    finally:
        other.close()


def test_a_task_costs_little_once_the_process_is_there(renderer: Renderer) -> None:
    renderer.read(TASK, GIVEN)
    took: list[float] = []
    for _ in range(20):
        started = monotonic()
        renderer.read(TASK, GIVEN)
        took.append(monotonic() - started)
    assert min(took) < 0.3  # 0.02 on an idle machine
