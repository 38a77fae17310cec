"""What az does to a registry's content and its admin account."""

from uuid import uuid4

import pytest
from tests.content import an_image
from tests.e2e.az.cli import Az
from tests.e2e.clients import http_of
from tests.faults.plain import Repository
from tests.services import Registry

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def name(server: Registry) -> str:
    """A repository with two tags on one image."""
    name = f"az/{uuid4().hex[:8]}"
    with http_of(server) as http:
        repository = Repository(http, name)
        for tag in ("v1", "v2"):
            assert repository.push(an_image(), tag).status_code == 201
    return name


def test_a_login_can_be_exposed_and_used(az: Az, server: Registry) -> None:
    shown = az.json("acr", "login", "--name", "local", "--expose-token")
    assert (shown["loginServer"], shown["username"]) == (server.login_server, "00000000-0000-0000-0000-000000000000")
    with http_of(server) as http:
        user = ("00000000-0000-0000-0000-000000000000", shown["accessToken"])
        assert http.get("/oauth2/token", auth=user, params={"service": server.login_server}).status_code == 200


def test_repositories_and_tags_are_shown_untagged_and_deleted(az: Az, name: str) -> None:
    of_it = ("--name", "local", "--repository", name)
    listed, shown, tags = az.at_once(
        ("acr", "repository", "list", "--name", "local"),
        ("acr", "repository", "show", *of_it),
        ("acr", "repository", "show-tags", *of_it, "--detail"),
    )
    assert name in listed
    assert (shown["imageName"], shown["tagCount"], [tag["name"] for tag in tags]) == (name, 2, ["v1", "v2"])
    az.run("acr", "repository", "untag", "--name", "local", "--image", f"{name}:v1")
    assert az.json("acr", "repository", "show-tags", *of_it) == ["v2"]
    az.run("acr", "repository", "delete", *of_it, "--yes")
    assert name not in az.json("acr", "repository", "list", "--name", "local")


def test_the_admin_accounts_passwords_are_shown_and_renewed(az: Az) -> None:
    registry = f"r{uuid4().hex[:12]}"
    made = ("acr", "create", "--name", registry, "--resource-group", "entrepot", "--sku", "Basic")
    az.json(*made, "--admin-enabled", "true")
    before = az.json("acr", "credential", "show", "--name", registry)
    after = az.json("acr", "credential", "renew", "--name", registry, "--password-name", "password2")
    assert before["username"] == registry
    assert [each["name"] for each in after["passwords"]] == ["password", "password2"]
    assert before["passwords"][0] == after["passwords"][0]
    assert before["passwords"][1] != after["passwords"][1]
