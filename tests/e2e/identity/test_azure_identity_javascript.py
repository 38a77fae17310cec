"""@azure/identity for JavaScript signs in to the directory as it signs in to Entra."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from tests.directory import KeyPair
from tests.e2e.clients import NPM, Shell
from tests.e2e.identity.conftest import Site

PROGRAM = Path(__file__).with_name("azure_program.cjs")


@pytest.fixture
def node(shell: Shell, site: Site) -> Shell:
    return shell.having(NODE_PATH=str(NPM / "node_modules"), NODE_EXTRA_CA_CERTS=str(site.server.ca))


def wanted(site: Site, credential: str, *arguments: object) -> str:
    return json.dumps({"credential": credential, "arguments": arguments, "authority": site.server.endpoint})


def test_a_client_secret(site: Site, node: Shell):
    server = site.server
    said = node.run(
        NPM / "node", PROGRAM, wanted(site, "ClientSecretCredential", site.tenant, server.user, server.password)
    )
    assert site.claims(json.loads(said))["appid"] == server.user


def test_a_wrong_secret_is_told_as_entra_tells_it(site: Site, node: Shell):
    said = node.refused(
        NPM / "node", PROGRAM, wanted(site, "ClientSecretCredential", site.tenant, site.server.user, "wrong")
    )
    assert "AADSTS7000215" in said


def test_a_certificate(site: Site, node: Shell, tmp_path: Path):
    client_id = site.run("app", "add", "with a certificate, in JavaScript")["client id"]
    pair, file = KeyPair.make(datetime.now(UTC)), tmp_path / "certificate.pem"
    file.write_text(pair.pem)
    site.run("app", "certificate", client_id, str(file))
    encoding = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(pair.key.private_bytes(*encoding) + pair.pem.encode())
    path = {"certificatePath": str(file)}
    said = node.run(NPM / "node", PROGRAM, wanted(site, "ClientCertificateCredential", site.tenant, client_id, path))
    assert site.claims(json.loads(said))["appid"] == client_id
