"""``az acr pack build``: Cloud Native Buildpacks, with their own pack and lifecycle (ACR-TASKS 6.1)."""

from pathlib import Path

import pytest
from tests.e2e.az.cli import Az
from tests.e2e.tasks.buildpacks import push_images
from tests.e2e.tasks.conftest import PACK, Site

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def builder(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "images"
    server = site.server.login_server
    return push_images(site.docker, folder, f"{server}/buildpacks", f"{server}/{PACK}")


def built(site: Site, repository: str) -> str:
    """What the image says that a run pushed."""
    image = f"{site.server.login_server}/{repository}:v1"
    site.docker.run("docker", "pull", image)
    return site.docker.run("docker", "run", "--rm", image)


def expected(site: Site, source: Path) -> str:
    """What the buildpack put in: the application's text, and a variable that az gives to each build."""
    return f"{(source / 'greeting').read_text()}built for {site.server.login_server}\n"


def test_a_folder_is_built_by_buildpacks_and_runs(
    az: Az, site: Site, builder: str, source: Path, repository: str
) -> None:
    words = ["--registry", "local", "--image", f"{repository}:v1", "--builder", builder]
    said = az.run("acr", "pack", "build", *words, str(source))
    assert "was successful after" in said, said
    assert "tests/greeting 1" in said, said
    assert built(site, repository) == expected(site, source)
    left = site.docker.run("docker", "images") + site.docker.run("docker", "volume", "ls")
    assert "pack.local" not in left, left
    assert "pack-" not in left, left


def test_a_trusted_builder_does_it_in_one_container_with_the_network_off(
    az: Az, site: Site, builder: str, source: Path, repository: str
) -> None:
    words = f"build $Registry/{repository}:v1 --builder {builder} --trust-builder --env REGISTRY_NAME=$Registry"
    (source / "acb.yaml").write_text(
        f"""\
version: v1.1.0
steps:
  - cmd: mcr.microsoft.com/oryx/pack:stable {words} --pull-policy if-not-present
  - push: [$Registry/{repository}:v1]
"""
    )
    az.run("acr", "update", "--name", "local", "--tags", "entrepot.egress=none", "--output", "none")
    try:
        said = az.run("acr", "run", "--registry", "local", "--file", "acb.yaml", str(source))
    finally:
        az.run("acr", "update", "--name", "local", "--tags", "", "--output", "none")
    assert "was successful after" in said, said
    assert "its egress is none" in said, said
    assert built(site, repository) == expected(site, source)
