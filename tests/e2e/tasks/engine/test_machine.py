import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.e2e.clients import Shell
from tests.e2e.tasks.engine.machines import BOTH, Bench, Host, machine, opened
from tests.services import wait_until

from entrepot.tasks.engines.docker import engine as engine_module
from entrepot.tasks.engines.docker.engine import find
from entrepot.tasks.engines.docker.image import found_programs
from entrepot.tasks.engines.docker.places import Place
from entrepot.tasks.engines.docker.report import report
from entrepot.tasks.engines.docker.site import Site
from entrepot.tasks.engines.model import WORKSPACE_VOLUME, Allowance, Canceled, EngineFailed, TimedOut

pytestmark = [pytest.mark.xdist_group("task-engine"), pytest.mark.timeout(300)]

MIB = 1024 * 1024


def test_a_line_runs_in_the_workspace_with_the_homes_log_ins(bench: Bench) -> None:
    (bench.source / "hello").write_text("from the source")
    assert bench.says('cat hello; echo; echo "$HOME"; pwd | tr a-z A-Z') == "from the source\n/acb/home\n/WORKSPACE\n"


def test_a_lines_exit_code_and_errors_are_told(bench: Bench) -> None:
    assert bench.tried("echo out; echo err >&2; exit 42") == (42, "out\nerr\n")


def test_a_call_has_its_folder_environment_and_input(bench: Bench) -> None:
    (bench.source / "below").mkdir()
    said = bench.says('pwd; echo "$SECRET"; cat', folder="/workspace/below", env={"SECRET": "it's"}, input=b"given")
    assert said == "/workspace/below\nit's\ngiven"


def test_without_input_a_line_reads_nothing(bench: Bench) -> None:
    assert bench.says("cat; echo end") == "end\n"


def test_the_client_runs_without_a_shell(bench: Bench) -> None:
    said, call = bench.call()
    assert bench.machine.client(["run", "--rm", bench.image, "echo", "$(id);", "a  b"], call) == 0
    assert b"".join(said) == b"$(id); a  b\n"


def test_a_line_that_leaves_something_behind_ends_by_itself(bench: Bench) -> None:
    assert bench.says("sleep 1000 & echo started", seconds=60) == "started\n"


@BOTH
def test_the_machine_has_no_network_no_capabilities_and_a_root_that_stays(bench: Bench) -> None:
    assert bench.says("ip -o link | wc -l").strip() == "1"
    assert "CapEff:\t0000000000000002\n" in bench.says("cat /proc/self/status")  # DAC_OVERRIDE alone
    assert "Read-only" in bench.refuses("touch /bin/x")
    assert bench.says("grep NoNewPrivs /proc/self/status").split() == ["NoNewPrivs:", "1"]


@BOTH
def test_an_engine_of_root_is_told_as_such(host: Host) -> None:
    assert "rights: root: " in "\n".join(report(host.engine, found_programs()))


@BOTH
def test_a_call_that_ignores_sigterm_is_ended_with_all_that_it_started(bench: Bench) -> None:
    line = "trap '' TERM; setsid sh -c \"trap '' TERM; sleep 4000\" & sleep 4000 & echo here; while :; do sleep 1; done"
    with pytest.raises(TimedOut):
        bench.says(line, seconds=1.5)
    assert bench.says("ps | grep -c '[s]leep 4000' || true").strip() == "0"


def test_a_call_is_canceled_within_seconds(bench: Bench) -> None:
    threading.Timer(1, bench.canceled.set).start()
    began = time.monotonic()
    with pytest.raises(Canceled):
        bench.says("sleep 1000")
    assert time.monotonic() - began < 30


def test_a_canceled_build_ends_in_the_engine_too(bench: Bench, admin: Shell) -> None:
    (bench.source / "Dockerfile").write_text(f"FROM {bench.image}\nRUN echo building; sleep 1000\n")
    threading.Timer(4, bench.canceled.set).start()
    with pytest.raises(Canceled):
        bench.says("DOCKER_BUILDKIT=0 docker build .")
    wait_until(lambda: "sleep 1000" not in admin.run("docker", "ps", "--no-trunc"), "the build's container is gone")


