import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.clients import Shell
from tests.e2e.tasks.engine.machines import BOTH, SOCKET, Bench, Host
from tests.services import reserved_port, running, wait_until

from entrepot.tasks.engines.model import HOME_VOLUME, WORKSPACE_VOLUME

pytestmark = [pytest.mark.xdist_group("task-engine"), pytest.mark.timeout(300)]

SERVE = "while :; do echo hello | nc -l -p 80; done"


# --- what ACR's steps do ----------------------------------------------------------------------------------------------


@BOTH
def test_a_step_stops_another_by_its_name_through_the_socket(bench: Bench) -> None:
    bench.detached("nginx")
    assert bench.step(SOCKET, "docker stop --time 1 nginx") == "nginx\n"
    assert bench.says("docker inspect --format '{{.Name}} {{.State.Running}}' nginx") == "/nginx false\n"


@BOTH
def test_a_step_finds_another_by_its_name(bench: Bench) -> None:
    bench.says("docker network create acb_default_network")
    bench.detached("nginx", "--network acb_default_network", f"sh -c '{SERVE}'")
    said = bench.step("--network acb_default_network", "sh -c 'until nc nginx 80 </dev/null; do sleep 0.1; done'")
    assert said.endswith("hello\n")


def test_steps_share_workspace_and_home(bench: Bench) -> None:
    shared = f"--volume {WORKSPACE_VOLUME}:/workspace --volume {HOME_VOLUME}:/acb/home"
    bench.step(shared, "sh -c 'echo one >/workspace/a; echo two >/acb/home/b'")
    assert bench.says("cat /workspace/a /acb/home/b") == "one\ntwo\n"
    assert (bench.source / "a").read_text() == "one\n"


@BOTH
def test_a_step_is_seen_by_its_own_names(bench: Bench) -> None:
    bench.says("docker network create net; docker volume create vol")
    bench.detached("web", "--network net --volume vol:/vol")
    told = json.loads(bench.says("docker inspect web"))[0]
    assert told["Name"] == "/web"
    assert list(told["NetworkSettings"]["Networks"]) == ["net"]
    (bind,) = told["HostConfig"]["Binds"]
    assert bind.startswith("vol:/vol")
    assert bench.says("docker ps --format '{{.Names}}'; docker volume ls --quiet") == "web\nvol\n"


@BOTH
def test_a_container_is_entered_copied_from_and_followed(bench: Bench) -> None:
    bench.detached("web", command="sh -c 'echo said; sleep 1000'")
    assert bench.says("docker exec --interactive --env A=b web sh -c 'cat; echo $A'", input=b"typed ") == "typed b\n"
    bench.says("echo copied >file; docker cp file web:/file")
    assert bench.says("docker exec web cat /file") == "copied\n"
    assert bench.says("docker logs web; docker kill web; docker wait web") == "said\nweb\n137\n"


def test_a_terminal_and_a_stream_go_both_ways(bench: Bench) -> None:
    size = 5 * 1024 * 1024
    line = f"head -c {size} /dev/zero | docker run --rm --interactive {bench.image} cat | wc -c"
    assert bench.says(line).strip() == str(size)
    assert bench.step("--tty", "echo hello") == "hello\r\n"


# --- the other run ----------------------------------------------------------------------------------------------------


@BOTH
def test_two_runs_with_equal_names_do_not_meet(bench: Bench, other: Bench) -> None:
    for each in (bench, other):
        each.says("docker network create net && docker volume create vol")
        each.detached("web", f"--network net --volume vol:/vol --env RUN={each.run}")
        each.says("docker exec web sh -c 'echo $RUN >/vol/run'")
    bench.says("docker stop --time 1 web; docker rm web")
    assert other.says("docker exec web cat /vol/run") == f"{other.run}\n"
    assert bench.step("--volume vol:/vol", "cat /vol/run") == f"{bench.run}\n"


@pytest.fixture
def theirs(other: Bench) -> dict[str, str]:
    """What a run could guess, or have been told, of another."""
    other.says("docker network create net; docker volume create vol")
    other.detached("web", "--network net")
    (told,) = json.loads(other.says("docker inspect web"))
    (network,) = json.loads(other.says("docker network inspect net"))
    address = told["NetworkSettings"]["Networks"]["net"]["IPAddress"]
    return {
        "id": told["Id"],
        "name": f"{other.run}_web",
        "network": network["Id"],
        "address": address,
        "run": other.run,
    }


@BOTH
@pytest.mark.parametrize("by", ["id", "name"])
def test_a_run_cannot_touch_another_runs_container(bench: Bench, other: Bench, theirs: dict[str, str], by: str) -> None:
    it = theirs[by]
    lines = [
        f"docker inspect {it}",
        f"docker exec {it} id",
        f"docker logs {it}",
        f"docker attach {it}",
        f"docker cp {it}:/etc/passwd -",
        f"docker stop {it}",
        f"docker rm {it}",
        f"docker commit {it}",
        f"docker network disconnect net {it}",
        f"docker run --rm --network container:{it} {bench.image} id",
        f"docker run --rm --volumes-from {it} {bench.image} id",
    ]
    for line in lines:
        # podman asks for an image of that name at last.
        assert re.search("No such|not found|cannot specify 64-byte", bench.refuses(line)), line
    assert other.says("docker ps --format '{{.Names}}'") == "web\n"
    assert bench.says("docker ps --all --quiet") == ""


