"""What the Azure SDKs are told of the server from which everybody may read."""

import json
from pathlib import Path

import pytest
from tests.e2e.clients import NPM, Shell, shell_in
from tests.services import Registry


@pytest.fixture
def trusted_ca(public: Registry) -> Path:
    """The CA that the server made: clients are told of it and verify against it."""
    return public.ca


@pytest.fixture
def tenant(public: Registry) -> str:
    """Where its owner, a service principal, signs in."""
    return json.loads((public.data_dir / "bootstrap.json").read_bytes())["tenantId"]


@pytest.fixture(scope="module")
def programs(public: Registry, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell for programs that manage registries as their owner."""
    made = json.loads((public.data_dir / "bootstrap.json").read_bytes())
    return shell_in(tmp_path_factory.mktemp("programs")).having(
        ENDPOINT=public.endpoint,
        TENANT=made["tenantId"],
        SUBSCRIPTION=made["subscriptionId"],
        CLIENT_ID=public.user,
        CLIENT_SECRET=public.password,
        NODE_PATH=str(NPM / "node_modules"),
        NODE_EXTRA_CA_CERTS=str(public.ca),
        SSL_CERT_FILE=str(public.ca),
    )
