"""Steps that mean harm, as whole runs on a real engine: how each ends, and what is left of it (none)."""

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from tests.e2e.clients import Shell
from tests.e2e.tasks.engine.machines import Bench, Host, machine
from tests.services import wait_until

from entrepot.tasks.engines.model import HOME_VOLUME, WORKSPACE_VOLUME, Allowance
from entrepot.tasks.execution.executor import execute
from entrepot.tasks.execution.model import BuildArgument, Ending, Outcome, QuickBuild, Work
from entrepot.tasks.language.reading import Given, Task, read_task
from entrepot.tasks.logs.writing import LogWriter

pytestmark = [pytest.mark.xdist_group("task-engine"), pytest.mark.timeout(300)]

MIB = 1024 * 1024
SECRET = "correct-horse-battery-staple"
STUBBORN = "sh -c 'trap \"\" TERM; while :; do sleep 1; done'"


def ran(
    bench: Bench, job: Task | QuickBuild, *, canceled: Event | None = None, timeout: int = 120, limit: int = MIB
) -> tuple[Outcome, str]:
    """What came of a run, and its log as it is kept."""
    kept: list[bytes] = []
    work = Work(bench.run, job, "registry.example", timeout, timeout)
    with LogWriter(kept.append, lambda _: None, [SECRET], limit) as log:
        outcome = execute(work, bench.machine, log, canceled or Event())
    return outcome, b"".join(kept).decode(errors="replace")


def task(bench: Bench, *steps: str, **values: str) -> Task:
    """Of these steps, as YAML with IMAGE for the bench's own."""
    lines = [f"  - {step}".replace("IMAGE", bench.image) for step in steps]
    return read_task("\n".join(["version: v1.1.0", "steps:", *lines, ""]), Given(values=dict(values)))


def containers(admin: Shell, bench: Bench) -> list[str]:
    """Names of those of the run, but for its machine."""
    label = f"label=entrepot.own={bench.run}"
    return admin.run("docker", "ps", "--all", "--filter", label, "--format", "{{.Names}}").split()


def test_a_step_that_ignores_its_end_is_ended_at_its_limit(bench: Bench, admin: Shell) -> None:
    outcome, log = ran(bench, task(bench, f"id: stubborn\n    cmd: IMAGE {STUBBORN}\n    timeout: 3"))
    assert outcome.ending is Ending.FAILED
    assert "timed out (the step's limit of 3 seconds)" in log
    assert containers(admin, bench) == []


def test_a_run_has_a_few_networks_at_a_time(bench: Bench) -> None:
    """An engine has addresses for some thirty, of all runs."""
    bench.says("for n in 1 2 3 4 5 6 7 8; do docker network create n$n || exit; done")
    assert "a run may have 8 networks at a time" in bench.refuses("docker network create n9")
    bench.says("docker network rm n1 && docker network create n9")
    bench.says("for n in 1 2 3 4 5 6 7 8 9; do docker network rm n2 && docker network create n2 || exit; done")
    at_once = "for n in 1 2 3 4 5 6; do (docker network create o$n >/dev/null 2>&1 && echo made) & done; wait"
    assert bench.says(f"docker network rm n9 n2; {at_once}").count("made") == 2


def test_folders_without_end_are_removed_with_the_run(host: Host, tmp_path: Path) -> None:
    """What walks down by calling itself falls over a thousand of them, and so would every later run."""
    with machine(host, tmp_path) as bench:
        flags = f"--volume {WORKSPACE_VOLUME}:/workspace --volume {HOME_VOLUME}:/acb/home"
        deep = "d/" * 1900
        bench.step(flags, f"mkdir -p /workspace/{deep} /acb/home/{deep}")
        folder = host.engine.folder / bench.run
        assert folder.exists()
    assert not folder.exists()
    assert not bench.source.exists()


