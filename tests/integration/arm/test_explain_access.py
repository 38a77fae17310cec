"""The action explainAccess of a registry."""

import pytest
from tests.integration.rows import add_principal, audit_entries
from tests.management import Management, management
from tests.registry import Registry

ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"


async def test_who_may_read_role_assignments_learns_why_somebody_may_not(arm: Management, registry: Registry) -> None:
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret", ACR_PULL))
    path = f"{arm.registry()}/explainAccess"
    pull = (await arm.post(path, {"principal": "guest", "action": "pull", "repository": "app"})).json()
    push = (await arm.post(path, {"principal": "guest", "action": "push", "repository": "app"})).json()
    subscription = f"/subscriptions/{arm.subscription}"
    assert pull == {
        "allowed": True,
        "principal": {"id": "id-guest", "kind": "ServicePrincipal", "name": "guest"},
        "action": "pull",
        "registry": arm.registry(),
        "roleAssignmentMode": "LegacyRegistryPermissions",
        "permission": "Microsoft.ContainerRegistry/registries/pull/read",
        "scope": f"{arm.registry()}, repository app",
        "considered": [
            {"what": "role AcrPull", "scope": subscription, "permits": True, "reason": "it permits this"},
        ],
        "repository": "app",
    }
    assert (push["allowed"], push["considered"][0]["reason"]) == (
        False,
        "the role does not permit Microsoft.ContainerRegistry/registries/push/write",
    )
    (command,) = push["grant"]
    who = "--assignee-object-id id-guest --assignee-principal-type ServicePrincipal"
    assert command == f"az role assignment create {who} --role AcrPush --scope {arm.registry()}"
    assert not [each for each in registry.query(audit_entries) if each["action"].startswith("Microsoft.")]
    guest = await management(registry, "guest")
    refused = await guest.post(path, {"principal": "guest", "action": "pull", "repository": "app"})
    assert (refused.status, refused.json()["error"]["code"]) == (403, "AuthorizationFailed")


@pytest.mark.parametrize(
    ("question", "target"),
    [
        ({"principal": "nobody", "action": "pull", "repository": "app"}, "principal"),
        ({"principal": "anonymous", "action": "fly"}, "action"),
        ({"principal": "anonymous", "action": "pull"}, "repository"),
        ({"principal": "anonymous", "action": "pull", "repository": "UPPER"}, "repository"),
        ({"principal": 1, "action": "pull"}, "principal"),
        ({}, "$"),
    ],
)
async def test_a_question_that_cannot_be_answered_names_its_member(arm: Management, question, target: str) -> None:
    refused = await arm.post(f"{arm.registry()}/explainAccess", question)
    assert (refused.status, refused.json()["error"]["target"]) == (400, target)


async def test_a_registry_that_is_not_there_explains_nothing(arm: Management) -> None:
    refused = await arm.post(f"{arm.registry('absent')}/explainAccess", {"principal": "anonymous", "action": "catalog"})
    assert (refused.status, refused.json()["error"]["code"]) == (404, "ResourceNotFound")
