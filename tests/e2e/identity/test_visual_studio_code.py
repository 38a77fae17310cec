"""What Visual Studio Code's registries view asks, by the libraries that it uses: the program says where it is from."""

import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page
from tests.content import a_config, an_image, an_index
from tests.e2e.clients import NPM, Shell, http_of
from tests.e2e.identity.conftest import Site
from tests.faults.plain import Repository

PROGRAM: Final = Path(__file__).with_name("visual_studio_code.cjs")
OWNER: Final = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ONE, TWO = an_image("one"), an_image("two")
CONFIGS: Final = {tag: json.loads(a_config(seed)) for tag, seed in {"all": "one", "v1": "one", "v2": "two"}.items()}

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def pushed(site: Site, repository: str) -> Iterator[httpx.Client]:
    """Two images, of which one is in an index."""
    with http_of(site.server) as http:
        app = Repository(http, repository)
        for image, tag in ((ONE, "v1"), (TWO, "v2"), (an_index([ONE]), "all")):
            assert app.push(image, tag).status_code == 201
        yield http


@contextmanager
def code(site: Site, shell: Shell, **wanted: str) -> Iterator["subprocess.Popen[str]"]:
    argument = {"endpoint": site.server.endpoint, "login": f"https://{site.server.login_server}", **wanted}
    trust = {"NODE_PATH": str(NPM / "node_modules"), "NODE_EXTRA_CA_CERTS": str(site.server.ca)}
    process = subprocess.Popen(
        [NPM / "node", PROGRAM, json.dumps(argument)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"HOME": str(shell.folder)} | trust,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def seen_by(process: "subprocess.Popen[str]") -> Any:  # noqa: ANN401  what the program printed
    said, complaint = process.communicate(timeout=120)
    assert process.returncode == 0, complaint
    return json.loads(said.splitlines()[-1])


def owner_in(site: Site) -> str:
    """A person who may do anything. The server's owner gives them the role."""
    told = site.added_person(f"code-{uuid4().hex[:8]}")
    server = site.server
    with httpx.Client(base_url=server.endpoint, verify=ssl.create_default_context(cafile=server.ca)) as http:
        proof = {"client_id": server.user, "client_secret": server.password, "scope": f"{server.endpoint}/.default"}
        form = {"grant_type": "client_credentials", **proof}
        token = http.post(f"/{site.tenant}/oauth2/v2.0/token", data=form).json()["access_token"]
        place = f"/subscriptions/{site.subscription}"
        role = f"{place}/providers/Microsoft.Authorization/roleDefinitions/{OWNER}"
        http.put(
            f"{place}/providers/Microsoft.Authorization/roleAssignments/{uuid4()}?api-version=2022-04-01",
            json={"properties": {"roleDefinitionId": role, "principalId": told["id"], "principalType": "User"}},
            headers={"Authorization": f"Bearer {token}"},
        ).raise_for_status()
    return told["user name"]


def test_the_generic_provider_lists_and_deletes(
    site: Site, shell: Shell, pushed: httpx.Client, repository: str
) -> None:
    server = site.server
    wanted = {"repository": repository, "username": server.user, "secret": server.password}
    with code(site, shell, provider="generic", **wanted) as process:
        seen = seen_by(process)
    for listed in (seen, seen["byToken"]):
        assert repository in listed["repositories"]
        assert listed["tags"] == ["all", "v1", "v2"]
        assert listed["configs"] == CONFIGS
    assert not seen["fellBack"]
    assert (seen["deleted"], seen["left"]) == (202, ["all", "v1"])
    assert pushed.get(f"/v2/{repository}/manifests/{TWO.digest}").status_code == 404


def test_the_azure_provider_on_a_custom_cloud(
    site: Site, shell: Shell, page: Page, pushed: httpx.Client, repository: str
) -> None:
    upn = owner_in(site)
    with code(site, shell, provider="azure", repository=repository) as process:
        assert process.stdout is not None
        first, _, address = process.stdout.readline().strip().partition(" ")
        assert first == "open", process.communicate()
        page.goto(address)
        page.get_by_label("User name").fill(upn)
        page.get_by_label("Password").fill(site.password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Continue").click()
        seen = seen_by(process)
    assert len(seen["subscriptions"]) == 1
    assert ["local", True] in seen["registries"]
    assert repository in seen["repositories"]
    assert seen["tags"] == ["all", "v1", "v2"]
    assert seen["configs"] == CONFIGS
    assert (seen["untagged"], seen["deleted"], seen["left"]) == (202, 202, ["all"])
    assert seen["gone"] == 202
    assert repository not in seen["repositoriesLeft"]
    assert (seen["complaint"], seen["made"]) == (None, ["fromvisualstudiocode", "Basic"])
    assert "in use" in seen["taken"]
    assert "fromvisualstudiocode" not in seen["registriesLeft"]
    assert pushed.get(f"/v2/{repository}/manifests/v1").status_code == 404
    # What becomes of runs is in e2e/tasks, with an engine.
    assert len(seen["scheduled"]) == 3
    assert [seen["runs"][run] for run in seen["scheduled"]] == [
        ["QuickRun", None, "Linux"],
        ["QuickRun", None, "Linux"],
        ["QuickRun", "vscodetask", "Linux"],
    ]
    assert seen["tasks"] == ["vscodetask"]
    assert f"Run ID: {seen['scheduled'][0]} " in seen["log"]
    assert pulls(shell, site, pushed, repository, **seen["login"])


def pulls(shell: Shell, site: Site, http: httpx.Client, repository: str, username: str, secret: str) -> bool:
    """What it hands to ``docker login``."""
    assert Repository(http, repository).push(ONE, "again").status_code == 201
    server, trusting = site.server.login_server, shell.having(SSL_CERT_FILE=str(site.server.ca))
    trusting.run("crane", "auth", "login", server, "--username", username, "--password-stdin", stdin=secret)
    trusting.run("crane", "pull", "--format=oci", f"{server}/{repository}:again", "back")
    blobs = {f"sha256:{blob.name}" for blob in (shell.folder / "back" / "blobs" / "sha256").iterdir()}
    return blobs == {ONE.digest, *ONE.blobs}
