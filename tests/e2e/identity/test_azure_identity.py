"""azure-identity and MSAL sign in to the directory as they sign in to Entra."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msal
import pytest
from cryptography.hazmat.primitives import serialization
from playwright.sync_api import Page
from tests.directory import AZURE_CLI, KeyPair
from tests.e2e.identity.conftest import ARM, Program, Site
from tests.federated import AUDIENCE, KUBERNETES
from tests.issuer import outside_issuer
from tests.outside import Authority
from tests.services import wait_until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def certificate(site: Site, tmp_path: Path) -> tuple[str, Path]:
    """An application's client id, and the file of its key and certificate."""
    client_id = site.run("app", "add", "with a certificate")["client id"]
    pair = KeyPair.make(datetime.now(UTC))
    file = tmp_path / "certificate.pem"
    file.write_text(pair.pem)
    site.run("app", "certificate", client_id, str(file))
    encoding = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(pair.key.private_bytes(*encoding) + pair.pem.encode())
    return client_id, file


def enter_code(page: Page, site: Site, told: list[str], upn: str) -> None:
    page.goto(told[0])
    page.get_by_label("Code").fill(told[1])
    page.get_by_role("button", name="Next").click()
    page.get_by_label("User name").fill(upn)
    page.get_by_label("Password").fill(site.password)
    page.get_by_role("button", name="Sign in").click()


def test_a_client_secret(site: Site, program: Callable[..., Program]):
    server = site.server
    (token,) = program().signs_in(
        "ClientSecretCredential", tenant_id=site.tenant, client_id=server.user, client_secret=server.password
    )
    assert site.claims(token)["appid"] == server.user


def test_a_wrong_secret_is_told_as_entra_tells_it(site: Site, program: Callable[..., Program]):
    complaint = program().is_refused(
        "ClientSecretCredential", tenant_id=site.tenant, client_id=site.server.user, client_secret="wrong"
    )
    assert "AADSTS7000215" in complaint


def test_a_certificate(site: Site, program: Callable[..., Program], certificate: tuple[str, Path]):
    client_id, file = certificate
    tokens = program().signs_in(
        "CertificateCredential",
        tenant_id=site.tenant,
        client_id=client_id,
        certificate_path=str(file),
        times=2,
    )
    assert [site.claims(token)["appid"] for token in tokens] == [client_id, client_id]


def test_an_assertion_that_the_program_signs_itself(site: Site, program: Callable[..., Program], tmp_path: Path):
    client_id = site.run("app", "add", "with an assertion")["client id"]
    now = datetime.now(UTC)
    pair = KeyPair.make(now)
    (tmp_path / "certificate.pem").write_text(pair.pem)
    site.run("app", "certificate", client_id, str(tmp_path / "certificate.pem"))
    moment = int(now.timestamp())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": site.configuration()["token_endpoint"],
        "nbf": moment,
        "exp": moment + 600,
    }
    (token,) = program().signs_in(
        "ClientAssertionCredential", tenant_id=site.tenant, client_id=client_id, assertion=pair.sign(claims)
    )
    assert site.claims(token)["appid"] == client_id


def test_a_workload_identity(site: Site, program: Callable[..., Program], outside: Authority, tmp_path: Path):
    client_id = site.run("app", "add", "in a cluster")["client id"]
    subject = "system:serviceaccount:team:builder"
    with outside_issuer(outside) as issuer:
        site.run("app", "federate", client_id, "--name", "k8s", "--issuer", issuer.url, "--subject", subject)
        (tmp_path / "token").write_text(issuer.token({"sub": subject, "aud": AUDIENCE}))
        (token,) = program().signs_in(
            "WorkloadIdentityCredential",
            tenant_id=site.tenant,
            client_id=client_id,
            token_file_path=str(tmp_path / "token"),
        )
    assert site.claims(token)["appid"] == client_id


@pytest.mark.parametrize("credential", ["WorkloadIdentityCredential", "DefaultAzureCredential"])
def test_a_workload_identity_by_the_environment_of_its_pod(
    site: Site, program: Callable[..., Program], outside: Authority, tmp_path: Path, credential: str
):
    """As Azure's webhook for pods sets it, and the guide for Kubernetes."""
    client_id = site.run("app", "add", "in a pod")["client id"]
    with outside_issuer(outside, KUBERNETES.path, KUBERNETES.algorithm) as issuer:
        subject = ("--issuer", issuer.url, "--subject", KUBERNETES.claims["sub"])
        site.run("app", "federate", client_id, "--name", "builder", *subject)
        claims = {"aud": KUBERNETES.audience, **KUBERNETES.claims}
        (tmp_path / "token").write_text(issuer.token(claims, header=KUBERNETES.header))
        pod = program(
            AZURE_CLIENT_ID=client_id,
            AZURE_TENANT_ID=site.tenant,
            AZURE_FEDERATED_TOKEN_FILE=str(tmp_path / "token"),
            AZURE_AUTHORITY_HOST=f"{site.server.endpoint}/",
        )
        (token,) = pod.signs_in(credential)
        (tmp_path / "token").write_text(issuer.token({**claims, "sub": "system:serviceaccount:team:other"}))
        assert "AADSTS700213" in pod.is_refused("WorkloadIdentityCredential")
    assert site.claims(token)["appid"] == client_id


