"""Basic credentials at the gate. Spec: RFC 7617."""

import asyncio
import base64
import time

import pytest
from tests.integration.accounts import make_token
from tests.registry import OWNER, OWNER_SECRET, Registry
from tests.wire import basic

WRONG = 'Bearer realm="http://localhost:5000/oauth2/token",service="localhost:5000"'


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


async def test_who_carries_nothing_is_told_where_tokens_come_from(registry: Registry) -> None:
    answer = await registry.nobody.get("/v2/")
    assert (answer.status, answer.code, answer["www-authenticate"]) == (401, "UNAUTHORIZED", WRONG)


async def test_the_owner_signs_in(registry: Registry) -> None:
    for word in ("Basic", "basic", "BASIC"):
        client = registry.nobody.having(authorization=f"{word} {encoded(f'{OWNER}:{OWNER_SECRET}')}")
        assert (await client.get("/v2/")).status == 200


@pytest.mark.parametrize(
    "credential",
    [
        f"{OWNER}:wrong",
        f"{OWNER}:",
        f"nobody:{OWNER_SECRET}",
        f":{OWNER_SECRET}",
        ":",
        f"{OWNER}",
        f"{OWNER.upper()}:{OWNER_SECRET}",
        f"{OWNER}:{OWNER_SECRET} ",
        f"{OWNER} :{OWNER_SECRET}",
        f"{OWNER}:{OWNER_SECRET}:",
        f"{OWNER}\0:{OWNER_SECRET}",
        f"{OWNER}:{OWNER_SECRET}\0",
        f"\0:{OWNER_SECRET}",
        f"' OR 1=1 --:{OWNER_SECRET}",
        f"%:{OWNER_SECRET}",
        f"{'x' * 100_000}:{OWNER_SECRET}",
        f"{OWNER}:{'x' * 100_000}",
        "é\u202e:\U0001f4e6",
        b"\xff\xfe:\xfd",
        b"",
    ],
    ids=lambda credential: repr(credential)[:28],
)
async def test_any_other_credential_is_refused(registry: Registry, credential: str | bytes) -> None:
    client = registry.nobody.having(authorization=f"Basic {encoded(credential)}")
    for path in ("/v2/", "/oauth2/token?service=localhost:5000"):
        answer = await client.get(path)
        assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
        assert OWNER_SECRET not in answer.body.decode()


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic " + "A" * 5,
        "Basic \xe9\xe9",
        "Bearer",
        "Bearer ",
        "Digest username=x",
        "Negotiate abc",
        "Basic" + encoded(f"{OWNER}:{OWNER_SECRET}"),
        f"Basic {encoded(f'{OWNER}:{OWNER_SECRET}')}, Basic x",
        "Basic " + encoded(f"{OWNER}:{OWNER_SECRET}")[:-4] + "\xa0\xa0\xa0\xa0",
    ],
    ids=lambda header: repr(header)[:24],
)
async def test_a_header_of_another_form_is_refused(registry: Registry, header: str) -> None:
    for path in ("/v2/", "/v2/_catalog", "/oauth2/token?service=localhost:5000"):
        answer = await registry.nobody.having(authorization=header).get(path)
        assert (answer.status, answer.code) == (401, "UNAUTHORIZED")


async def test_a_token_is_no_password_of_an_account(registry: Registry) -> None:
    """It stands in a password's place under the nil GUID alone, as with ACR (MARKET 5b, 11)."""
    token = await registry.token("repository:app:pull")
    for user in (OWNER, "local", "someone@example.com", "00000000-0000-0000-0000-000000000001"):
        assert (await registry.nobody.signed_in(user, token).get("/v2/")).status == 401
    assert (await registry.nobody.signed_in("00000000-0000-0000-0000-000000000000", token).get("/v2/")).status == 200


async def test_a_credential_is_verified_again_although_another_was_good(registry: Registry) -> None:
    assert (await registry.http.get("/v2/")).status == 200
    assert (await registry.nobody.signed_in(OWNER, OWNER_SECRET + "x").get("/v2/")).status == 401


async def test_a_flood_of_sign_ins_is_turned_away_and_the_registry_goes_on(registry: Registry) -> None:
    """Each verification takes 19 MiB: they queue, and the queue has an end."""
    token = await registry.token("registry:catalog:*")
    flood = [
        asyncio.ensure_future(registry.nobody.having(authorization=basic(OWNER, f"guess {number}")).get("/v2/"))
        for number in range(100)
    ]
    assert (await registry.nobody.bearing(token).get("/v2/_catalog")).status == 200
    answers = await asyncio.gather(*flood)
    assert {answer.status for answer in answers} <= {401, 429}
    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert all(int(answer["retry-after"]) >= 1 for answer in refused)
    assert (await registry.http.get("/v2/")).status == 200


@pytest.mark.parametrize("name", ["ci-token", "nobody-there", OWNER])
async def test_a_good_generated_password_passes_a_flood_of_wrong_ones(
    registry: Registry, start_registry, name: str
) -> None:
    """What does not match waits for argon2, whoever has the name: neither time nor the queue tells which names are."""
    made = make_token(registry, "ci-token", "repositories/app/content/read")
    worker = await start_registry()
    flood = [
        asyncio.ensure_future(worker.nobody.signed_in(name, f"guess {number}").get("/v2/")) for number in range(100)
    ]
    client = worker.nobody.signed_in("ci-token", made.passwords[0].value)
    assert (await client.get("/v2/")).status == 200
    assert {answer.status for answer in await asyncio.gather(*flood)} == {401, 429}


async def test_a_name_that_nobody_has_takes_as_long_as_one_that_somebody_has(registry: Registry) -> None:
    """The owner's, a repository token's, and nobody's: who guesses learns no names by the time."""
    make_token(registry, "some-token", "repositories/app/content/read")

    users = (OWNER, "some-token", "nobody-has-this")
    times = {user: list[float]() for user in users}
    # The processor's time, in turns, and the least of each: others use the machine as well.
    for number in range(12):
        for user in users:
            began = time.process_time()
            answer = await registry.nobody.signed_in(user, f"wrong-{number}").get("/v2/")
            times[user].append(time.process_time() - began)
            assert answer.status == 401
    owner, token, nobody = (min(times[user]) for user in users)
    # argon2 takes 20 ms and everything else a few: without it the one would be a fraction of the other.
    assert 0.4 < nobody / owner < 2.5
    assert 0.4 < nobody / token < 2.5