def test_a_container_is_removed_whatever_it_does(bench: Bench) -> None:
    bench.detached("stubborn", command="sh -c \"trap '' TERM; while :; do sleep 1; done\"")
    bench.machine.remove("stubborn")
    bench.machine.remove("stubborn")
    assert bench.says("docker ps --all --quiet") == ""


def test_much_output_streams_without_being_kept(bench: Bench) -> None:
    total, before = 0, _memory()

    def count(piece: bytes) -> None:
        nonlocal total
        total += len(piece)

    _, call = bench.call()
    call = type(call)(count, call.seconds, call.canceled)
    assert bench.machine.shell("dd if=/dev/zero bs=1M count=100 2>/dev/null", call) == 0
    assert total == 100 * MIB
    assert _memory() - before < 40 * MIB


@BOTH
def test_a_step_that_floods_streams_through_the_socket(bench: Bench) -> None:
    assert bench.says(
        f"docker run --rm {bench.image} dd if=/dev/zero bs=1M count=100 2>/dev/null | wc -c"
    ).strip() == str(100 * MIB)


def test_a_file_is_written_for_its_owner_alone(bench: Bench) -> None:
    bench.machine.write("/acb/home/.docker/config.json", b'{"auths": {}}')
    assert bench.says("cat ~/.docker/config.json; ls -l ~/.docker/config.json").startswith('{"auths": {}}-rw-------')
    bench.machine.write("/workspace/a b/$c", b"x")
    assert (bench.source / "a b" / "$c").read_bytes() == b"x"


@pytest.mark.parametrize("path", ["/etc/passwd", "/workspace", "/workspace/../etc/x", "relative", "/acb/homes"])
def test_nothing_is_written_elsewhere(bench: Bench, path: str) -> None:
    with pytest.raises(EngineFailed, match="is not below"):
        bench.machine.write(path, b"x")


def test_a_fork_bomb_ends_with_its_call_and_the_machine_goes_on(host: Host, tmp_path: Path) -> None:
    with machine(host, tmp_path, Allowance(processes=64)) as bench:
        with pytest.raises(TimedOut):
            bench.says("bomb() { bomb | bomb & sleep 100; }; bomb & while :; do :; done", seconds=3)
        assert bench.says("echo alive") == "alive\n"


@BOTH
def test_a_container_of_a_run_has_the_runs_limits(host: Host, tmp_path: Path, admin: Shell) -> None:
    with machine(host, tmp_path, Allowance(memory=64 * MIB, cpus=0.5, processes=50)) as bench:
        bench.detached("greedy", "--memory 10g --cpus 2 --pids-limit -1")
        limits = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}"
        told = admin.run("docker", "inspect", "--format", limits, f"{bench.run}_greedy")
    assert told.split() == [str(64 * MIB), str(64 * MIB), "500000000", "50"]


@BOTH
def test_closing_leaves_nothing(host: Host, tmp_path: Path, admin: Shell) -> None:
    before = threading.active_count()
    bench = opened(host, tmp_path)
    bench.detached("one", "--volume data:/data --volume /nameless")
    bench.says("docker network create n; docker volume create v")
    (bench.source / "Dockerfile").write_text(f"FROM {bench.image}\nRUN echo {bench.run} >/made\n")
    bench.says(f"docker build --tag {bench.run} . && docker tag {bench.run} {bench.run}:two")
    bench.machine.close()
    bench.machine.close()
    assert _left(admin, bench.run) == ""
    assert admin.run("docker", "volume", "ls", "--quiet", "--filter", "dangling=true") == ""
    assert not bench.source.exists()
    assert not (host.engine.folder / bench.run).exists()
    wait_until(lambda: threading.active_count() <= before, "the machine's threads have ended")


def test_a_worker_that_is_not_root_removes_what_root_wrote(host: Host, short_folder: Path) -> None:
    """Only a new process can become somebody else: it needs the engine's socket and folders of its own."""
    short_folder.chmod(0o777)
    host.daemon.socket.parent.chmod(0o711)
    host.daemon.socket.chmod(0o666)

    def work() -> None:
        engine = replace(host.engine, folder=short_folder / "runs")
        bench = opened(replace(host, engine=engine), short_folder / "sources")
        bench.step(f"--volume {WORKSPACE_VOLUME}:/workspace", "sh -c 'mkdir -p /workspace/a/b; chmod 700 /workspace/a'")
        bench.machine.close()
        assert not bench.source.exists()

    assert _as_nobody(work) == 0


