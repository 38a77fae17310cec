"""What is changed by way of Graph is in the audit log, and no secret that it hands out."""

from typing import Any, NamedTuple

import pytest
from tests.integration.rows import audit_entries
from tests.management import GRAPH, Json, Management, management
from tests.registry import Registry

PREFIX = "microsoft.directory/"


class Step(NamedTuple):
    """A request, and the entry that it makes. ``keeps``: under which names what of the answer is for later steps."""

    method: str
    path: str
    body: Json
    action: str
    target: str = ""
    keeps: tuple[tuple[str, str], ...] = ()


APPLICATION = "/applications/{application}"
PRINCIPAL = "/servicePrincipals/{principal}"
GROUP = "/groups/{group}"
USER = "/users/{user}"
FEDERATED = f"{APPLICATION}/federatedIdentityCredentials"
TRUSTED = {
    "name": "main",
    "issuer": "https://issuer.example",
    "subject": "repo:octo-org/app:ref:refs/heads/main",
    "audiences": ["api://AzureADTokenExchange"],
}
PASSWORD = "an unusual phrase of hers"
ADA = {
    "userPrincipalName": "ada@example.com",
    "displayName": "Ada",
    "passwordProfile": {"password": PASSWORD, "forceChangePasswordNextSignIn": True},
}
NAME = {"displayName": "robot"}
STEPS = (
    Step("POST", "/applications", NAME, "applications/create", APPLICATION, (("application", "id"), ("app", "appId"))),
    Step("PATCH", APPLICATION, {"displayName": "new"}, "applications/allProperties/update"),
    Step("POST", f"{APPLICATION}/addPassword", {}, "applications/credentials/update", keeps=(("key", "keyId"),)),
    Step("POST", f"{APPLICATION}/removePassword", {"keyId": "{key}"}, "applications/credentials/update"),
    Step("POST", FEDERATED, TRUSTED, "applications/credentials/update"),
    Step(
        "PATCH", f"{FEDERATED}/main", {"subject": "repo:octo-org/app:pull_request"}, "applications/credentials/update"
    ),
    Step("DELETE", f"{FEDERATED}/main", None, "applications/credentials/update"),
    Step("POST", "/users", ADA, "users/create", USER, (("user", "id"),)),
    Step("PATCH", USER, {"displayName": "Ada Lovelace"}, "users/allProperties/update"),
    Step("DELETE", USER, None, "users/delete"),
    Step(
        "POST", "/servicePrincipals", {"appId": "{app}"}, "servicePrincipals/create", PRINCIPAL, (("principal", "id"),)
    ),
    Step("PATCH", PRINCIPAL, {"accountEnabled": False}, "servicePrincipals/allProperties/update"),
    Step("POST", "/groups", NAME, "groups/create", GROUP, (("group", "id"),)),
    Step("POST", f"{GROUP}/members/$ref", {"@odata.id": "x/{principal}"}, "groups/members/update"),
    Step("DELETE", f"{GROUP}/members/{{principal}}/$ref", None, "groups/members/update"),
    Step("DELETE", GROUP, None, "groups/delete"),
    Step("DELETE", PRINCIPAL, None, "servicePrincipals/delete"),
    Step("DELETE", APPLICATION, None, "applications/delete"),
)


@pytest.fixture
async def graph(registry: Registry) -> Management:
    found = await management(registry, audience=GRAPH)
    return Management(found.http, found.subscription, None)


def changes(registry: Registry) -> list[dict[str, Any]]:
    return [entry for entry in registry.query(audit_entries) if entry["action"].startswith(PREFIX)]


async def test_each_change_is_an_entry(graph: Management, registry: Registry) -> None:
    kept: dict[str, str] = {}
    for step in STEPS:
        path, seen = step.path.format_map(kept), len(changes(registry))
        body = step.body and {
            name: str(value).format_map(kept) if isinstance(value, str) else value for name, value in step.body.items()
        }
        answer = await graph.send(step.method, f"/v1.0{path}", body)
        assert answer.status in {200, 201, 204}, (step, answer.body)
        kept |= {name: answer.json()[member] for name, member in step.keeps}
        (entry,) = changes(registry)[seen:]
        assert (entry["action"], entry["target"]) == (PREFIX + step.action, (step.target or path).format_map(kept))
        assert entry["principal"]
        assert entry["request_id"] == answer["x-request-id"]
        if answer.status == 204:
            assert entry["detail"] == {"sent": body or {}}
        else:
            assert "after" in entry["detail"]


async def test_a_secret_that_is_made_is_masked(graph: Management, registry: Registry) -> None:
    made = (await graph.post("/v1.0/applications", NAME)).json()
    secret = (await graph.post(f"/v1.0/applications/{made['id']}/addPassword", {})).json()
    entry = changes(registry)[-1]
    told = entry["detail"]["after"]
    assert (told["keyId"], told["secretText"]) == (secret["keyId"], "***")
    assert secret["secretText"] not in repr(registry.query(audit_entries))


async def test_a_password_that_is_set_is_masked(graph: Management, registry: Registry) -> None:
    made = (await graph.post("/v1.0/users", ADA)).json()
    again = {"passwordProfile": {"password": f"{PASSWORD} and more"}}
    assert (await graph.patch(f"/v1.0/users/{made['id']}", again)).status == 204
    assert changes(registry)[-1]["detail"] == {"sent": {"passwordProfile": {"password": "***"}}}
    assert PASSWORD not in repr(registry.query(audit_entries))


async def test_a_change_that_is_refused_is_no_entry(graph: Management, registry: Registry) -> None:
    assert (await graph.post("/v1.0/applications", {"displayName": ""})).status == 400
    assert (await graph.delete("/v1.0/groups/00000000-0000-0000-0000-00000000dead")).status == 404
    assert changes(registry) == []
