import json
from uuid import uuid4

import pytest
from tests.e2e.az.cli import Az

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def name() -> str:
    return f"n{uuid4().hex[:12]}"


def test_a_principal_for_ci_is_made_with_its_role_and_given_another(az: Az, name: str) -> None:
    made = az.json("ad", "sp", "create-for-rbac", "--name", name, "--role", "AcrPull", "--scopes", az.registry)
    more = ("role", "assignment", "create", "--assignee", made["appId"], "--role", "AcrPush", "--scope", az.registry)
    assert az.json(*more)["principalType"] == "ServicePrincipal"
    of_it = ("role", "assignment", "list", "--assignee", made["appId"], "--scope", az.registry)
    assert {each["roleDefinitionName"] for each in az.json(*of_it)} == {"AcrPull", "AcrPush"}
    az.run("role", "assignment", "delete", "--assignee", made["appId"], "--role", "AcrPush", "--scope", az.registry)
    (left,) = az.json(*of_it)
    assert (left["roleDefinitionName"], left["principalName"]) == ("AcrPull", made["appId"])


def test_a_built_in_role_shows_what_it_permits(az: Az) -> None:
    (role,) = az.json("role", "definition", "list", "--name", "AcrPull")
    assert role["permissions"][0]["actions"] == ["Microsoft.ContainerRegistry/registries/pull/read"]


def test_groups_hold_members(az: Az, name: str) -> None:
    group, member = az.at_once(
        ("ad", "group", "create", "--display-name", name, "--mail-nickname", name),
        ("ad", "sp", "create-for-rbac", "--name", f"{name}-member", "--query", "appId"),
    )
    member_id = az.json("ad", "sp", "show", "--id", member, "--query", "id")
    az.run("ad", "group", "member", "add", "--group", name, "--member-id", member_id)
    check = ("ad", "group", "member", "check", "--group", name, "--member-id", member_id)
    listed, checked, shown = az.at_once(
        ("ad", "group", "member", "list", "--group", name), check, ("ad", "group", "show", "--group", name)
    )
    assert ([each["id"] for each in listed], checked, shown["id"]) == ([member_id], {"value": True}, group["id"])
    az.run("ad", "group", "member", "remove", "--group", name, "--member-id", member_id)
    assert az.json(*check) == {"value": False}
    az.run("ad", "group", "delete", "--group", name)


def test_an_applications_secrets_are_reset_with_overlap(az: Az, name: str) -> None:
    made = az.json("ad", "app", "create", "--display-name", name)
    reset = ("ad", "app", "credential", "reset", "--id", made["appId"], "--append")
    first, second = az.json(*reset), az.json(*reset)
    listed = az.json("ad", "app", "credential", "list", "--id", made["appId"])
    assert [each["hint"] for each in listed] == [first["password"][:3], second["password"][:3]]
    one = ("ad", "app", "credential", "delete", "--id", made["appId"], "--key-id", listed[0]["keyId"])
    az.run(*one)
    assert len(az.json("ad", "app", "credential", "list", "--id", made["appId"])) == 1
    az.run("ad", "app", "update", "--id", made["appId"], "--display-name", f"{name}-2")
    assert az.json("ad", "app", "show", "--id", made["appId"])["displayName"] == f"{name}-2"
    az.run("ad", "app", "delete", "--id", made["appId"])


def test_the_federated_credentials_of_an_application_are_made_shown_changed_and_deleted(az: Az, name: str) -> None:
    made = az.json("ad", "app", "create", "--display-name", name)
    command = ("ad", "app", "federated-credential")
    wanted = {
        "name": "main",
        "issuer": "https://token.actions.githubusercontent.com",
        "subject": "repo:octo-org/octo-repo:ref:refs/heads/main",
        "description": "Builds of main",
        "audiences": ["api://AzureADTokenExchange"],
    }
    created = az.json(*command, "create", "--id", made["appId"], "--parameters", json.dumps(wanted))
    assert {each: created[each] for each in wanted} == wanted
    of_it = ("--id", made["appId"], "--federated-credential-id")
    by_name, by_id, listed = az.at_once(
        (*command, "show", *of_it, "main"),
        (*command, "show", *of_it, created["id"]),
        (*command, "list", "--id", made["appId"]),
    )
    assert [by_name, by_id, *listed] == [created] * 3
    changed = {**wanted, "subject": "repo:octo-org/octo-repo:ref:refs/heads/*", "match": "pattern"}
    az.run(*command, "update", *of_it, "main", "--parameters", json.dumps(changed))
    assert az.json(*command, "show", *of_it, "main")["match"] == "pattern"
    az.run(*command, "delete", *of_it, created["id"])
    assert az.json(*command, "list", "--id", made["appId"]) == []
    said = az.refused(*command, "create", "--id", made["appId"], "--parameters", '{"name": "x"}')
    assert "issuer" in said


def test_people_are_made_shown_changed_and_deleted(az: Az, name: str) -> None:
    upn = f"{name}@example.com"
    of_it = ("--user-principal-name", upn, "--display-name", name, "--password", "an unusual phrase of mine")
    made = az.json("ad", "user", "create", *of_it, "--force-change-password-next-sign-in", "true")
    shown, listed, groups = az.at_once(
        ("ad", "user", "show", "--id", upn),
        ("ad", "user", "list", "--upn", upn),
        ("ad", "user", "get-member-groups", "--id", made["id"]),
    )
    assert ([shown, *listed], groups) == ([made, made], [])
    assert made["accountEnabled"] is True
    az.run("ad", "user", "update", "--id", upn, "--display-name", "Grace", "--account-enabled", "false")
    changed = az.json("ad", "user", "show", "--id", made["id"])
    assert (changed["displayName"], changed["accountEnabled"]) == ("Grace", False)
    assert "weak" in az.refused("ad", "user", "update", "--id", upn, "--password", "weak")
    az.run("ad", "user", "delete", "--id", upn)
    assert az.json("ad", "user", "list", "--upn", upn) == []