@pytest.mark.parametrize("command", [STUBBORN, "sh -c 'yes; true'"], ids=["stubborn", "flooding"])
def test_a_step_that_ignores_its_end_is_ended_with_the_run(bench: Bench, admin: Shell, command: str) -> None:
    """Also where the engine waits for somebody to take what the step says."""
    canceled, began = Event(), list[float]()

    def cancel() -> None:
        wait_until(lambda: containers(admin, bench) != [], "the step runs")
        time.sleep(2)
        began.append(time.monotonic())
        canceled.set()

    canceling = threading.Thread(target=cancel)
    canceling.start()
    outcome, _ = ran(bench, task(bench, f"cmd: IMAGE {command}"), canceled=canceled)
    canceling.join()
    assert time.monotonic() - began[0] < 30
    assert outcome.ending is Ending.CANCELED
    assert containers(admin, bench) == []


def test_a_step_that_forks_without_end_is_bounded_and_others_go_on(
    host: Host, bench: Bench, tmp_path: Path, admin: Shell
) -> None:
    bomb = "id: bomb\n    cmd: IMAGE sh -c 'bomb() { bomb | bomb & sleep 100; }; bomb; wait'\n    timeout: 5"
    with machine(host, tmp_path, Allowance(processes=64)) as small, ThreadPoolExecutor(1) as pool:
        bombing = pool.submit(ran, small, task(small, bomb))
        wait_until(lambda: containers(admin, small) != [], "the bomb runs")
        assert bench.step("", "echo alive") == "alive\n"
        outcome, _ = bombing.result()
        assert outcome.ending is Ending.FAILED
        assert containers(admin, small) == []


def test_a_flood_is_cut_and_its_end_is_kept(bench: Bench) -> None:
    """Reduced for CI: what is kept has nothing to do with how much comes."""
    flood = "cmd: IMAGE sh -c 'yes a line of a flood | head -c 60000000; echo; echo the last words'"
    outcome, log = ran(bench, task(bench, flood))
    assert outcome.ending is Ending.SUCCEEDED
    assert MIB <= len(log) < 2 * MIB
    assert "the last words" in log
    assert "bytes" in log[MIB - 1000 : MIB + 1000]


def test_detached_containers_end_with_the_run(bench: Bench, admin: Shell) -> None:
    by_hand = "cmd: -v /var/run/docker.sock:/var/run/docker.sock IMAGE docker run -d --name left IMAGE sleep 1000"
    step = f"id: detached\n    cmd: IMAGE {STUBBORN}\n    detach: true"
    outcome, log = ran(bench, task(bench, step, by_hand))
    assert outcome.ending is Ending.SUCCEEDED, log
    bench.machine.close()
    assert containers(admin, bench) == []


def test_a_secret_is_in_no_form_in_the_log(bench: Bench) -> None:
    """As it is, in two writes, in lines of its own, and in Base64 wherever it begins."""
    said = [
        "echo $SECRET",
        "printf correct-horse; sleep 0.3; echo -battery-staple",
        "echo $SECRET | base64; echo x$SECRET | base64; echo xy$SECRET | base64",
        "echo $SECRET >&2",
    ]
    step = f"cmd: --env SECRET={{{{.Values.key}}}} IMAGE sh -c '{'; '.join(said)}'"
    outcome, log = ran(bench, task(bench, step, key=SECRET))
    assert outcome.ending is Ending.SUCCEEDED, log
    assert log.count("***") >= 6, log
    encoded = [base64.b64encode(f"{lead}{SECRET}".encode()).decode()[4:28] for lead in ("", "x", "xy")]
    assert [form for form in (SECRET, "horse-battery", *encoded) if form in log] == []


@pytest.fixture
def hostile(bench: Bench) -> Path:
    """Appears where a word of a request was run by a shell."""
    (bench.source / "Dockerfile").write_text(
        f"FROM {bench.image} AS last\nARG value\nARG other\nRUN printf '%s' \"$value\" >/value\n"
    )
    return bench.source / "injected"


RUNS = "$(touch /workspace/injected)`touch /workspace/injected`; touch /workspace/injected #"


