"""``az acr import``: from a registry of the deployment, and from another one with credentials."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.content import an_image, an_index
from tests.distribution import PASSWORD, USER, Distribution, distribution
from tests.e2e.az.cli import Az, az_for, sign_in
from tests.e2e.clients import http_of, shell_in
from tests.faults.plain import Repository
from tests.outside import Authority, authority
from tests.services import Registry, entrepot

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"), "127.0.0.1")


@pytest.fixture(scope="module")
def other(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distribution]:
    with distribution(tmp_path_factory.mktemp("distribution") / "data", ca) as registry:
        yield registry


@pytest.fixture(scope="module")
def importing(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A server that may call the other registry."""
    environment = {"ENTREPOT_OUTBOUND_ALLOW": "127.0.0.1", "ENTREPOT_OUTBOUND_CA_FILE": str(ca.ca_file)}
    with entrepot(tmp_path_factory.mktemp("importing") / "data", environment=environment) as registry:
        yield registry


@pytest.fixture(scope="module")
def its_az(importing: Registry, tmp_path_factory: pytest.TempPathFactory) -> Az:
    az = az_for(importing, shell_in(tmp_path_factory.mktemp("az")))
    sign_in(az, importing.user, importing.password)
    return az


def test_from_another_registry_with_credentials(its_az: Az, importing: Registry, other: Distribution) -> None:
    children = [an_image(name, architecture=name, size=100_000) for name in ("amd64", "arm64")]
    for child in children:
        other.push("team/app", child)
    index = an_index(children)
    other.push("team/app", index, "v1")
    source = ("--source", f"{other.place}/team/app:v1", "--username", USER, "--password", PASSWORD)
    its_az.run("acr", "import", "--name", "local", *source, "--image", "app:v1", "--repository", "plain/app")
    with http_of(importing) as http:
        for place in ("app/manifests/v1", f"plain/app/manifests/{index.digest}"):
            assert http.get(f"/v2/{place}").content == index.body
    wrong = ("--source", f"{other.place}/team/app:v1", "--username", USER, "--password", "wrong")
    refused = its_az.refused("acr", "import", "--name", "local", *wrong, "--image", "app:v2")
    assert "SourceRegistryFailed" in refused
    assert other.place in refused


def test_from_a_registry_of_the_deployment(its_az: Az, importing: Registry, tmp_path: Path) -> None:
    name, image = f"from/{uuid4().hex[:8]}", an_image(uuid4())
    az = its_az.elsewhere(tmp_path / "azure")
    made = az.json("acr", "create", "--name", "second", "--resource-group", "entrepot", "--sku", "Standard")
    with http_of(importing) as http:
        assert Repository(http, name).push(image, "v1").status_code == 201
        by_id = ("--source", f"{name}:v1", "--registry", az.registry, "--image", f"{name}:v1")
        az.run("acr", "import", "--name", "second", *by_id)
        # az finds the registry by its login server and sends its id.
        by_host = ("--source", f"{made['loginServer']}/{name}:v1", "--image", f"{name}:back")
        az.run("acr", "import", "--name", "local", *by_host)
        assert http.get(f"/v2/{name}/manifests/back").content == image.body
        refused = az.refused("acr", "import", "--name", "local", *by_host)
        assert f"Tag {name}:back already exists in target registry" in refused
        az.run("acr", "import", "--name", "local", *by_host, "--force")