def _as_nobody(work: Callable[[], None]) -> int:
    """Its exit code."""
    process = os.fork()
    if process == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001  the child ends here, whatever it was
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_a_machines_folder_may_have_a_long_name(host: Host, tmp_path: Path) -> None:
    """As a data folder may: a socket's path may have no more than 107 bytes."""
    engine = replace(host.engine, folder=tmp_path / ("long" * 30) / "docker")
    with machine(replace(host, engine=engine), tmp_path) as bench:
        bench.says("docker ps")


def test_closing_ends_what_still_runs(host: Host, tmp_path: Path) -> None:
    bench = opened(host, tmp_path)
    bench.detached("one")
    ended: list[BaseException] = []

    def follow() -> None:
        try:
            bench.says("docker logs --follow one")
        except (EngineFailed, AssertionError) as error:
            ended.append(error)

    following = threading.Thread(target=follow)
    following.start()
    bench.machine.close()
    following.join(60)
    assert not following.is_alive()


OWNER = """
import sys, threading
from pathlib import Path
from entrepot.tasks.engines.docker import engine as engine_module
from entrepot.tasks.engines.docker.engine import find
from entrepot.tasks.engines.docker.places import Place
from entrepot.tasks.engines.docker.site import Site
from entrepot.tasks.engines.model import Call, Order
folder, deployment, socket, run, source = sys.argv[1:]
engine = find(Path(folder), deployment, Path(socket))
machine = engine.machine(Order(run, Path(source)))
call = Call(lambda said: None, 60, threading.Event())
image = engine.site.image
machine.shell(f"docker network create n; docker run -d --name x -v kept:/kept --network n {image} sleep 1000", call)
machine.shell(f"docker tag {image} {run}", call)
print("ready", flush=True)
threading.Event().wait()
"""


@BOTH
def test_what_a_killed_worker_left_is_cleared_and_nothing_else(
    bench: Bench, host: Host, tmp_path: Path, admin: Shell
) -> None:
    bench.detached("mine")
    source = tmp_path / "source"
    source.mkdir()
    engine = find(host.engine.folder.parent, f"tests-{bench.run}", host.daemon.socket)
    words = [host.engine.folder.parent, engine.site.deployment, host.daemon.socket, "dead-1", source]
    owner = subprocess.Popen([sys.executable, "-c", OWNER, *map(str, words)], stdout=subprocess.PIPE)
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
    finally:
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
    assert "dead-1" in _left(admin, "dead-1")
    living = {each.name for each in host.engine.folder.iterdir()} - {"dead-1"}
    assert engine.clear(lambda: living | {"dead-1"}) == {}
    assert "dead-1" in _left(admin, "dead-1")
    assert engine.clear(lambda: living) == {}
    assert _left(admin, "dead-1") == ""
    assert not source.exists()
    assert bench.says("docker ps --format '{{.Names}}'") == "mine\n"


def test_what_cannot_be_removed_of_one_run_stays_and_the_rest_goes(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [Place(tmp_path / "docker" / run) for run in ("dead-1", "dead-2")]
    for place in places:
        (tmp_path / place.folder.name).mkdir()
        place.make(tmp_path / place.folder.name)

    def remove_of(site: Site, run: str, place: Place) -> None:
        if run == "dead-1":
            raise EngineFailed("device or resource busy")
        real(site, run, place)

    real = engine_module.remove_of
    monkeypatch.setattr(engine_module, "remove_of", remove_of)
    site = replace(host.engine.site, deployment=tmp_path.name)
    engine = replace(host.engine, folder=tmp_path / "docker", site=site)
    assert engine.clear(set) == {"dead-1": "device or resource busy"}
    assert [place.folder.exists() for place in places] == [True, False]


def _left(admin: Shell, run: str) -> str:
    label = f"label=entrepot.run={run}"
    return "".join(
        [
            admin.run("docker", "ps", "--all", "--filter", label, "--format", "{{.Names}}"),
            admin.run("docker", "volume", "ls", "--filter", label, "--format", "{{.Name}}"),
            admin.run("docker", "network", "ls", "--filter", label, "--format", "{{.Name}}"),
            admin.run("docker", "images", "--format", "{{.Repository}}", "--filter", f"reference={run}"),
        ]
    )


def _memory() -> int:
    """Of this process, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) * 1024
