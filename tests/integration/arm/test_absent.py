"""What belongs to a feature that does not exist yet says so, and never pretends."""

import pytest
from tests.integration.rows import add_principal
from tests.management import Management, management
from tests.registry import Registry

from entrepot.arm.absent import Absent
from entrepot.arm.resources.deployments import TEMPLATES
from entrepot.registries.resource.absent import ABSENT

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
TYPES = {absent.name: absent for absent in (*ABSENT, TEMPLATES)}
PLACE = {"group": "entrepot", "registry": "local", "packageType": "maven", "archive": "first"}


@pytest.fixture(params=TYPES)
def absent(request: pytest.FixtureRequest) -> Absent:
    return TYPES[request.param]


def collection(arm: Management, absent: Absent) -> str:
    return absent.collection.format(subscription=arm.subscription, **PLACE)


async def test_lists_are_empty_and_one_of_it_is_not_found(arm: Management, absent: Absent) -> None:
    assert (await arm.get(collection(arm, absent))).json() == {"value": []}
    found = await arm.get(f"{collection(arm, absent)}/first")
    assert (found.status, found.json()["error"]["code"]) == (404, "ResourceNotFound")
    assert f"{absent.feature} not available yet. Meanwhile, " in found.json()["error"]["message"]


async def test_writes_and_actions_say_what_lacks_and_what_to_do(arm: Management, absent: Absent) -> None:
    one = f"{collection(arm, absent)}/first"
    asked = [(method, one) for method in absent.methods]
    asked += [("POST", f"{one}/{act}") for act in absent.acts]
    asked += [("POST", f"{arm.registry()}/{act}") for act in absent.of_parent]
    for method, path in asked:
        refused = await arm.send(method, path, {"properties": {}})
        assert (refused.status, refused.json()["error"]["code"]) == (400, "FeatureNotAvailable"), (method, path)
        assert absent.instead in refused.json()["error"]["message"]


async def test_a_registry_that_is_not_there_is_told_before_the_feature(arm: Management) -> None:
    refused = await arm.put(f"{arm.registry('nothing')}/exportPipelines/first", {})
    assert (refused.status, "registries/nothing" in refused.json()["error"]["message"]) == (404, True)


async def test_who_may_not_write_it_is_not_told_more(registry: Registry) -> None:
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret", role=READER))
    guest = await management(registry, "guest")
    assert (await guest.put(f"{guest.registry()}/tasks/first", {})).status == 403


async def test_the_providers_operations_are_listed(arm: Management) -> None:
    listed = (await arm.get("/providers/Microsoft.ContainerRegistry/operations")).json()["value"]
    names = {operation["name"]: operation["isDataAction"] for operation in listed}
    registries = "Microsoft.ContainerRegistry/registries"
    assert (names[f"{registries}/read"], names[f"{registries}/repositories/content/read"]) == (False, True)
