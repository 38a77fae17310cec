"""`entrepot import` and `entrepot operation`: from docker-registry with credentials, and from a registry here."""

import signal
from collections.abc import Iterator

import pytest
from tests.content import an_image
from tests.distribution import PASSWORD, USER, Distribution, distribution
from tests.e2e.clients import Shell, http_of
from tests.e2e.commands.conftest import owners
from tests.e2e.commands.program import Program
from tests.faults.plain import Repository
from tests.foreign import ForeignRegistry, foreign_registry
from tests.outside import Asked, Authority, authority
from tests.services import Registry, entrepot

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"), "127.0.0.1")


@pytest.fixture(scope="module")
def importing(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    environment = {"ENTREPOT_OUTBOUND_ALLOW": "127.0.0.1", "ENTREPOT_OUTBOUND_CA_FILE": str(ca.ca_file)}
    with entrepot(tmp_path_factory.mktemp("importing") / "data", environment=environment) as registry:
        yield registry


@pytest.fixture
def program(importing: Registry, shell: Shell) -> Program:
    return owners(importing, shell)


@pytest.fixture(scope="module")
def other(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distribution]:
    with distribution(tmp_path_factory.mktemp("distribution") / "data", ca) as registry:
        yield registry


def test_from_another_registry_with_a_password_from_standard_input(
    program: Program, importing: Registry, other: Distribution
) -> None:
    image = an_image("imported", size=200_000)
    other.push("team/app", image, "v1")
    source = (f"{other.place}/team/app:v1", "--username", USER, "--secret-stdin")
    done = program("import", *source, "--image", "app:v1", "--image", "app:latest", stdin=f"{PASSWORD}\n")
    assert (done.exit_code, PASSWORD in done.out + done.error) == (0, False), done
    assert "app:v1: " in done.error
    with http_of(importing) as http:
        for tag in ("v1", "latest"):
            assert http.get(f"/v2/app/manifests/{tag}").content == image.body
    wrong = program.fails(1, "import", *source, "--image", "app:v2", stdin="wrong")
    assert "SourceRegistryFailed" in wrong
    assert other.place in wrong
    assert PASSWORD not in importing.said


def test_from_a_registry_of_the_deployment(program: Program, importing: Registry) -> None:
    image = an_image("here")
    with http_of(importing) as http:
        assert Repository(http, "here/app").push(image, "v1").status_code == 201
        here = ("import", "here/app:v1", "--from", "local", "--image", "release/app:v1")
        assert program.json(*here)["status"] == "Succeeded"
        assert http.get("/v2/release/app/manifests/v1").content == image.body
        assert "already exists" in program.fails(1, *here)
        assert program.json(*here, "--force")["status"] == "Succeeded"


def test_who_does_not_wait_is_told_how_to_follow_it(program: Program, importing: Registry, ca: Authority) -> None:
    image = an_image("slow")
    with foreign_registry(ca) as hub:
        hub.hold("team/slow", image, "v1")
        held = _held_back(hub)
        with program.started("import", f"{hub.place}/team/slow:v1", "--image", "slow:v1") as process:
            assert process.stderr is not None
            assert "slow:v1" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            said = process.stderr.read()
            assert process.wait(30) == 130
        command = said.split("follow it with: entrepot ")[1].split()
        assert command[:2] == ["operation", "show"]
        assert "endTime" not in program.json(*command[:3])
        held.clear()
        assert program.json(*command)["status"] == "Succeeded"
    with http_of(importing) as http:
        assert http.get("/v2/slow/manifests/v1").content == image.body
    assert "OperationNotFound" in program.fails(1, "operation", "show", "registries-none")


def _held_back(hub: ForeignRegistry) -> list[str]:
    """Blobs come when the list is empty."""
    held = ["blobs"]

    def wait(asked: Asked) -> None:
        while held and "/blobs/" in asked.target and not hub.server.over.wait(0.05):
            pass

    hub.wrong = wait
    return held
