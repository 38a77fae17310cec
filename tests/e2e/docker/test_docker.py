"""Docker: the path of the README (login, push, pull), mounts, and what it says when it is refused."""

import random

import httpx
import pytest
from tests.e2e.az.cli import az_for, sign_in
from tests.e2e.clients import Shell
from tests.e2e.docker.dockerd import Build
from tests.services import Registry

pytestmark = pytest.mark.xdist_group("docker")


def test_an_image_is_pushed_pulled_and_run(docker: Shell, build: Build, image: str) -> None:
    build(f"{image}:v1")
    built = docker.run("docker", "image", "inspect", "--format={{.Id}}", f"{image}:v1")
    pushed = docker.run("docker", "push", f"{image}:v1")
    docker.run("docker", "rmi", f"{image}:v1")
    pulled = docker.run("docker", "pull", f"{image}:v1")
    assert digest_in(pulled) == digest_in(pushed)
    assert docker.run("docker", "image", "inspect", "--format={{.Id}}", f"{image}:v1") == built
    assert docker.run("docker", "run", "--rm", "--network=none", f"{image}:v1") == "hello from busybox\n"


def test_the_digest_that_docker_prints_is_the_one_that_is_stored(
    docker: Shell, build: Build, image: str, repository: str, http: httpx.Client
) -> None:
    build(f"{image}:v1")
    digest = digest_in(docker.run("docker", "push", f"{image}:v1"))
    assert http.get(f"/v2/{repository}/manifests/v1").headers["docker-content-digest"] == digest
    docker.run("docker", "rmi", f"{image}:v1")
    docker.run("docker", "pull", f"{image}@{digest}")


def test_a_layer_of_many_megabytes_arrives_whole(docker: Shell, build: Build, image: str) -> None:
    """What docker compresses on the way it sends in pieces of unknown length, with the digest at the end."""
    build(f"{image}:v1", random.randbytes(24 * 2**20))
    pushed = docker.run("docker", "push", f"{image}:v1")
    docker.run("docker", "rmi", f"{image}:v1")
    assert digest_in(docker.run("docker", "pull", f"{image}:v1")) == digest_in(pushed)


def test_a_second_push_finds_its_layers_there(docker: Shell, build: Build, image: str) -> None:
    build(f"{image}:v1")
    docker.run("docker", "push", f"{image}:v1")
    docker.run("docker", "tag", f"{image}:v1", f"{image}:v2")
    assert "Layer already exists" in docker.run("docker", "push", f"{image}:v2")


def test_a_push_to_another_repository_mounts_its_layers(
    docker: Shell, build: Build, image: str, repository: str
) -> None:
    build(f"{image}:v1")
    docker.run("docker", "push", f"{image}:v1")
    docker.run("docker", "tag", f"{image}:v1", f"{image}-other:v1")
    assert f"Mounted from {repository}" in docker.run("docker", "push", f"{image}-other:v1")


def test_all_tags_are_pushed_and_pulled_at_once(docker: Shell, build: Build, image: str) -> None:
    build(f"{image}:v1")
    docker.run("docker", "tag", f"{image}:v1", f"{image}:v2")
    docker.run("docker", "push", "--all-tags", image)
    docker.run("docker", "rmi", f"{image}:v1", f"{image}:v2")
    docker.run("docker", "pull", "--all-tags", image)
    assert set(docker.run("docker", "images", "--format={{.Tag}}", image).split()) == {"v1", "v2"}


def test_az_signs_docker_in(docker: Shell, build: Build, server: Registry, image: str) -> None:
    """It gives docker the refresh token that it got at the exchange, in place of what docker had."""
    build(f"{image}:v1")
    docker.run("docker", "logout", server.login_server)
    az = az_for(server, docker)
    sign_in(az, server.user, server.password)
    assert "Login Succeeded" in az.run("acr", "login", "--name", "local")
    docker.run("docker", "push", f"{image}:v1")


def test_a_wrong_password_is_refused_with_a_reason(signed_out: Shell, server: Registry) -> None:
    login = ["docker", "login", "--username", server.user, "--password-stdin", server.login_server]
    assert "unauthorized" in signed_out.refused(*login, stdin="wrong").lower()


def test_who_has_signed_out_is_told_so_at_once(docker: Shell, build: Build, server: Registry, image: str) -> None:
    """A push is tried five times more, in fifty seconds, unless the refusal reads as one that will not change."""
    build(f"{image}:v1")
    docker.run("docker", "push", f"{image}:v1")
    docker.run("docker", "logout", server.login_server)
    for verb in ("push", "pull"):
        assert "unauthorized" in docker.refused("docker", verb, f"{image}:v1", within=30)


def test_an_unknown_tag_is_told_as_not_found(docker: Shell, image: str) -> None:
    said = docker.refused("docker", "pull", f"{image}:never-pushed").lower()
    assert "not found" in said or "manifest unknown" in said


def digest_in(said: str) -> str:
    return next(word for word in said.split() if word.startswith("sha256:") and len(word) == 71)
