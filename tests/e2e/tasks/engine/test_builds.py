import socket
from dataclasses import replace
from pathlib import Path

import pytest
from tests.e2e.clients import CACHE, Shell
from tests.e2e.layouts import tar_of
from tests.e2e.tasks.engine.machines import Bench, Host, machine

pytestmark = [pytest.mark.xdist_group("task-engine"), pytest.mark.timeout(300)]

BUILDERS = pytest.mark.parametrize("buildkit", ["0", "1"], ids=["classic", "buildkit"])


def dockerfile(bench: Bench, *lines: str) -> None:
    (bench.source / "Dockerfile").write_text("\n".join([f"FROM {bench.image}", *lines, ""]))


@BUILDERS
def test_an_image_is_built_and_used_by_its_name(bench: Bench, buildkit: str) -> None:
    (bench.source / "file").write_text("from the context")
    dockerfile(bench, "ARG WHAT", "COPY file /file", "RUN cat /file && echo $WHAT >/made")
    bench.says(f"DOCKER_BUILDKIT={buildkit} docker build --tag {bench.run} --build-arg WHAT={buildkit} .")
    assert bench.says(f"docker run --rm {bench.run} cat /made") == f"{buildkit}\n"
    assert f"{bench.run}:latest" in bench.says("docker images --format '{{.Repository}}:{{.Tag}}'")


def test_buildkit_is_handed_a_secret_by_its_client(bench: Bench) -> None:
    dockerfile(bench, "RUN --mount=type=secret,id=token cat /run/secrets/token | tr a-z A-Z >/made")
    line = f"DOCKER_BUILDKIT=1 docker build --tag {bench.run} --secret id=token,env=TOKEN ."
    bench.says('printf %s "$TOKEN" >/tmp/token; ' + line.replace("env=TOKEN", "src=/tmp/token"), env={"TOKEN": "quiet"})
    assert bench.says(f"docker run --rm {bench.run} cat /made") == "QUIET"


@BUILDERS
@pytest.mark.parametrize("flags", ["--network host", "--cgroup-parent /"])
def test_a_build_has_nothing_of_the_machine(bench: Bench, buildkit: str, flags: str) -> None:
    dockerfile(bench, "RUN true")
    assert "may not" in bench.refuses(f"DOCKER_BUILDKIT={buildkit} docker build {flags} .")


@pytest.mark.parametrize(
    ("flag", "entitlement"), [("--network=host", "network.host"), ("--security=insecure", "security.insecure")]
)
def test_buildkits_entitlements_are_off(bench: Bench, flag: str, entitlement: str) -> None:
    """With a frontend that knows the flags: the one in this engine is too old for them."""
    frontend = f"frontend-{bench.run}"
    files = tar_of({"frontend": (CACHE / "bin" / "dockerfile-frontend").read_bytes()})
    (bench.source / "frontend.tar").write_bytes(files)
    bench.says(f"docker import --change 'ENTRYPOINT [\"/frontend\"]' frontend.tar {frontend}")

    def build(line: str) -> tuple[int, str]:
        lines = [f"# syntax={frontend}:latest", f"FROM {bench.image}", line, ""]
        (bench.source / "build").mkdir(exist_ok=True)
        (bench.source / "build" / "Dockerfile").write_text("\n".join(lines))
        return bench.tried("DOCKER_BUILDKIT=1 docker build --progress plain build")

    assert build("RUN echo it ran")[0] == 0
    code, said = build(f"RUN {flag} echo it ran")
    assert code != 0
    assert f"{entitlement} is not allowed" in said


def grpc_of(bench: Bench, host: Host) -> bytes:
    """What BuildKit's own interface says first, at the run's socket."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(30)
        stream.connect(str(host.engine.folder / bench.run / "docker.sock"))
        stream.sendall(b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        head = stream.recv(4096)
        if b" 101 " not in head:
            return head
        stream.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        return head.partition(b"\r\n\r\n")[2] or stream.recv(4096)


def test_buildkits_own_interface_is_closed_where_the_engine_would_let_builds_into_its_network(
    bench: Bench, host: Host
) -> None:
    """This engine is too old to refuse it by itself."""
    assert not host.engine.site.grpc
    assert b"403" in grpc_of(bench, host)


def test_buildkits_own_interface_is_a_raw_stream_where_it_is_open(host: Host, tmp_path: Path) -> None:
    opened = replace(host, engine=replace(host.engine, site=replace(host.engine.site, grpc=True)))
    with machine(opened, tmp_path) as bench:
        settings = grpc_of(bench, host)
    assert settings[3] == 4  # HTTP/2's frame of settings, from the engine


@BUILDERS
def test_the_engine_fetches_no_context(bench: Bench, buildkit: str) -> None:
    said = bench.refuses(f"DOCKER_BUILDKIT={buildkit} docker build http://169.254.169.254/context.tar")
    assert "may not let the engine fetch" in said or "dial tcp" in said or "unreachable" in said


def test_the_classic_builder_uses_a_network_of_the_run(bench: Bench) -> None:
    bench.says("docker network create net")
    bench.detached("web", "--network net", "nc -ll -p 80 -e echo hello")
    dockerfile(bench, "RUN until nc web 80 </dev/null; do sleep 0.1; done")
    assert "hello" in bench.says("DOCKER_BUILDKIT=0 docker build --no-cache --network net .")


def test_a_run_removes_the_images_that_it_made_and_no_other(bench: Bench, other: Bench) -> None:
    other.says(f"docker tag {bench.image} {other.run}")
    bench.says(f"docker tag {bench.image} {bench.run}")
    assert "not made in this run" in bench.refuses(f"docker rmi {other.run}")
    bench.says(f"docker rmi {bench.run}")
    other.says(f"docker inspect {other.run}")


def test_an_image_that_two_runs_made_stays_for_the_other(bench: Bench, other: Bench) -> None:
    for each in (bench, other):
        dockerfile(each, "ENV A=b")
        each.says(f"DOCKER_BUILDKIT=0 docker build --tag {each.run} --iidfile id .")
    built = (bench.source / "id").read_text()
    assert built == (other.source / "id").read_text()
    bench.says(f"docker rmi {bench.run}")
    assert "not made in this run alone" in bench.refuses(f"docker rmi {built}")
    bench.machine.close()
    assert other.says("docker inspect --format '{{.Id}}' " + other.run).strip() == built


def test_what_a_run_built_goes_with_it_tagged_or_not(other: Bench, bench: Bench, admin: Shell) -> None:
    dockerfile(other, f"RUN echo {other.run} >/made")
    other.says("DOCKER_BUILDKIT=1 docker build --iidfile id .")
    built = (other.source / "id").read_text()
    assert built in admin.run("docker", "images", "--no-trunc")
    other.machine.close()
    assert built not in admin.run("docker", "images", "--no-trunc")


def test_an_image_is_saved_loaded_and_its_history_told(bench: Bench) -> None:
    bench.says(f"docker tag {bench.image} {bench.run} && docker save {bench.run} >image && docker rmi {bench.run}")
    assert bench.run in bench.says("docker load <image")
    assert "IMAGE" in bench.says(f"docker history {bench.run}")
    bench.says(f"docker rmi {bench.run}")
