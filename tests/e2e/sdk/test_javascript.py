"""The unchanged @azure/container-registry for JavaScript, against a server whose certificate it verifies."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.clients import NPM, Shell
from tests.services import Registry

PROGRAM = Path(__file__).with_name("registry.cjs")


@pytest.fixture
def anyone(shell: Shell, public: Registry, trusted_ca: Path, repository: str) -> Shell:
    """A shell for the program, without a credential."""
    return shell.having(
        ENDPOINT=public.endpoint,
        REPOSITORY=repository,
        NODE_PATH=str(NPM / "node_modules"),
        NODE_EXTRA_CA_CERTS=str(trusted_ca),
    )


@pytest.fixture
def owner(anyone: Shell, public: Registry, tenant: str) -> Shell:
    return anyone.having(TENANT=tenant, CLIENT_ID=public.user, CLIENT_SECRET=public.password)


def run(shell: Shell, command: str) -> Any:  # noqa: ANN401  what the program printed
    return json.loads(shell.run(NPM / "node", PROGRAM, command))


def test_anyone_reads_repositories_tags_and_manifests_in_pages(
    owner: Shell, anyone: Shell, public: Registry, repository: str
) -> None:
    pushed = run(owner, "push")
    seen = run(anyone, "look")
    assert repository in seen["repositories"]
    assert seen["tags"] == ["v2", "v3", "v1"]
    assert seen["manifests"] == [pushed[tag] for tag in ("v2", "v3", "v1")]
    assert seen["pulled"] == seen["tag"]["digest"] == pushed["v2"]
    told = seen["properties"]
    assert (told["name"], told["manifestCount"], told["tagCount"]) == (repository, 3, 3)
    assert (told["registryLoginServer"], told["canWrite"]) == (public.login_server, True)
    manifest = seen["manifest"]
    assert (manifest["architecture"], manifest["operatingSystem"], manifest["tags"]) == ("amd64", "linux", ["v2"])
    assert seen["refused"] == 401


def test_the_owner_locks_and_deletes_what_was_pushed(owner: Shell, repository: str) -> None:
    run(owner, "push")
    seen = run(owner, "change")
    assert (seen["locked"]["canWrite"], seen["locked"]["canDelete"], seen["locked"]["canRead"]) == (False, False, True)
    assert seen["refused"] == [405, 405, 405]
    assert (seen["unlocked"]["canWrite"], seen["unlocked"]["canDelete"]) == (True, True)
    assert seen["manifest"]["canList"] is False
    assert seen["hidden"]["canList"] is False
    assert repository not in seen["listed"]
    assert (seen["left"], seen["gone"]) == (2, 404)
