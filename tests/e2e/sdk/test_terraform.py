"""The calls of Terraform's azurerm provider, by the SDK that it is made of: the program says where they come from."""

import json
from typing import Any

import pytest
from tests.e2e.clients import GO_SDKS, Shell
from tests.services import Registry

NAME = "sdkterraform"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def seen(programs: Shell) -> Any:  # noqa: ANN401  what the program printed
    return json.loads(programs.run(GO_SDKS, "terraform", within=120))


def test_the_provider_finds_the_deployment_and_signs_in(seen: Any, public: Registry, tenant: str) -> None:  # noqa: ANN401
    assert seen["account"] == {"client": public.user, "object": True, "tenant": tenant}
    assert seen["registered"]


def test_a_registry_is_created_and_read(seen: Any, public: Registry) -> None:  # noqa: ANN401
    assert seen["created"] == {
        "location": "eastus",
        "sku": "Premium",
        "tags": {"team": "a"},
        "server": f"{NAME}.entrepot.{public.login_server}",
        "admin": True,
        "username": NAME,
        "passwords": 2,
        "public": True,
        "zones": False,
        "default": "Allow",
        "rules": ["Allow 192.0.2.0/24"],
        "bypass": "AzureServices",
        "roles": "LegacyRegistryPermissions",
        "hosts": [],
        "retention": "disabled",
        "export": "enabled",
        "georeplications": ["westus"],
        "global": True,
        "zonesThere": False,
    }


def test_it_is_updated_and_goes_to_a_lower_tier(seen: Any) -> None:  # noqa: ANN401
    changed = {
        key: seen["updated"].get(key) for key in ("sku", "tags", "admin", "username", "rules", "georeplications")
    }
    assert changed == {
        "sku": "Standard",
        "tags": {"team": "b"},
        "admin": False,
        "username": None,
        "rules": [],
        "georeplications": [],
    }


def test_a_scope_map_a_token_with_a_password_and_a_webhook(seen: Any) -> None:  # noqa: ANN401
    assert seen["children"] == {
        "actions": ["repositories/app/content/read"],
        "password": {"given": True, "counts": [0, 1, 0]},
        "uri": "https://hooks.example/a",
    }


def test_it_is_deleted(seen: Any) -> None:  # noqa: ANN401
    assert seen["deleted"] is None