@BOTH
def test_a_run_cannot_enter_another_runs_network_or_volume(bench: Bench, theirs: dict[str, str]) -> None:
    for network in (theirs["network"], theirs["network"][:12], f"{theirs['run']}_net"):
        assert "not found" in bench.refuses(f"docker run --rm --network {network} {bench.image} id")
    bench.step(f"--volume {theirs['run']}_vol:/vol", "true")  # a volume of its own, that is called so
    assert bench.says("docker volume ls --quiet") == f"{theirs['run']}_vol\n"


@pytest.mark.parametrize("network", ["own", "bridge"])
def test_a_run_cannot_reach_another_runs_address(
    bench: Bench, other: Bench, theirs: dict[str, str], network: str
) -> None:
    bench.says("docker network create own")
    other.says("docker exec --detach web nc -ll -p 80 -e echo hello")
    assert "hello" in other.step("--network net", f"nc -w 5 {theirs['address']} 80")
    bench.refuses(f"docker run --rm --network {network} {bench.image} nc -w 3 {theirs['address']} 80")


def test_containers_without_a_network_do_not_meet_on_a_common_bridge(bench: Bench, other: Bench) -> None:
    for each in (bench, other):
        each.detached("web")
    networks = [
        json.loads(each.says("docker inspect web"))[0]["NetworkSettings"]["Networks"] for each in (bench, other)
    ]
    assert list(networks[0]) == list(networks[1]) == ["bridge"]
    assert networks[0]["bridge"]["NetworkID"] != networks[1]["bridge"]["NetworkID"]


# --- the machine ------------------------------------------------------------------------------------------------------


# Asks the machine, as a container sees it first.
GATEWAY = "$(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p')"


@contextmanager
def served(host: Host, folder: Path, address: str) -> Iterator[str]:
    """The port on which something listens on the engine's machine; it says "reached"."""
    (folder / "index.html").write_text("reached\n")
    enter = ["nsenter", f"--target={host.daemon.process}", "--net", "--"]
    with reserved_port() as port, (folder / "log").open("wb") as log:
        serve = [sys.executable, "-m", "http.server", "--bind", address, "--directory", folder, str(port)]
        ask = [*enter, "busybox", "wget", "-q", "-O-", f"http://127.0.0.1:{port}"]
        with running([*enter, *serve], log):
            wait_until(lambda: subprocess.run(ask, capture_output=True, check=False).returncode == 0, "it listens")
            yield str(port)


def asking(address: str, port: str) -> str:
    return f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 10 {address} {port}"


def in_a_step(bench: Bench, line: str, flags: str = "") -> str:
    """A line for the machine's shell."""
    quoted = line.replace("'", "'\\''")
    return f"docker run --rm {flags} {bench.image} sh -c '{quoted}'"


@BOTH
def test_what_listens_on_loopback_is_out_of_reach(bench: Bench, host: Host, tmp_path: Path) -> None:
    """The management address, by default, and whatever else the machine keeps to itself."""
    with served(host, tmp_path, "127.0.0.1") as port:
        for address in ("127.0.0.1", GATEWAY):
            assert "refused" in bench.refuses(in_a_step(bench, asking(address, port)))
        assert "refused" in bench.refuses(asking("127.0.0.1", port)) or "unreachable" in bench.refuses(
            asking("127.0.0.1", port)
        )


def test_what_listens_everywhere_is_reached_as_by_any_container(bench: Bench, host: Host, tmp_path: Path) -> None:
    """The operator's firewall decides on this; the documentation says how."""
    with served(host, tmp_path, "0.0.0.0") as port:
        assert "reached" in bench.says(in_a_step(bench, asking(GATEWAY, port)))
        bench.refuses(asking("127.0.0.1", port))


