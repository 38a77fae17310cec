"""docker and a registry with a name of its own: no trust without the CA, trust with it in ``certs.d``.

At a loopback address docker trusts everybody, and ``docker manifest push`` speaks plain HTTP alone. So the server, the
engine and the command line run in a network namespace with one more address, and in a mount namespace whose ``/etc``
is a copy that nobody else sees.
"""

import json
import shutil
from collections.abc import Iterator

import pytest
from tests.e2e.clients import Shell
from tests.e2e.docker.dockerd import Engine, dockerd
from tests.e2e.layouts import DOCKER_MANIFEST_LIST, tar_of, unique
from tests.e2e.namespaces import DOMAIN, Inside, named_server, namespaces
from tests.services import Registry

pytestmark = pytest.mark.xdist_group("docker")

PORT = 5000


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with namespaces(tmp_path_factory.mktemp("namespace"), [f"local.{DOMAIN}"]) as made:
        yield made


@pytest.fixture(scope="module")
def named(inside: Inside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with named_server(inside, tmp_path_factory.mktemp("named") / "data", PORT) as registry:
        yield registry


@pytest.fixture(scope="module")
def engine(inside: Inside) -> Iterator[Engine]:
    with dockerd(within=inside.command) as started:
        yield started


@pytest.fixture
def docker(inside: Inside, engine: Engine, shell: Shell) -> Shell:
    return inside.of(engine.seen_from(shell))


@pytest.fixture
def trusted(inside: Inside, named: Registry) -> Iterator[Registry]:
    """The server, with its CA where docker looks for it; gone after the test."""
    folder = inside.etc / "docker" / "certs.d" / named.login_server
    folder.mkdir(parents=True)
    shutil.copy(named.ca, folder / "ca.crt")
    yield named
    shutil.rmtree(folder)


def test_a_registry_whose_ca_is_unknown_is_not_trusted(docker: Shell, named: Registry) -> None:
    said = docker.refused(*login_to(named), stdin=named.password)
    assert "certificate signed by unknown authority" in said


def test_the_ca_in_certs_d_makes_docker_trust_the_registry(docker: Shell, trusted: Registry, repository: str) -> None:
    docker.run(*login_to(trusted), stdin=trusted.password)
    name = f"{trusted.login_server}/{repository}:v1"
    docker.run("docker", "import", "-", name, stdin=tar_of({"unique": unique()}))
    docker.run("docker", "push", name)
    docker.run("docker", "rmi", name)
    docker.run("docker", "pull", name)


def test_a_manifest_list_is_made_and_one_platform_of_it_pulled(
    docker: Shell, trusted: Registry, repository: str
) -> None:
    docker.run(*login_to(trusted), stdin=trusted.password)
    image = f"{trusted.login_server}/{repository}"
    for architecture in ("amd64", "arm64"):
        docker.run("docker", "import", "-", f"{image}:{architecture}", stdin=tar_of({"unique": unique()}))
        docker.run("docker", "push", f"{image}:{architecture}")
    docker.run("docker", "manifest", "create", f"{image}:v1", f"{image}:amd64", f"{image}:arm64")
    docker.run("docker", "manifest", "annotate", "--arch=arm64", f"{image}:v1", f"{image}:arm64")
    docker.run("docker", "manifest", "push", "--purge", f"{image}:v1")
    stored = json.loads(docker.run("docker", "manifest", "inspect", f"{image}:v1"))
    assert stored["mediaType"] == DOCKER_MANIFEST_LIST
    assert [child["platform"]["architecture"] for child in stored["manifests"]] == ["amd64", "arm64"]
    pulled = docker.run("docker", "pull", "--platform=linux/arm64", f"{image}:v1")
    assert "Digest: sha256:" in pulled


def login_to(registry: Registry) -> list[str]:
    return ["docker", "login", f"--username={registry.user}", "--password-stdin", registry.login_server]
