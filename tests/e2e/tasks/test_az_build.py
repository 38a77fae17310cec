"""``az acr build``: a folder of the client, built and pushed where the registry is (ACR-TASKS 4.1, 6.5)."""

from pathlib import Path

import pytest
from tests.e2e.az.cli import Az
from tests.e2e.tasks.conftest import PACK, TOOLS, Site

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(300)]


def tags(az: Az, repository: str) -> list[str]:
    """But for that of the builds' cache."""
    found: list[str] = az.json("acr", "repository", "show-tags", "--name", "local", "--repository", repository)
    return [tag for tag in found if tag.partition("-")[0] != "cache"]


def test_a_folder_is_built_and_pushed(az: Az, site: Site, source: Path, repository: str) -> None:
    said = az.run("acr", "build", "--registry", "local", "--image", f"{repository}:v1", str(source))
    assert "was successful after" in said, said
    assert tags(az, repository) == ["v1"]
    site.docker.run("docker", "pull", f"{site.server.login_server}/{repository}:v1")


def test_buildpacks_run_in_the_image_that_the_operator_named(
    az: Az, site: Site, source: Path, tmp_path: Path, repository: str
) -> None:
    """A stand-in for Microsoft's image builds the Dockerfile: what is shown is the way there and back."""
    folder = tmp_path / "pack"
    folder.mkdir()
    # The engine has the machine's image from its first run on.
    az.run("acr", "run", "--registry", "local", "--cmd", f"$Registry/{TOOLS} true", "/dev/null")
    machine = site.docker.run("docker", "images", "--quiet", "entrepot-machine").split()[0]
    (folder / "pack").write_text('#!/bin/sh\nexec docker build --tag "$2" .\n')
    (folder / "pack").chmod(0o755)
    (folder / "Dockerfile").write_text(f'FROM {machine}\nCOPY pack /pack\nENTRYPOINT ["/pack"]\n')
    name = f"{site.server.login_server}/{PACK}"
    site.docker.having(DOCKER_BUILDKIT="0").run("docker", "build", "--tag", name, folder)
    site.docker.run("docker", "push", name)
    words = ["--registry", "local", "--image", f"{repository}:v1", "--builder", "stand-in/builder:1"]
    said = az.run("acr", "pack", "build", *words, str(source))
    assert "was successful after" in said, said
    assert tags(az, repository) == ["v1"]


def test_a_build_that_fails_fails_the_command(az: Az, source: Path, repository: str) -> None:
    (source / "Dockerfile").write_text("FROM scratch\nCOPY nothing-here /\n")
    said = az.refused("acr", "build", "--registry", "local", "--image", f"{repository}:v1", str(source))
    assert "Run failed" in said, said
    assert "nothing-here" in said
