"""Scope maps and repository tokens, as az makes and uses them."""

from uuid import uuid4

import httpx
import pytest
from tests.content import an_image
from tests.e2e.az.cli import Az
from tests.e2e.clients import http_of
from tests.faults.plain import Repository
from tests.services import Registry, wait_until

pytestmark = pytest.mark.timeout(300)

OF = ("--registry", "local")


@pytest.fixture
def name() -> str:
    return f"t{uuid4().hex[:12]}"


@pytest.fixture
def image(server: Registry, name: str) -> str:
    """A repository with a tag."""
    with http_of(server) as http:
        assert Repository(http, f"az/{name}").push(an_image(), "v1").status_code == 201
    return f"az/{name}"


def pulls(server: Registry, image: str, user: str, password: str) -> bool:
    """Without a token of the owner's."""
    with http_of(server) as http:
        accept = {"accept": "application/vnd.oci.image.manifest.v1+json"}
        answer = http.get(f"/v2/{image}/manifests/v1", auth=httpx.BasicAuth(user, password), headers=accept)
    assert answer.status_code in {200, 401}
    return answer.status_code == 200


def test_a_scope_map_is_made_changed_listed_and_deleted(az: Az, name: str) -> None:
    this = (*OF, "--name", name)
    made = az.json("acr", "scope-map", "create", *this, "--repository", "Team/app", "content/read", "metadata/read")
    assert made["actions"] == ["repositories/team/app/content/read", "repositories/team/app/metadata/read"]
    assert made["provisioningState"] == "Succeeded"
    change = ("--add-repository", "team/*", "content/write", "--remove-repository", "team/app", "metadata/read")
    changed = az.json("acr", "scope-map", "update", *this, *change, "--description", "what the team may")
    assert set(changed["actions"]) == {"repositories/team/app/content/read", "repositories/team/*/content/write"}
    listed, shown = az.at_once(("acr", "scope-map", "list", *OF), ("acr", "scope-map", "show", *this))
    assert {"_repositories_admin", name} <= {each["name"] for each in listed}
    assert shown["description"] == "what the team may"
    refused = az.refused("acr", "scope-map", "update", *OF, "--name", "_repositories_pull", "--description", "mine")
    assert "(SystemDefinedScopeMap)" in refused
    az.run("acr", "scope-map", "delete", *this, "--yes")
    assert "was not found" in az.refused("acr", "scope-map", "show", *this)


def test_a_token_is_made_with_its_repositories_and_its_passwords_pull(
    az: Az, server: Registry, name: str, image: str
) -> None:
    made = az.json("acr", "token", "create", *OF, "--name", name, "--repository", image, "content/read")
    passwords = [each["value"] for each in made["credentials"]["passwords"]]
    assert made["scopeMapId"].endswith(f"/scopeMaps/{name}-scope-map")
    assert [pulls(server, image, name, each) for each in passwords] == [True, True]
    again = az.json("acr", "token", "create", *OF, "--name", f"{name}-2", "--scope-map", f"{name}-scope-map")
    assert again["scopeMapId"] == made["scopeMapId"]
    listed, shown = az.at_once(("acr", "token", "list", *OF), ("acr", "token", "show", *OF, "--name", name))
    assert {name, f"{name}-2"} <= {each["name"] for each in listed}
    assert [each["name"] for each in shown["credentials"]["passwords"]] == ["password1", "password2"]
    az.json("acr", "token", "update", *OF, "--name", name, "--status", "disabled")
    wait_until(lambda: not pulls(server, image, name, passwords[0]), "the token is off")
    az.run("acr", "token", "delete", *OF, "--name", name, "--yes")
    assert "was not found" in az.refused("acr", "token", "show", *OF, "--name", name)


def test_a_token_s_passwords_are_made_and_deleted_one_by_one(az: Az, server: Registry, name: str, image: str) -> None:
    az.json(*("acr", "token", "create", *OF, "--name", name, "--scope-map", "_repositories_pull", "--no-passwords"))
    credential = ("acr", "token", "credential")
    first = az.json(*credential, "generate", *OF, "--name", name, "--password1", "--expiration-in-days", "7")
    second = az.json(
        *credential, "generate", *OF, "--name", name, "--password2", "--expiration", "2099-12-31T12:59:59Z"
    )
    (one,), (two,) = first["passwords"], second["passwords"]
    assert (first["username"], one["name"], two["name"]) == (name, "password1", "password2")
    assert (one["expiry"] is not None, two["expiry"]) == (True, "2099-12-31T12:59:59+00:00")
    assert [pulls(server, image, name, each["value"]) for each in (one, two)] == [True, True]
    left = az.json(*credential, "delete", *OF, "--name", name, "--password1")
    assert [each["name"] for each in left["credentials"]["passwords"]] == ["password2"]
    wait_until(lambda: not pulls(server, image, name, one["value"]), "the first password is gone")
    assert pulls(server, image, name, two["value"])