@pytest.mark.parametrize("buildkit", ["0", "1"])
def test_what_a_build_has_the_engine_fetch_comes_from_the_engines_network(
    bench: Bench, host: Host, tmp_path: Path, buildkit: str
) -> None:
    """No socket could see it in the Dockerfile; the documentation says what to do."""
    with served(host, tmp_path, "127.0.0.1") as port:
        (bench.source / "Dockerfile").write_text(f"FROM {bench.image}\nADD http://127.0.0.1:{port}/index.html /got\n")
        bench.says(f"DOCKER_BUILDKIT={buildkit} docker build --tag {bench.run} .")
    assert bench.says(f"docker run --rm {bench.run} cat /got") == "reached\n"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """As the data folder has it."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "key").write_text("secret")
    return folder


@BOTH
def test_the_data_folder_is_out_of_reach(bench: Bench, secret: Path) -> None:
    mount = (
        f"type=volume,target=/x,volume-driver=local,volume-opt=type=none,volume-opt=o=bind,volume-opt=device={secret}"
    )
    lines = [
        f"docker run --rm --volume {secret}:/x {bench.image} cat /x/key",
        f"docker run --rm --mount type=bind,source={secret},target=/x {bench.image} cat /x/key",
        f"docker run --rm --mount {mount} {bench.image} cat /x/key",
        f"docker volume create --opt type=none --opt o=bind --opt device={secret} x",
        f"ln -s {secret} /workspace/data && cat /workspace/data/key",
        f"docker run --rm --volume {WORKSPACE_VOLUME}:/workspace {bench.image} cat /workspace/data/key",
        f"docker cp {secret}/key x:/",
    ]
    for line in lines:
        assert "secret" not in bench.refuses(line).replace(str(secret), ""), line
    assert bench.says("docker ps --all --quiet; docker volume ls --quiet") == ""


FLAGS = [
    "--privileged",
    "--cap-add SYS_ADMIN",
    "--device /dev/null",
    "--device-cgroup-rule 'a *:* rwm'",
    "--pid host",
    "--ipc host",
    "--uts host",
    "--network host",
    "--userns host",
    "--cgroupns host",
    "--cgroup-parent /",
    "--security-opt seccomp=unconfined",
    "--runtime io.containerd.runc.v2",
    "--sysctl net.ipv4.ip_forward=1",
    "--ulimit nofile=1000000",
    "--oom-score-adj -1000",
    "--volume /:/host",
    "--volume /var/run:/x",
    "--volume-driver other --volume kept:/kept",
    "--log-driver syslog --log-opt syslog-address=udp://10.0.0.1",
    "--restart always",
    "--gpus all",
    "--blkio-weight 10",
]


@BOTH
def test_no_flag_gives_a_step_more_than_a_container(bench: Bench) -> None:
    passed = [flag for flag in FLAGS if bench.tried(f"docker create {flag} {bench.image} id")[0] == 0]
    assert passed == []
    assert bench.says("docker ps --all --quiet") == ""


def test_a_container_that_would_go_without_its_label_keeps_it(bench: Bench) -> None:
    """Buildpacks say so of theirs that have the socket."""
    bench.detached("labeled", "--security-opt label=disable")
    assert bench.says("docker inspect --format '{{json .HostConfig.SecurityOpt}}' labeled") == "[]\n"


LINES = [
    "docker swarm init",
    "docker plugin ls",
    "docker plugin install --grant-all-permissions x",
    "docker service ls",
    "docker system df",
    "docker system prune --force",
    "docker builder prune --force",
    "docker image prune --all --force",
    "docker network create --driver macvlan x",
    "docker network create --subnet 8.8.8.0/24 x",
    "docker network create --opt com.docker.network.bridge.name=docker0 x",
    "docker volume create --driver other x",
    "docker network rm bridge",
    "docker search x",
    "docker rmi $IMAGE",
    "docker import http://169.254.169.254/latest",
    "timeout 5 docker events",
]


def test_no_command_goes_beyond_the_run(bench: Bench) -> None:
    passed = [line for line in LINES if bench.tried(line, env={"IMAGE": bench.image})[0] == 0]
    assert passed == []


def test_a_container_cannot_be_made_stronger_later(bench: Bench) -> None:
    bench.detached("web")
    bench.refuses("docker exec --privileged web id")
    bench.refuses("docker update --memory 1g web")


@BOTH
def test_the_engines_own_socket_is_nowhere(bench: Bench, admin: Shell) -> None:
    bench.detached("web", SOCKET)
    for name in ("web", ".machine"):
        (told,) = json.loads(admin.run("docker", "inspect", f"{bench.run}_{name}"))
        sources = [mount["Source"] for mount in told["Mounts"]]
        assert any(bench.run in source for source in sources)
        assert admin.environment["DOCKER_HOST"].removeprefix("unix://") not in sources
    assert "a run may not set HostConfig.Privileged" in bench.refuses(
        f"docker exec web docker create --privileged {bench.image}"
    )


def test_a_run_does_not_see_its_own_machine(bench: Bench, admin: Shell) -> None:
    identifier = admin.run("docker", "inspect", "--format", "{{.Id}}", f"{bench.run}_.machine").strip()
    assert bench.says("docker ps --all --quiet") == ""
    assert "No such" in bench.refuses(f"docker inspect {identifier}")
    assert "No such" in bench.refuses(f"docker rm {identifier}")


def test_nothing_of_one_step_is_told_by_inspecting_another(bench: Bench) -> None:
    """A call's environment is the machine's alone."""
    bench.detached("web")
    said = bench.says("docker inspect $(docker ps --all --quiet)", env={"PASSWORD": "hidden"})
    assert "hidden" not in said
