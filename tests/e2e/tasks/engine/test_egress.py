"""A run whose egress is a list: its steps and builds reach those hosts by the gateway, and nothing else by any way."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.e2e.clients import Shell
from tests.e2e.tasks.engine.machines import METADATA, SOCKET, Bench, Host, machine, opened
from tests.e2e.tasks.engine.test_isolation import SERVE, asking, in_a_step, served

from entrepot.outbound.addresses import Permitted
from entrepot.outbound.streams import Streams
from entrepot.tasks.egress import Egress
from entrepot.tasks.engines.docker.image import BUSYBOX, File, imported, libraries_of, packed
from entrepot.tasks.engines.model import EngineFailed
from entrepot.tasks.engines.way_out import way_out

pytestmark = [pytest.mark.xdist_group("task-engine"), pytest.mark.timeout(300)]

HERE = "127.0.0.1"
ADDRESSES = {"a.example": HERE, "other.example": HERE, "private.example": "10.9.8.7", "cloud.example": METADATA}
PROXY = "entrepot-egress 3128"
APPLETS = ("sh", "cat", "env", "ip", "nc", "sleep", "wc")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"hello from outside\n"
        self.server.seen.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]  Web's
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """No line for each."""


class Web(ThreadingHTTPServer):
    """What there is outside: on the worker's side, not on the engine's."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HERE, 0), Handler)
        self.seen: list[tuple[str, dict[str, str]]] = []


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with Web() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def curl(host: Host) -> str:
    """An image with a shell, and a client that heeds the variables."""
    program = Path("/usr/bin/curl")
    files = {str(path)[1:]: File(path.read_bytes()) for path in [program, *libraries_of(program)]}
    links = {f"bin/{name}": "busybox" for name in APPLETS}
    archive = packed(files | {"bin/busybox": File(BUSYBOX.read_bytes())}, ("tmp",), links)
    api = host.engine.site.api
    api.do("POST", f"/images/{imported(api, 'curl', archive)}/tag", {"repo": "curl", "tag": "1"})
    return "curl:1"


@dataclass
class Listed:
    """``told``: what the run's log says of what was refused. ``tools``: an image with the docker client."""

    bench: Bench
    tools: Bench
    told: list[str] = field(default_factory=list)


@contextmanager
def listed(host: Host, folder: Path, image: str, *hosts: str) -> Iterator[Listed]:
    """The operator has named 127.0.0.1 as an address, and no other that is not public."""
    told: list[str] = []
    streams = Streams(Permitted.of([HERE]), lambda name, _: [ADDRESSES[name]])
    way = way_out(Egress.parse(hosts), streams, ["later"], told.append)
    with machine(host, folder, is_closed=True, way_out=way) as bench:
        yield Listed(replace(bench, image=image), bench, told)
    streams.close()


@pytest.fixture
def run(host: Host, web: Web, curl: str, tmp_path: Path) -> Iterator[Listed]:
    with listed(host, tmp_path, curl, f"a.example:{web.server_port}", "*.example") as made:
        yield made


def fetching(name: str, port: int, path: str = "/") -> str:
    return f"curl --silent --show-error --fail --max-time 30 http://{name}:{port}{path}"


def tunnel(name: str, port: int) -> str:
    asked = f"CONNECT {name}:{port} HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\nGET /inner HTTP/1.0\\r\\n\\r\\n"
    return f"""sh -c "printf '{asked}' | nc -w 20 {PROXY}" """


@pytest.mark.parametrize("network", ["default", "own"])
def test_a_step_reaches_a_host_of_the_list(run: Listed, web: Web, network: str) -> None:
    run.bench.says("docker network create own")
    flags = f"--network {network}"
    assert run.bench.step(flags, fetching("a.example", web.server_port, "/x?y=1")) == "hello from outside\n"
    path, headers = web.seen[-1]
    assert (path, headers["Host"]) == ("/x?y=1", f"a.example:{web.server_port}")
    assert not [name for name in headers if name.lower().startswith("proxy")]
    said = run.bench.step(flags, tunnel("a.example", web.server_port))
    assert said.startswith("HTTP/1.1 200 Connection established"), said
    assert said.endswith("hello from outside\n"), said
    assert run.told == []


