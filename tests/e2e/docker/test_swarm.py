"""Docker Swarm: a service from a private repository. The manager hands the credentials of who made it to the nodes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.clients import Shell, shell_in
from tests.e2e.docker.dockerd import Build, Engine
from tests.services import reserved_port, wait_until

pytestmark = pytest.mark.xdist_group("docker")


@pytest.fixture(scope="session")
def swarm(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One manager, who is the only node, on loopback."""
    shell = engine.seen_from(shell_in(tmp_path_factory.mktemp("swarm")))
    with reserved_port() as port:
        address = f"127.0.0.1:{port}"
        shell.run("docker", "swarm", "init", f"--advertise-addr={address}", f"--listen-addr={address}")
        yield engine
        shell.run("docker", "swarm", "leave", "--force")


@pytest.fixture
def service(swarm: Engine, docker: Shell, repository: str) -> Iterator[str]:
    """A name for a service, which is gone after the test."""
    name = repository.rpartition("/")[2]
    yield f"e2e-{name}"
    docker.run("docker", "service", "rm", f"e2e-{name}")


def test_a_service_runs_an_image_of_a_private_repository(docker: Shell, build: Build, image: str, service: str) -> None:
    build_and_push(docker, build, f"{image}:v1")
    create(docker, service, f"{image}:v1", "--with-registry-auth")
    wait_until(lambda: "Running" in states(docker, service), f"a task of {service} runs")
    assert f"{image}:v1@sha256:" in docker.run("docker", "service", "ps", "--no-trunc", service)


def test_a_service_without_credentials_cannot_pull_and_is_mended_by_an_update(
    docker: Shell, build: Build, image: str, service: str
) -> None:
    build_and_push(docker, build, f"{image}:v1")
    create(docker, service, f"{image}:v1")
    wait_until(lambda: "Rejected" in states(docker, service), f"a task of {service} is rejected")
    docker.run("docker", "service", "update", "--detach", "--with-registry-auth", "--force", service)
    wait_until(lambda: "Running" in states(docker, service), f"a task of {service} runs")


def test_an_update_rolls_a_service_over_to_a_new_tag(docker: Shell, build: Build, image: str, service: str) -> None:
    for tag in ("v1", "v2"):
        build_and_push(docker, build, f"{image}:{tag}")
    create(docker, service, f"{image}:v1", "--with-registry-auth")
    wait_until(lambda: "Running" in states(docker, service), f"a task of {service} runs")
    docker.run("docker", "service", "update", "--detach", "--with-registry-auth", f"--image={image}:v2", service)
    wait_until(lambda: "Running" in states(docker, service, f"{image}:v2"), f"a task of {service} runs v2")


def build_and_push(docker: Shell, build: Build, name: str) -> None:
    """The engine forgets the image, so that only the registry has it."""
    build(name)
    docker.run("docker", "push", name)
    docker.run("docker", "rmi", name)


def create(docker: Shell, service: str, image: str, *flags: str) -> None:
    quickly = ["--restart-delay=100ms", "--stop-grace-period=0s", "--update-delay=0s"]
    docker.run("docker", "service", "create", "--detach", *quickly, *flags, "--name", service, image, "sleep", "600")


def tasks(docker: Shell, service: str) -> list[dict[str, Any]]:  # lines of JSON that docker prints
    listed = docker.run("docker", "service", "ps", "--no-trunc", "--format={{json .}}", service)
    return [json.loads(line) for line in listed.splitlines()]


def states(docker: Shell, service: str, image: str = "") -> set[str]:
    """First words of the tasks' states ("Running", "Rejected"), of those tasks that run ``image``."""
    return {task["CurrentState"].split()[0] for task in tasks(docker, service) if task["Image"].startswith(image)}
