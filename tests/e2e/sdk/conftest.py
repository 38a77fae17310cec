"""What the Azure SDKs are told of the server from which everybody may read."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.clients import NPM, Shell, shell_in
from tests.services import Registry, entrepot, postgres


@pytest.fixture
def trusted_ca(public: Registry) -> Path:
    """The CA that the server made: clients are told of it and verify against it."""
    return public.ca


@pytest.fixture
def tenant(public: Registry) -> str:
    """Where its owner, a service principal, signs in."""
    return json.loads((public.data_dir / "bootstrap.json").read_bytes())["tenantId"]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A server on either database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("public")
        return
    folder = tmp_path_factory.mktemp("postgresql") / "data"
    with postgres() as url, entrepot(folder, environment={"ENTREPOT_DATABASE_URL": url}) as registry:
        yield registry


@pytest.fixture(scope="module")
def programs(public: Registry, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell for programs that manage registries as their owner."""
    return _owners(public, tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def programs_on_either(either: Registry, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return _owners(either, tmp_path_factory.mktemp("programs"))


def _owners(server: Registry, folder: Path) -> Shell:
    made = json.loads((server.data_dir / "bootstrap.json").read_bytes())
    return shell_in(folder).having(
        ENDPOINT=server.endpoint,
        TENANT=made["tenantId"],
        SUBSCRIPTION=made["subscriptionId"],
        CLIENT_ID=server.user,
        CLIENT_SECRET=server.password,
        NODE_PATH=str(NPM / "node_modules"),
        NODE_EXTRA_CA_CERTS=str(server.ca),
        SSL_CERT_FILE=str(server.ca),
    )