def test_a_step_reaches_no_other_host_and_the_log_says_so(run: Listed, web: Web) -> None:
    port = web.server_port
    assert "403" in run.bench.refuses(f"docker run --rm {run.bench.image} {fetching('other.example', port)}")
    said = run.bench.step("", tunnel("other.example", port))
    assert said.startswith("HTTP/1.1 403 Forbidden"), said
    assert said.endswith(f"Refused by the run's egress list: other.example:{port}\n"), said
    assert run.told == [f"Refused by the run's egress list: other.example:{port}"]


@pytest.mark.parametrize("name", ["private.example", "cloud.example"])
def test_a_name_of_the_list_whose_address_is_not_public_is_refused(run: Listed, name: str) -> None:
    said = run.bench.step("", tunnel(name, 80))
    assert said.startswith("HTTP/1.1 403 Forbidden"), said
    assert f"{name} is in the run's egress list, but its address is not public" in said, said
    assert "Refused by the run's egress list" in run.bench.step("", tunnel(METADATA, 80))


@pytest.mark.parametrize("network", ["default", "own"])
def test_past_the_gateway_there_is_no_way(
    run: Listed, bench: Bench, host: Host, tmp_path: Path, metadata: str, network: str
) -> None:
    """The open run shows that there is something to be reached."""
    with served(host, tmp_path, "0.0.0.0") as port:
        assert "reached" in bench.says(in_a_step(bench, asking(metadata, port)))
        run.bench.says("docker network create own")
        own = run.bench.step(f"--network {network}", "ip route").split("src ")[1].split()[0]
        for address in (metadata, own.rpartition(".")[0] + ".1", "a.example"):
            said = run.bench.refuses(in_a_step(run.bench, asking(address, port), f"--network {network}"))
            assert any(reason in said for reason in ("unreachable", "No route", "bad address", "timed out")), said


@pytest.mark.parametrize("network", ["", "--network own"])
def test_an_instruction_of_a_build_reaches_the_same(
    run: Listed, host: Host, tmp_path: Path, web: Web, metadata: str, network: str
) -> None:
    bench, port = run.bench, web.server_port
    bench.says("docker network create own")
    with served(host, tmp_path, "0.0.0.0") as engines:
        near, far = fetching("a.example", port), fetching("other.example", port)
        past = f"! nc -w 5 {metadata} {engines}; ! nc -w 5 a.example {port}"
        lines = [f"FROM {bench.image}", f"RUN {near} >/near", f"RUN ! {far} 2>/far", f"RUN {past}"]
        (bench.source / "Dockerfile").write_text("\n".join(lines) + "\n")
        bench.says(f"DOCKER_BUILDKIT=0 docker build {network} --tag {bench.run} .")
    assert bench.says(f"docker run --rm {bench.run} cat /near") == "hello from outside\n"
    assert "403" in bench.says(f"docker run --rm {bench.run} cat /far")
    assert "3128" not in bench.says(f"docker history --no-trunc {bench.run}; docker inspect {bench.run}")
    assert run.told == [f"Refused by the run's egress list: other.example:{port}"]


def test_buildkit_builds_without_any_network(run: Listed, web: Web) -> None:
    ask = fetching("a.example", web.server_port)
    (run.bench.source / "Dockerfile").write_text(f"FROM {run.bench.image}\nRUN ip -o link | wc -l >/links; ! {ask}\n")
    run.bench.says(f"DOCKER_BUILDKIT=1 docker build --tag {run.bench.run} .")
    assert run.bench.says(f"docker run --rm {run.bench.run} cat /links").strip() == "1"
    assert not run.bench.machine.has_buildkit


def test_steps_reach_one_another_past_the_gateway(run: Listed) -> None:
    """By their names: those that are there, and those that the order names."""
    run.bench.says("docker network create net")
    run.bench.detached("web", "--network net", f"sh -c '{SERVE}'")
    said = run.bench.step("--network net", "sh -c 'until nc web 80 </dev/null; do sleep 0.1; done; env'")
    assert "hello\n" in said
    variables = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    assert {"web", "later", "localhost"} <= set(variables["no_proxy"].split(",")), variables
    assert variables["HTTPS_PROXY"] == variables["http_proxy"] == "http://entrepot-egress:3128"


