"""A run whose egress is none: its steps reach one another, and neither the internet, the machine nor the metadata."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.tasks.engine.machines import Bench, Host, machine
from tests.e2e.tasks.engine.test_isolation import SERVE, asking, in_a_step, served

pytestmark = [pytest.mark.xdist_group("task-engine"), pytest.mark.timeout(300)]


@pytest.fixture
def closed(host: Host, tmp_path: Path) -> Iterator[Bench]:
    with machine(host, tmp_path, is_closed=True) as bench:
        yield bench


def test_steps_reach_one_another_by_name(closed: Bench) -> None:
    closed.says("docker network create net")
    closed.detached("nginx", "--network net", f"sh -c '{SERVE}'")
    said = closed.step("--network net", "sh -c 'until nc nginx 80 </dev/null; do sleep 0.1; done'")
    assert said.endswith("hello\n")


@pytest.mark.parametrize("network", ["default", "bridge", "own"])
def test_a_step_reaches_nothing_else(
    closed: Bench, bench: Bench, host: Host, tmp_path: Path, metadata: str, network: str
) -> None:
    """The open one shows that there is something to be reached."""
    with served(host, tmp_path, "0.0.0.0") as port:
        assert "reached" in bench.says(in_a_step(bench, asking(metadata, port)))
        closed.says("docker network create own")
        own = closed.step(f"--network {network}", "ip route").split("src ")[1].split()[0]
        gateway = own.rpartition(".")[0] + ".1"
        for address in (metadata, gateway, "a.example"):
            said = closed.refuses(in_a_step(closed, asking(address, port), f"--network {network}"))
            assert any(reason in said for reason in ("unreachable", "No route", "bad address", "timed out")), said


@pytest.mark.parametrize("buildkit", ["0", "1"])
def test_instructions_of_a_build_reach_nothing(
    closed: Bench, host: Host, tmp_path: Path, metadata: str, buildkit: str
) -> None:
    with served(host, tmp_path, "0.0.0.0") as port:
        ask = asking(metadata, port)
        (closed.source / "Dockerfile").write_text(f"FROM {closed.image}\nRUN ip -o link | wc -l >/links; ! {ask}\n")
        closed.says(f"DOCKER_BUILDKIT={buildkit} docker build --tag {closed.run} .")
    assert closed.says(f"docker run --rm {closed.run} cat /links").strip() == "1"


def test_nothing_is_pushed_elsewhere(closed: Bench) -> None:
    closed.says(f"docker tag {closed.image} elsewhere.example/app:1")
    assert "own registry alone" in closed.refuses("docker push elsewhere.example/app:1")