def test_a_device_code(site: Site, program: Callable[..., Program], page: Page):
    upn = site.add_person("device")
    with program().started("DeviceCodeCredential") as process:
        assert process.stdout is not None
        enter_code(page, site, json.loads(process.stdout.readline()), upn)
        assert page.get_by_role("heading").inner_text() == "Sign in on another device?"
        page.get_by_role("button", name="Yes, sign it in").click()
        assert page.get_by_role("heading").inner_text() == "Done"
        said, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, complaint
    claims = site.claims(json.loads(said)[0])
    assert (claims["upn"], claims["appid"]) == (upn, AZURE_CLI)


def test_a_device_code_that_its_person_declines(site: Site, program: Callable[..., Program], page: Page):
    upn = site.add_person("declining")
    with program().started("DeviceCodeCredential") as process:
        assert process.stdout is not None
        enter_code(page, site, json.loads(process.stdout.readline()), upn)
        page.get_by_role("button", name="No, cancel").click()
        _, complaint = process.communicate(timeout=60)
    assert "AADSTS65004" in complaint


def test_a_browser(site: Site, program: Callable[..., Program], page: Page, tmp_path: Path):
    upn = site.add_person("browser")
    asked = tmp_path / "asked"
    opener = tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" >{asked}.new && mv {asked}.new {asked}\n')
    opener.chmod(0o755)
    with program(BROWSER=f"{opener} %s").started("InteractiveBrowserCredential") as process:
        wait_until(asked.exists, "the program opens a browser")
        page.goto(asked.read_text())
        page.get_by_label("User name").fill(upn)
        page.get_by_label("Password").fill(site.password)
        page.get_by_role("button", name="Sign in").click()
        # MSAL asks for a form post; where no script runs, its person sends the form.
        page.get_by_role("button", name="Continue").click()
        said, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, complaint
    assert site.claims(json.loads(said)[0])["upn"] == upn


def test_a_managed_identity(site: Site, program: Callable[..., Program]):
    made = site.run("app", "identity", "build machine")
    workload = program(IDENTITY_ENDPOINT=f"{site.server.endpoint}/msi/token", IDENTITY_HEADER=made["identity header"])
    (token,) = workload.signs_in("ManagedIdentityCredential")
    claims = site.claims(token)
    assert (claims["idtyp"], claims["appid"]) == ("app", made["client id"])


def test_a_managed_identity_of_the_machine(site: Site, program: Callable[..., Program]):
    made = site.run("app", "identity", "build host", "--machine")
    workload = program(AZURE_POD_IDENTITY_AUTHORITY_HOST=site.server.endpoint)
    (token,) = workload.signs_in("ManagedIdentityCredential")
    claims = site.claims(token)
    assert (claims["idtyp"], claims["appid"]) == ("app", made["client id"])


def test_msal_signs_in_by_itself(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(site.server.ca))
    client = msal.ConfidentialClientApplication(
        site.server.user,
        client_credential=site.server.password,
        authority=f"{site.server.endpoint}/{site.tenant}",
        instance_discovery=False,
    )
    first, second = client.acquire_token_for_client([ARM]), client.acquire_token_for_client([ARM])
    assert first
    assert second
    assert site.claims(str(first["access_token"]))["appid"] == site.server.user
    assert second["token_source"] == "cache"


def test_msal_renews_a_person_s_token(site: Site, page: Page, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(site.server.ca))
    upn = site.add_person("renewing")
    client = msal.PublicClientApplication(
        AZURE_CLI,
        authority=f"{site.server.endpoint}/organizations",
        instance_discovery=False,
    )
    flow = client.initiate_device_flow([ARM])
    enter_code(page, site, [flow["verification_uri"], flow["user_code"]], upn)
    page.get_by_role("button", name="Yes, sign it in").click()
    first = client.acquire_token_by_device_flow(flow)
    (account,) = client.get_accounts()
    second = client.acquire_token_silent([ARM], account, force_refresh=True)
    assert second
    assert account["username"] == upn
    assert site.claims(str(second["access_token"]))["uti"] != site.claims(first["access_token"])["uti"]
