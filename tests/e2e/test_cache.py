"""The artifact cache with real clients, before Debian's docker-registry: through a credential set, and without it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from tests.content import Manifest, an_image
from tests.distribution import PASSWORD, USER, Distribution, distribution
from tests.e2e.clients import Shell, certificates_of, http_of, skopeo_for
from tests.e2e.sdk.clients import managing
from tests.outside import Authority, authority
from tests.services import Registry, entrepot, wait_until

pytestmark = pytest.mark.timeout(240)

REGISTRY = ("entrepot", "local")
# More than one request to a source brings.
LAYER = 80_000_000


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"), "127.0.0.1")


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vault")
    (folder / "user").write_text(USER)
    (folder / "password").write_text(f"{PASSWORD}\n")
    return folder


@pytest.fixture(scope="module")
def caching(ca: Authority, vault: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    environment = {
        "ENTREPOT_OUTBOUND_ALLOW": "127.0.0.1",
        "ENTREPOT_OUTBOUND_CA_FILE": str(ca.ca_file),
        "ENTREPOT_VAULTS": f"hub={vault}",
    }
    with entrepot(tmp_path_factory.mktemp("caching") / "data", environment=environment) as registry:
        yield registry


def rule(caching: Registry, vault: Path, source: Distribution, target: str) -> None:
    """Made with Azure's SDK: a credential set that may read the vault, and the rule that uses it."""
    url = "https://hub.vault.azure.net/secrets"
    secrets = {"usernameSecretIdentifier": f"{url}/user", "passwordSecretIdentifier": f"{url}/password"}
    with managing(caching, ContainerRegistryManagementClient) as arm:
        account = {"loginServer": source.place, "authCredentials": [{"name": "Credential1", **secrets}]}
        body = {"identity": {"type": "SystemAssigned"}, "properties": account}
        made = arm.credential_sets.begin_create(*REGISTRY, "hub-account", body).result()
        (credential,) = made.properties.auth_credentials
        assert credential.credential_health.error_code == "Forbidden"
        (vault / ".readers").write_text(f"{made.identity.principal_id}\n")
        (credential,) = arm.credential_sets.get(*REGISTRY, "hub-account").properties.auth_credentials
        assert credential.credential_health.status == "Healthy"
        filled = {"sourceRepository": f"{source.place}/team/*", "targetRepository": target}
        of_account = {**filled, "credentialSetResourceId": made.id}
        arm.cache_rules.begin_create(*REGISTRY, "hub-rule", {"properties": of_account}).result()


def test_what_clients_pull_through_outlives_its_source(
    caching: Registry, ca: Authority, vault: Path, shell: Shell, tmp_path: Path
) -> None:
    image = an_image("cached", layers=2, size=LAYER)
    name, crane = f"{caching.login_server}/hub/app:v1", shell.having(SSL_CERT_FILE=str(caching.ca))
    with distribution(tmp_path / "distribution", ca) as source:
        source.push("team/app", image, "v1")
        rule(caching, vault, source, "hub/*")
        login = ["crane", "auth", "login", caching.login_server, "--username", caching.user, "--password-stdin"]
        crane.run(*login, stdin=caching.password)
        assert crane.run("crane", "digest", name).strip() == image.digest
        pulled(crane, name, image, tmp_path / "first")
        wait_until(lambda: is_kept(caching, image), "the image is here")
    began = time.monotonic()
    pulled(crane, name, image, tmp_path / "second")
    assert time.monotonic() - began < 30
    skopeo = skopeo_for(shell, caching, certificates_of(caching, tmp_path / "certificates"))
    skopeo("copy", f"docker://{name}", f"dir:{tmp_path / 'third'}")
    assert (tmp_path / "third" / "manifest.json").read_bytes() == image.body


def pulled(crane: Shell, name: str, image: Manifest, folder: Path) -> None:
    crane.run("crane", "pull", "--format=oci", name, folder)
    blobs = {f"sha256:{blob.name}": blob.stat().st_size for blob in (folder / "blobs" / "sha256").iterdir()}
    assert {digest: blobs[digest] for digest in image.blobs} == {
        digest: len(content) for digest, content in image.blobs.items()
    }


def is_kept(caching: Registry, image: Manifest) -> bool:
    with http_of(caching) as http:
        return http.get("/v2/hub/app/tags/list").json().get("tags") == ["v1"]