def test_arguments_of_a_quick_build_are_no_shell_text(bench: Bench, hostile: Path) -> None:
    arguments = (BuildArgument("value", RUNS), BuildArgument("other", f"'\"\n{RUNS}", is_secret=True))
    build = QuickBuild(images=(f"app:{bench.run}",), is_pushed=False, arguments=arguments)
    outcome, log = ran(bench, build)
    assert outcome.ending is Ending.SUCCEEDED, log
    assert not hostile.exists()
    assert bench.says(f"docker run --rm registry.example/app:{bench.run} cat /value") == RUNS


@pytest.mark.parametrize(
    "build",
    [
        QuickBuild(images=(f"app:{RUNS}",), is_pushed=False),
        QuickBuild(images=("--privileged",), is_pushed=False),
        QuickBuild(target=RUNS, is_pushed=False),
        QuickBuild(target="--network=host", is_pushed=False),
        QuickBuild(platforms=(RUNS,), is_pushed=False),
        QuickBuild(dockerfile=RUNS, is_pushed=False),
        QuickBuild(dockerfile="/etc/passwd", is_pushed=False),
        QuickBuild(folder="../..", is_pushed=False),
    ],
    ids=lambda build: str(build)[11:60],
)
def test_other_words_of_a_quick_build_are_none_either(bench: Bench, hostile: Path, build: QuickBuild) -> None:
    outcome, log = ran(bench, build)
    assert outcome.ending is Ending.FAILED, log
    assert not hostile.exists()
    assert "root:x:0" not in log


# Of a task file: what is a line for a shell by the language itself, and what is not.
LINES = {
    "cmd": "cmd: IMAGE echo {{.Values.given}}",
    "environment": "cmd: IMAGE true\n    env: ['GIVEN={{.Values.given}}']",
    "tag": "build: -t app:{{.Values.given}} .",
}
WORDS = {
    "push": "push: ['registry.example/app:{{.Values.given}}']",
    "folder": "cmd: IMAGE true\n    workingDirectory: '{{.Values.given}}'",
}
VALUES = {"substituted": "$({0})", "apart": "x; {0};", "backticks": "`{0}`"}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of the worker's, which whatever runs there may write."""
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def attacked(bench: Bench, outside: Path, step: str, value: str) -> None:
    (bench.source / "Dockerfile").write_text(f"FROM {bench.image}\n")
    given = value.format(f"touch /workspace/injected {outside}/injected")
    ran(bench, task(bench, step, given=given))


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("step", LINES.values(), ids=LINES)
def test_values_in_lines_for_a_shell_run_in_the_runs_own_machine_and_nowhere_else(
    bench: Bench, outside: Path, step: str, value: str
) -> None:
    attacked(bench, outside, step, value)
    assert (bench.source / "injected").exists()
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("step", WORDS.values(), ids=WORDS)
def test_values_elsewhere_in_a_task_file_are_no_shell_text(bench: Bench, outside: Path, step: str, value: str) -> None:
    attacked(bench, outside, step, value)
    assert not (bench.source / "injected").exists()
    assert list(outside.iterdir()) == []


def test_two_runs_with_equal_steps_side_by_side_do_not_meet(bench: Bench, other: Bench) -> None:
    def job(each: Bench) -> Task:
        return task(
            each,
            f"id: web\n    cmd: IMAGE sh -c 'while :; do echo {each.run} | nc -l -p 80; done'\n    detach: true",
            "id: ask\n    cmd: IMAGE sh -c 'until nc web 80 </dev/null; do sleep 0.2; done'",
            "id: stop\n    cmd: -v /var/run/docker.sock:/var/run/docker.sock IMAGE docker stop -t 1 web",
        )

    with ThreadPoolExecutor(2) as pool:
        both = [(each, pool.submit(ran, each, job(each))) for each in (bench, other)]
    for each, future in both:
        outcome, log = future.result()
        assert outcome.ending is Ending.SUCCEEDED, log
        assert each.run in log
        assert (other if each is bench else bench).run not in log
