"""`entrepot limits`, on the data folder."""

import pytest
from tests.content import digest_of
from tests.integration.cli.conftest import Command
from tests.integration.rows import bytes_limit
from tests.management import Management, management
from tests.registry import Registry

from entrepot.app.first_start import prepare
from entrepot.settings import SettingError

TIB = 1024**4


@pytest.fixture
async def arm(registry: Registry) -> Management:
    return await management(registry)


def lines_of(out: str) -> dict[str, tuple[str, str]]:
    return {name: (value, source) for name, value, source in (line.split() for line in out.splitlines()[1:])}


async def test_all_that_holds_is_shown_with_what_says_so(registry: Registry, entrepot: Command) -> None:
    entrepot.succeeds("limits", "tokens=7")
    out = entrepot.succeeds("limits", "--tier-limits", "Premium.webhooks=3,Premium.tokens=5")
    lines = lines_of(out)
    assert out.splitlines()[0] == "local is of the Premium tier"
    assert lines["tokens"] == ("7", "registry")
    assert lines["webhooks"] == ("3", "deployment")
    assert lines["storage"] == (str(100 * TIB), "tier")
    assert lines["networkRules"] == ("on", "tier")


async def test_a_registry_keeps_to_a_limit_of_its_own_and_gives_it_back(
    registry: Registry, entrepot: Command, arm: Management
) -> None:
    body = {"location": "eastus", "properties": {"actions": ["push"], "serviceUri": "https://example.com/"}}
    entrepot.succeeds("limits", "webhooks=0")
    refused = await arm.put(f"{arm.registry()}/webhooks/first", body)
    assert (refused.status, refused.json()["error"]["code"]) == (409, "QuotaExceeded")
    usages = (await arm.get(f"{arm.registry()}/listUsages")).json()["value"]
    assert next(each["limit"] for each in usages if each["name"] == "Webhooks") == 0
    entrepot.succeeds("limits", "webhooks=")
    assert (await arm.put(f"{arm.registry()}/webhooks/first", body)).status == 201


async def test_a_commit_keeps_to_the_storage_at_once_and_after_a_change_of_the_registry(
    registry: Registry, entrepot: Command, arm: Management
) -> None:
    async def push() -> int:
        return (await registry.http.post(f"/v2/app/blobs/uploads/?digest={digest_of(b'six more')}", b"six more")).status

    await registry.repository("app").push_blob(b"some bytes")
    entrepot.succeeds("limits", "storage=17")
    assert await push() == 405
    assert (await arm.patch(arm.registry(), {"tags": {"a": "b"}})).status == 200
    assert await push() == 405
    entrepot.succeeds("limits", "storage=")
    assert registry.query(bytes_limit) == 100 * TIB
    assert await push() == 201


async def test_each_start_settles_the_storage_that_the_deployment_gives_a_tier(
    registry: Registry, entrepot: Command, arm: Management
) -> None:
    assert (await arm.put(arm.registry("second"), {"location": "eastus", "sku": {"name": "Premium"}})).status == 201
    entrepot.succeeds("limits", "--registry", "second", "storage=5")
    changed = registry.settings.model_copy(update={"tier_limits": ("Premium.storage=1TiB",)})
    prepare(changed)
    assert (registry.query(bytes_limit), registry.query(lambda tx: bytes_limit(tx, "second"))) == (TIB, 5)
    prepare(registry.settings)
    assert registry.query(bytes_limit) == 100 * TIB


async def test_a_start_refuses_a_limit_that_does_not_exist(registry: Registry) -> None:
    with pytest.raises(SettingError, match="tier_limits: hooks: there are the limits storage, "):
        prepare(registry.settings.model_copy(update={"tier_limits": ("Basic.hooks=1",)}))


async def test_a_feature_that_the_tier_lacks_is_switched_on_for_one_registry(
    registry: Registry, entrepot: Command, arm: Management
) -> None:
    second = {"location": "eastus", "sku": {"name": "Basic"}}
    with_pull = {"properties": {"anonymousPullEnabled": True}}
    assert (await arm.put(arm.registry("second"), second)).status == 201
    assert (await arm.patch(arm.registry("second"), with_pull)).status == 400
    entrepot.succeeds("limits", "--registry", "second", "anonymousPull=on")
    assert (await arm.patch(arm.registry("second"), with_pull)).status == 200


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("hooks=1",), "hooks: there are the limits storage, "),
        (("webhooks=x",), "webhooks=x: use a whole number"),
        (("--registry", "none"), "there is no registry 'none'"),
        (
            ("--tier-limits", "Gold.webhooks=1"),
            "--tier-limits: Gold.webhooks=1: the tiers are Basic, Standard, Premium",
        ),
    ],
)
async def test_what_cannot_be_is_told_in_a_line_and_changes_nothing(
    registry: Registry, entrepot: Command, words: tuple[str, ...], told: str
) -> None:
    before = entrepot.succeeds("limits")
    done = entrepot("limits", *words)
    assert (done.exit_code != 0, told in done.error, "Traceback" in done.error) == (True, True, False)
    assert entrepot.succeeds("limits") == before


async def test_a_change_is_in_the_audit_log(registry: Registry, entrepot: Command) -> None:
    entrepot.succeeds("limits", "webhooks=3")
    entrepot.succeeds("limits", "webhooks=4")
    entries = [line for line in entrepot.succeeds("audit", "list").splitlines() if "registry.setting" in line]
    assert len(entries) == 2
