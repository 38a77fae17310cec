"""Task files from their text to their end, on a real engine."""

import base64
from dataclasses import dataclass, field
from threading import Event, Timer

import pytest
from tests.e2e.tasks.engine.machines import BOTH, Bench

from entrepot.tasks.execution.executor import execute
from entrepot.tasks.execution.model import Ending, Outcome, Work
from entrepot.tasks.language.reading import Given, read_task
from entrepot.tasks.model import Platform
from entrepot.tasks.runs.reading import Reading

pytestmark = [pytest.mark.xdist_group("task-engine"), pytest.mark.timeout(300)]


@dataclass
class Log:
    """What the run says and what its steps write, in one text."""

    pieces: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.pieces.append(f"{text}\n")

    def raw(self, output: bytes) -> None:
        self.pieces.append(output.decode(errors="replace"))

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def ran(
    bench: Bench, text: str, canceled: Event | None = None, seconds: float = 200, given: Given | None = None
) -> tuple[Outcome, str]:
    log = Log()
    job = read_task(text.replace("IMAGE", bench.image).replace("RUN_NAME", bench.run), given or Given())
    outcome = execute(Work(bench.run, job, "localhost:5000", 600, seconds), bench.machine, log, canceled or Event())
    return outcome, log.text


WHOLE = f"""
version: v1.1.0
volumes:
  - name: v
    secret:
      key: {base64.b64encode(b"a secret").decode()}
steps:
  - id: build
    build: --tag RUN_NAME:1 .
  - id: nginx
    cmd: IMAGE nc -ll -p 80 -e echo hello
    detach: true
  - id: ask
    cmd: IMAGE sh -c 'until nc nginx 80 </dev/null; do sleep 0.1; done; cat /v/key' | tr a-z A-Z >asked
    volumeMounts:
      - name: v
        mountPath: /v
  - id: use
    cmd: RUN_NAME:1 cat /made
    when: ["build"]
  - id: stop
    cmd: IMAGE docker stop --time 1 nginx
"""


@BOTH
def test_steps_build_share_find_and_stop_each_other(bench: Bench) -> None:
    (bench.source / "Dockerfile").write_text(f"FROM {bench.image}\nRUN echo built >/made\n")
    outcome, said = ran(bench, WHOLE)
    assert outcome.ending is Ending.SUCCEEDED, said
    assert (bench.source / "asked").read_text() == "HELLO\nA SECRET"
    assert "built\n" in said
    assert [image.runtime.reference for image in outcome.dependencies if image.runtime] == [bench.image]
    assert bench.says("docker ps --all --quiet") == ""


@BOTH
def test_a_step_gives_its_own_containers_the_work_folder_by_its_volumes_name(bench: Bench) -> None:
    text = """
version: v1.1.0
steps:
  - cmd: IMAGE sh -c 'echo written >made'
  - cmd: IMAGE docker run --rm -v $SharedVolume:/w IMAGE cat /w/made
  - cmd: IMAGE docker run --rm -v {{.Run.SharedVolume}}:/w IMAGE cat /w/made
"""
    told = Given(Reading("ca1", "local", "localhost:5000").given(Platform("linux")))
    outcome, said = ran(bench, text, given=told)
    assert outcome.ending is Ending.SUCCEEDED, said
    assert said.count("written\n") == 2


@BOTH
def test_a_failing_step_ends_its_siblings(bench: Bench) -> None:
    text = """
version: v1.1.0
steps:
  - id: long
    cmd: IMAGE sh -c "trap '' TERM; sleep 1000"
    when: ["-"]
  - id: wrong
    cmd: IMAGE sh -c 'sleep 2; exit 7'
    when: ["-"]
"""
    outcome, said = ran(bench, text)
    assert (outcome.ending, outcome.error) == (Ending.FAILED, "failed to run step ID: wrong: exit status 7"), said
    assert bench.says("docker ps --all --quiet") == ""


@BOTH
def test_a_canceled_run_leaves_no_container(bench: Bench) -> None:
    canceled = Event()
    Timer(4, canceled.set).start()
    outcome, _ = ran(bench, "steps:\n  - cmd: IMAGE sleep 1000\n", canceled)
    assert outcome.ending is Ending.CANCELED
    assert bench.says("docker ps --all --quiet") == ""


def test_a_step_has_its_limit(bench: Bench) -> None:
    outcome, said = ran(bench, "steps:\n  - cmd: IMAGE sh -c \"trap '' TERM; sleep 1000\"\n    timeout: 2\n")
    assert outcome.ending is Ending.FAILED
    assert "timed out" in said + outcome.error
    assert bench.says("docker ps --all --quiet") == ""
