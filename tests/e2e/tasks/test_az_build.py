"""``az acr build``: a folder of the client, built and pushed where the registry is (ACR-TASKS 4.1, 6.5)."""

from pathlib import Path

import pytest
from tests.e2e.az.cli import Az
from tests.e2e.tasks.conftest import Site

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


def test_a_build_that_fails_fails_the_command(az: Az, source: Path, repository: str) -> None:
    (source / "Dockerfile").write_text("FROM scratch\nCOPY nothing-here /\n")
    said = az.refused("acr", "build", "--registry", "local", "--image", f"{repository}:v1", str(source))
    assert "Run failed" in said, said
    assert "nothing-here" in said