def test_variables_that_a_step_has_of_its_own_stay(run: Listed) -> None:
    said = run.bench.step("--env http_proxy=http://mine:1 --env NO_PROXY=", "env").splitlines()
    assert "http_proxy=http://mine:1" in said
    assert "https_proxy=http://entrepot-egress:3128" in said
    assert not [line for line in said if line.startswith(("HTTP_PROXY=", "no_proxy="))]


def test_no_step_gets_at_the_gateway(run: Listed, web: Web, admin: Shell) -> None:
    bench = run.bench
    bench.says("docker network create net")
    it = admin.run("docker", "ps", "--quiet", "--no-trunc", "--filter", f"name={bench.run}_.gateway").strip()
    assert len(it) == 64
    for name in (it, it[:12], ".gateway", f"{bench.run}_.gateway", "entrepot-egress"):
        for line in (
            f"docker inspect --type container {name}",
            f"docker exec {name} id",
            f"docker stop {name}",
            f"docker rm --force {name}",
            f"docker logs {name}",
            f"docker network disconnect --force net {name}",
            f"docker run --rm --network container:{name} {bench.image} id",
            f"docker run --rm --volumes-from {name} {bench.image} id",
        ):
            code, said = bench.tried(line)
            assert re.search("No such|not found|is no name|is no path|Invalid", said), f"{line}: {code} {said}"
    assert run.tools.step(f"--name me {SOCKET}", "docker ps --all --format '{{.Names}}'") == "me\n"
    assert bench.step("--network net", fetching("a.example", web.server_port)) == "hello from outside\n"


def test_a_network_is_removed_when_nothing_of_the_run_is_in_it(run: Listed, web: Web) -> None:
    run.bench.says("docker network create net")
    run.bench.detached("web", "--network net")
    assert "active endpoints" in run.bench.refuses("docker network rm net")
    assert run.bench.step("--network net", fetching("a.example", web.server_port)) == "hello from outside\n"
    run.bench.says("docker rm --force web; docker network rm net")
    assert "net" not in run.bench.says("docker network ls --format '{{.Name}}'").split()


def test_nothing_is_left_of_it(host: Host, web: Web, curl: str, tmp_path: Path, admin: Shell) -> None:
    with listed(host, tmp_path, curl, f"a.example:{web.server_port}") as made:
        run, bench = made.bench.run, made.bench
        bench.says("docker network create net")
        asked = f"CONNECT a.example:{web.server_port} HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n"
        bench.detached("holding", "", f"""sh -c '(printf "{asked}"; sleep 1000) | nc {PROXY}'""")
        bench.says("until docker logs holding | grep -q established; do sleep 0.1; done")
        assert run in admin.run("docker", "ps", "--all", "--format", "{{.Names}}")
    for words in (("ps", "--all", "--format", "{{.Names}}"), ("network", "ls", "--format", "{{.Name}}")):
        assert run not in admin.run("docker", *words)
    assert not [each.name for each in threading.enumerate() if run in each.name or "gateway" in each.name]
    assert not (host.engine.folder / run).exists()


def test_pushes_go_to_registries_of_the_list(run: Listed) -> None:
    for name in ("elsewhere.test", "cloud.example"):
        run.bench.says(f"docker tag {run.bench.image} {name}/app:1")
    assert "egress list" in run.bench.refuses("docker push elsewhere.test/app:1")
    assert "egress list" not in run.bench.refuses("docker push cloud.example/app:1")  # the engine finds no such host


@pytest.mark.engines("podman")
@pytest.mark.parametrize("is_listed", [True, False])
def test_podman_runs_none_that_is_to_be_closed(host: Host, tmp_path: Path, is_listed: bool) -> None:
    """From its internal networks the engine's machine is reached."""
    way = way_out(Egress.parse(["a.example"]), Streams(Permitted()), [], print) if is_listed else None
    with pytest.raises(EngineFailed, match="podman cannot close a run's network"):
        opened(host, tmp_path, is_closed=True, way_out=way)
    assert not list(host.engine.folder.glob("*"))
