"""Request rates: what is refused with 429, for whom, and when they may come again. Source: ACR-REFERENCE 1.2."""

import asyncio
from itertools import chain

import pytest
from tests.content import an_image
from tests.integration.accounts import make_token
from tests.integration.conftest import StartRegistry
from tests.integration.rows import add_principal
from tests.registry import FakeClock, Registry
from tests.wire import Answer, Client

from entrepot.catalog.model import OPERATOR, Change
from entrepot.registries.limits import change_limits

ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
SLOW = (
    "Premium.dataplaneRead=12",
    "Premium.dataplaneReadPerIdentity=6",
    "Premium.dataplaneWrite=4",
    "Premium.dataplaneWritePerIdentity=3",
    "Premium.dataplaneDelete=4",
    "Premium.dataplaneDeletePerIdentity=1",
    "Premium.listReferrers=3",
    "Premium.listReferrersPerIdentity=2",
    "Premium.oauth=2",
)


@pytest.fixture
async def slow(registry: Registry, start_registry: StartRegistry) -> Registry:
    """One that keeps to a few requests in a minute, and holds an image."""
    await registry.repository("app").push(an_image(), "v1")
    registry.query(lambda tx: add_principal(tx, "guest", "secret", ACR_PULL))
    return await start_registry(request_rates=True, tier_limits=SLOW)


def guest(worker: Registry) -> Client:
    return worker.nobody.signed_in("guest", "secret")


async def pulls(client: Client, count: int) -> list[int]:
    return [(await client.get("/v2/app/manifests/v1")).status for _ in range(count)]


def refusal(answer: Answer) -> tuple[int, str | None, str | None]:
    return answer.status, answer.code, answer["retry-after"]


async def test_by_default_nothing_is_counted(registry: Registry, start_registry: StartRegistry) -> None:
    await registry.repository("app").push(an_image(), "v1")
    worker = await start_registry(tier_limits=SLOW)
    assert await pulls(worker.http, 30) == [200] * 30


async def test_who_asks_too_much_is_told_when_to_come_again_and_is_let_in_then(
    slow: Registry, clock: FakeClock
) -> None:
    assert await pulls(slow.http, 6) == [200] * 6
    refused = await slow.http.get("/v2/app/manifests/v1")
    assert refusal(refused) == (429, "TOOMANYREQUESTS", "10")
    assert refused.json()["errors"][0]["message"] == "too many requests: try again in 10 s"
    assert refused.detail == {
        "reason": "the identity has used up its rate of dataplaneRead requests",
        "retry_after": 10,
    }
    clock.advance(seconds=4)
    assert refusal(await slow.http.get("/v2/app/manifests/v1")) == (429, "TOOMANYREQUESTS", "6")
    clock.advance(seconds=6)
    assert await pulls(slow.http, 2) == [200, 429]


async def test_one_identity_leaves_the_others_what_the_registry_has_left(slow: Registry) -> None:
    assert (await pulls(slow.http, 7))[-1] == 429
    assert await pulls(guest(slow), 7) == [200] * 6 + [429]
    third = slow.nobody.signed_in(
        "ci-token", make_token(slow, "ci-token", "repositories/app/content/read").passwords[0].value
    )
    refused = await third.get("/v2/app/manifests/v1")
    assert (refused.status, refused.detail["reason"].split()[1]) == (429, "registry")


async def test_all_that_nobody_signed_in_for_is_one_identity(registry: Registry, start_registry: StartRegistry) -> None:
    await registry.repository("app").push(an_image(), "v1")
    worker = await start_registry(request_rates=True, tier_limits=SLOW, anonymous_pull=True)
    assert await pulls(worker.nobody, 7) == [200] * 6 + [429]
    assert await pulls(worker.http, 1) == [200]


async def test_each_category_has_pools_of_its_own(slow: Registry) -> None:
    app = slow.repository("app")
    image = an_image()
    assert (await pulls(slow.http, 7))[-1] == 429
    assert [(await app.put(image, "v1")).status for _ in range(4)] == [201, 201, 201, 429]
    deleted = [(await slow.http.delete("/acr/v1/app/_tags/v1")).status for _ in range(2)]
    assert deleted == [202, 429]
    assert [(await slow.http.get("/oauth2/token?service=localhost:5000")).status for _ in range(3)] == [200, 200, 429]


async def test_a_list_of_referrers_takes_from_both_its_pools(slow: Registry) -> None:
    path = f"/v2/app/referrers/{an_image().digest}"
    assert [(await slow.http.get(path)).status for _ in range(3)] == [200, 200, 429]
    assert await pulls(slow.http, 5) == [200] * 4 + [429]


async def test_workers_count_together(slow: Registry, start_registry: StartRegistry) -> None:
    other = await start_registry(request_rates=True, tier_limits=SLOW)
    answers = await asyncio.gather(*(pulls(worker.http, 10) for worker in (slow, other)))
    assert sorted(chain(*answers)) == [200] * 6 + [429] * 14


async def test_what_is_not_permitted_costs_nothing(slow: Registry) -> None:
    strangers = [slow.nobody, slow.nobody.signed_in("the-owner", "wrong"), slow.nobody.bearing("no.such.token")]
    for client in strangers * 10:
        assert (await client.get("/v2/app/manifests/v1")).status in {401, 429}
    assert [(await guest(slow).delete("/v2/app/manifests/v1")).status for _ in range(10)] == [401] * 10
    assert await pulls(slow.http, 6) == [200] * 6


async def test_a_registry_with_a_rate_of_its_own_keeps_to_that(slow: Registry, until) -> None:
    change = Change(OPERATOR, slow.clock(), "")
    slow.query(lambda tx: change_limits(tx, "local", ["dataplaneReadPerIdentity=60"], SLOW, change))

    slow.clock.advance(minutes=1)
    looked = slow.app._epoch

    async def has_looked() -> bool:
        return slow.app._epoch != looked

    await until(has_looked)
    assert await pulls(slow.http, 13) == [200] * 12 + [429]  # the registry's own pool has 12
