"""Many at once: a code is still good once, and guesses still count one by one."""

import asyncio
import time

from sqlalchemy import Connection, func, select
from tests.directory import (
    ADA,
    a_code,
    add_person,
    authorize_path,
    browser,
    endpoints,
    is_good,
    number,
)
from tests.registry import Registry

from entrepot.db.access_tables import credential, handle, sign_in_failure
from entrepot.identities.jobs import prune


async def test_nobody_keeps_tokens_by_a_code_that_many_redeem_at_once(registry: Registry):
    add_person(registry)
    code = await a_code(registry)
    answers = await asyncio.gather(*(endpoints(registry).redeem(code) for _ in range(6)))
    tokens = [answer.json() for answer in answers if answer.status == 200]
    assert len(tokens) <= 1
    assert [await is_good(registry, each["access_token"]) for each in tokens] == [False] * len(tokens)
    assert number(await endpoints(registry).redeem(code)) == 54005


async def test_guesses_at_once_count_one_by_one(registry: Registry):
    add_person(registry)
    windows = [browser(registry) for _ in range(12)]
    for each in windows:
        await each.open(authorize_path())
    await asyncio.gather(*(each.submit("password", username=ADA, password="wrong") for each in windows))
    told = ["Wait" in each.text for each in windows]
    assert told.count(False) == 5


async def test_a_name_that_nobody_has_takes_as_long_as_one_that_somebody_has(registry: Registry):
    add_person(registry)

    async def fastest(upn: str) -> float:
        who, times = browser(registry), list[float]()
        await who.open(authorize_path())
        for _ in range(4):
            began = time.perf_counter()
            await who.submit("password", username=upn, password="wrong")
            times.append(time.perf_counter() - began)
        return min(times)

    known, unknown = await fastest(ADA), await fastest("nobody@example.com")
    # argon2 takes 20 ms and everything else a few: without it the one would be a fraction of the other.
    assert 0.4 < unknown / known < 2.5


async def test_what_has_ended_is_deleted_and_nothing_else(registry: Registry):
    add_person(registry)
    await endpoints(registry).redeem(await a_code(registry))
    wrong = browser(registry, "198.51.100.1")
    await wrong.open(authorize_path())
    await wrong.submit("password", username="nobody@example.com", password="wrong")

    def kept(tx: Connection) -> tuple[set[str], set[str], int]:
        handles = set(tx.execute(select(handle.c.kind)).scalars())
        credentials = set(tx.execute(select(credential.c.kind)).scalars())
        return handles, credentials, tx.execute(select(func.count()).select_from(sign_in_failure)).scalar_one()

    registry.query(lambda tx: prune(tx, registry.clock()))
    assert registry.query(kept)[0] == {"code", "refresh", "session", "browser"}
    registry.clock.advance(days=1)
    registry.query(lambda tx: prune(tx, registry.clock()))
    assert registry.query(kept) == ({"refresh", "browser"}, {"secret", "password", "grant"}, 0)
    registry.clock.advance(days=400)
    registry.query(lambda tx: prune(tx, registry.clock()))
    assert registry.query(kept) == (set(), {"secret", "password"}, 0)
