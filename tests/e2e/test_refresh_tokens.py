"""Clients sign in as `az acr login --expose-token` has them do: the nil user, and a refresh token of the registry."""

import json
import ssl
from dataclasses import replace

import httpx
import pytest
from tests.e2e.clients import Shell, certificates_of, podman_in, skopeo_for
from tests.e2e.layouts import Layout
from tests.services import Registry

NIL_USER = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def exchanged(server: Registry) -> Registry:
    """The server, with these credentials: they are traded for the owner's token of the directory."""
    told = json.loads((server.data_dir / "bootstrap.json").read_bytes())
    asked = {
        "grant_type": "client_credentials",
        "client_id": server.user,
        "client_secret": server.password,
        "scope": "https://containerregistry.azure.net/.default",
    }
    trust = ssl.create_default_context(cafile=server.ca)
    with httpx.Client(base_url=server.endpoint, verify=trust, timeout=30) as http:
        token = http.post(f"/{told['tenantId']}/oauth2/v2.0/token", data=asked).json()["access_token"]
        form = {"grant_type": "access_token", "service": server.login_server, "access_token": token}
        answer = http.post("/oauth2/exchange", data=form)
    return replace(server, user=NIL_USER, password=answer.json()["refresh_token"])


def with_crane(shell: Shell, registry: Registry, layout: Layout, image: str) -> None:
    trusting = shell.having(SSL_CERT_FILE=str(registry.ca))
    login = ["crane", "auth", "login", registry.login_server, "--username", registry.user, "--password-stdin"]
    trusting.run(*login, stdin=registry.password)
    trusting.run("crane", "push", layout.folder, f"{image}:v1")


def with_oras(shell: Shell, registry: Registry, layout: Layout, image: str) -> None:
    shell.run(*oras_login(registry), f"--username={registry.user}", "--password-stdin", stdin=registry.password)
    oras_copy(shell, registry, layout, image)


def with_oras_and_no_user(shell: Shell, registry: Registry, layout: Layout, image: str) -> None:
    """It trades the refresh token by POST."""
    shell.run(*oras_login(registry), "--identity-token-stdin", stdin=registry.password)
    oras_copy(shell, registry, layout, image)


def oras_login(registry: Registry) -> list[str]:
    return ["oras", "login", registry.login_server, "--plain-http=false", f"--ca-file={registry.ca}"]


def oras_copy(shell: Shell, registry: Registry, layout: Layout, image: str) -> None:
    trust = ["--to-plain-http=false", f"--to-ca-file={registry.ca}"]
    shell.run("oras", "cp", *trust, "--from-oci-layout", f"{layout.folder}:v1", f"{image}:v1")


def with_podman(shell: Shell, registry: Registry, layout: Layout, image: str) -> None:
    podman = podman_in(shell)
    trust = f"--cert-dir={certificates_of(registry, shell.folder / 'trust')}"
    login = ["podman", "login", trust, f"--username={registry.user}", "--password-stdin"]
    podman.run(*login, registry.login_server, stdin=registry.password)
    pulled = podman.run("podman", "pull", "--quiet", f"oci:{layout.folder}:v1").strip()
    podman.run("podman", "push", trust, pulled, f"docker://{image}:v1")


def with_skopeo(shell: Shell, registry: Registry, layout: Layout, image: str) -> None:
    skopeo = skopeo_for(shell, registry, certificates_of(registry, shell.folder / "trust"))
    skopeo("copy", f"oci:{layout.folder}:v1", f"docker://{image}:v1")


CLIENTS = {
    "crane": with_crane,
    "oras": with_oras,
    "oras without a user": with_oras_and_no_user,
    "podman": with_podman,
    "skopeo": with_skopeo,
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_pushes_with_a_refresh_token(
    client: str, shell: Shell, exchanged: Registry, layout: Layout, image: str, http: httpx.Client, repository: str
) -> None:
    layout.tagged("v1", layout.image())
    CLIENTS[client](shell, exchanged, layout, image)
    assert http.get(f"/v2/{repository}/tags/list").json()["tags"] == ["v1"]


@pytest.mark.parametrize("program", ["helm3", "helm4"])
def test_helm_pushes_with_a_refresh_token(
    program: str, shell: Shell, exchanged: Registry, image: str, http: httpx.Client, repository: str
) -> None:
    login = [program, "registry", "login", f"--ca-file={exchanged.ca}", f"--username={exchanged.user}"]
    shell.run(*login, "--password-stdin", exchanged.login_server, stdin=exchanged.password)
    shell.run(program, "create", "greeting")
    shell.run(program, "package", "greeting")
    shell.run(program, "push", f"--ca-file={exchanged.ca}", "greeting-0.1.0.tgz", f"oci://{image}")
    assert http.get(f"/v2/{repository}/greeting/tags/list").json()["tags"] == ["0.1.0"]
