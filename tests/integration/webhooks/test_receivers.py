"""Receivers that fail, wait, lead elsewhere or never end: nothing is lost, the order holds, others are not delayed."""

import asyncio
import json
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tests.content import an_image
from tests.integration.webhooks.receivers import (
    HURRIED,
    add_webhook,
    delivering,
    impatient,
    tag_of,
    told,
    uri_of,
)
from tests.management import Management
from tests.outside import Asked, answer, ok, redirect, serving
from tests.registry import FakeClock, Registry, Repository

IMAGE = an_image()
TAGS = [f"v{number}" for number in range(12)]


@pytest.fixture
async def pushed(app: Repository, clock: FakeClock) -> Repository:
    """What it holds was pushed before there was a webhook, so that a tag is one event."""
    await app.push(IMAGE)
    clock.advance(seconds=1)
    return app


async def put_tags(repository: Repository, tags: Iterable[str] = TAGS) -> None:
    for tag in tags:
        assert (await repository.put(IMAGE, tag)).status == 201


class Moody:
    """Answers badly so often, then well."""

    def __init__(self, *bad: list[bytes]) -> None:
        self._bad = list(bad)
        self.heard: list[str] = []
        self.times: list[float] = []

    def __call__(self, asked: Asked) -> list[bytes]:
        self.times.append(time.monotonic())
        if self._bad:
            return self._bad.pop(0)
        self.heard.append(tag_of(asked))
        return ok()


async def test_what_is_not_heard_comes_again_before_what_follows_it(
    arm: Management, registry: Registry, pushed: Repository, until
) -> None:
    moody = Moody(answer(500, b"out of order"), answer(404), [b"no http\r\n\r\n"], [])
    with serving(moody) as server:
        hook = await add_webhook(arm, uri_of(server))
        await put_tags(pushed)
        with delivering(registry):
            await until(lambda: _all_delivered(hook, len(TAGS)), within=30.0)
    events = told(server)
    assert [each["target"]["tag"] for each in events[:5]] == ["v0"] * 5
    assert len({each["id"] for each in events[:5]}) == 1
    assert moody.heard == TAGS
    first = (await hook.events())[-1]["delivery"]
    assert (first["count"], [each.get("status", 0) for each in first["attempts"]]) == (5, [500, 404, 0, 0, 200])
    assert first["attempts"][2]["reason"]


async def _all_delivered(hook, count: int) -> bool:
    return (await hook.states()).count("delivered") == count


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
async def test_a_receiver_says_when_to_come_again(
    arm: Management, registry: Registry, pushed: Repository, until, as_date: bool
) -> None:
    """A date has whole seconds, so one that is three seconds away is two at least."""
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    moody = Moody(answer(503, headers={"retry-after": at if as_date else "2"}))
    with serving(moody) as server:
        hook = await add_webhook(arm, uri_of(server))
        await put_tags(pushed, ["v1"])
        with delivering(registry):
            if as_date:
                await until(lambda: _has_states(hook, ["pending"], attempts=1))
                assert len(server.asked) == 1
                return
            await until(lambda: _all_delivered(hook, 1), within=30.0)
    assert moody.times[1] - moody.times[0] >= 2.0


async def _has_states(hook, states: list[str], attempts: int) -> bool:
    return await hook.states() == states and all(each["delivery"]["count"] == attempts for each in await hook.events())


async def test_what_is_never_heard_is_given_up_and_what_follows_goes_on(
    arm: Management, registry: Registry, pushed: Repository, until
) -> None:
    def deaf_to_v1(asked: Asked) -> list[bytes]:
        return answer(400) if tag_of(asked) == "v1" else ok()

    with serving(deaf_to_v1) as server:
        hook = await add_webhook(arm, uri_of(server))
        await put_tags(pushed, ["v0", "v1", "v2"])
        with delivering(registry, impatient(give_up_after=0.5)):
            await until(lambda: _all_delivered(hook, 2), within=30.0)
    assert await hook.states() == ["delivered", "dead", "delivered"]
    dead = (await hook.events())[1]
    assert dead["eventResponseMessage"]["statusCode"] == "400"
    assert dead["delivery"]["count"] >= 2


async def test_a_receiver_that_waits_delays_neither_pushes_nor_other_webhooks(
    arm: Management, registry: Registry, until
) -> None:
    """It has a backlog of many repositories, and answers nobody until the other one has heard all."""
    over = threading.Event()

    def waiting(_asked: Asked) -> Iterable[bytes]:
        over.wait(60)
        yield from ok()

    with serving(waiting) as slow, serving(lambda _asked: ok()) as quick:
        repositories = [registry.repository(f"team/app{number}") for number in range(8)]
        for repository in repositories:
            await repository.push(IMAGE)
        registry.clock.advance(seconds=1)
        patient = replace(HURRIED, seconds=40.0)
        await add_webhook(arm, uri_of(slow), name="slow1")
        hook = await add_webhook(arm, uri_of(quick), name="quick1")
        with delivering(registry, patient):
            for repository in repositories:
                await put_tags(repository, TAGS[:3])
            await until(lambda: _all_delivered(hook, 24), within=30.0)
            over.set()
    assert len(quick.asked) == 24
    assert len(slow.asked) < 8
    for name in {each["target"]["repository"] for each in told(quick)}:
        tags = [each["target"]["tag"] for each in told(quick) if each["target"]["repository"] == name]
        assert tags == TAGS[:3]


async def test_a_redirect_is_not_followed(arm: Management, registry: Registry, pushed: Repository, until) -> None:
    with (
        serving(lambda _asked: ok(b"inside")) as inside,
        serving(lambda _asked: redirect(uri_of(inside), 307)) as server,
    ):
        hook = await add_webhook(arm, uri_of(server), customHeaders={"X-Key": "secret-key"})
        await put_tags(pushed, ["v1"])
        with delivering(registry, impatient(give_up_after=0.0)):
            await until(lambda: _has_states(hook, ["dead"], attempts=1))
    assert inside.asked == []
    assert (await hook.events())[0]["eventResponseMessage"]["statusCode"] == "307"


async def test_what_is_not_public_is_not_called(arm: Management, registry: Registry, pushed: Repository, until) -> None:
    with serving(lambda _asked: ok(), address="127.0.0.2") as inside:
        hook = await add_webhook(arm, uri_of(inside))
        await put_tags(pushed, ["v1"])
        with delivering(registry, impatient(give_up_after=0.0)):
            await until(lambda: _has_states(hook, ["dead"], attempts=1))
    assert inside.connections == 0
    response = (await hook.events())[0]["eventResponseMessage"]
    assert "outbound_allow" in response["content"]
    assert response["statusCode"] == "0"


async def test_an_answer_without_an_end_is_cut_off(
    arm: Management, registry: Registry, pushed: Repository, until
) -> None:
    def endless(_asked: Asked) -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while True:
            yield b"a" * 65536

    def dripping(_asked: Asked) -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while not slow.over.wait(0.05):
            yield b"a"

    with serving(endless) as loud, serving(dripping) as slow:
        hooks = [await add_webhook(arm, uri_of(loud), name="loud1"), await add_webhook(arm, uri_of(slow), name="slow1")]
        await put_tags(pushed, ["v1"])
        with delivering(registry, replace(impatient(give_up_after=0.0), seconds=1.0)):
            for hook in hooks:
                await until(lambda hook=hook: _has_states(hook, ["dead"], attempts=1), within=30.0)
    reasons = [(await hook.events())[0]["eventResponseMessage"]["content"] for hook in hooks]
    assert reasons == ["the answer is larger than is accepted", "the whole answer did not come in time"]


async def test_a_receiver_that_repeats_its_secret_does_not_show_it(
    arm: Management, registry: Registry, pushed: Repository, until
) -> None:
    def repeating(asked: Asked) -> list[bytes]:
        return ok(asked.headers["x-key"].encode(), {"x-echo": asked.headers["x-key"], "set-cookie": "a=b"})

    with serving(repeating) as server:
        hook = await add_webhook(arm, uri_of(server), customHeaders={"X-Key": "the-header"})
        await put_tags(pushed, ["v1"])
        with delivering(registry):
            await until(lambda: _all_delivered(hook, 1))
    response = (await hook.events())[0]["eventResponseMessage"]
    assert response["content"] == "******"
    assert (response["headers"]["x-echo"], response["headers"]["set-cookie"]) == ("******", "******")


async def test_a_worker_that_ends_leaves_the_rest_to_the_next(
    arm: Management, registry: Registry, pushed: Repository, until
) -> None:
    """It ends in the middle of a call, three times over; what was not written down comes again, and in order."""
    with serving(lambda _asked: ok()) as server:
        hook = await add_webhook(arm, uri_of(server))
        await put_tags(pushed)
        for reached in (2, 5):
            with delivering(registry):
                await until(lambda reached=reached: _asked_for(server, reached), within=30.0)
        with delivering(registry):
            await until(lambda: _all_delivered(hook, len(TAGS)), within=60.0)
    heard = [each["target"]["tag"] for each in told(server)]
    assert sorted(set(heard), key=TAGS.index) == TAGS
    firsts = list(dict.fromkeys(heard))
    assert firsts == TAGS


async def _asked_for(server, count: int) -> bool:
    return len(server.asked) >= count


async def test_pushes_of_many_at_once_are_told_in_each_repository_s_order(
    arm: Management, registry: Registry, until
) -> None:
    with serving(lambda _asked: ok()) as server:
        repositories = [registry.repository(f"team/app{number}") for number in range(4)]
        for repository in repositories:
            await repository.push(IMAGE)
        registry.clock.advance(seconds=1)
        hook = await add_webhook(arm, uri_of(server))
        with delivering(registry):
            await asyncio.gather(*(put_tags(repository, TAGS) for repository in repositories))
            await until(lambda: _all_delivered(hook, 4 * len(TAGS)), within=60.0)
    for repository in repositories:
        assert [e["target"]["tag"] for e in told(server) if e["target"]["repository"] == repository.name] == TAGS


async def test_a_receiver_that_refuses_one_repository_hears_the_other_meanwhile(
    arm: Management, registry: Registry, until
) -> None:
    """Of one webhook: what is not heard holds up its own repository alone."""

    def deaf_to_refused(asked: Asked) -> list[bytes]:
        return answer(500) if repository_of(asked) == "refused" and not is_over.is_set() else ok()

    is_over = threading.Event()
    with serving(deaf_to_refused) as server:
        repositories = [registry.repository(name) for name in ("refused", "heard")]
        for repository in repositories:
            await repository.push(IMAGE)
        registry.clock.advance(seconds=1)
        hook = await add_webhook(arm, uri_of(server))
        for repository in repositories:
            await put_tags(repository)
        with delivering(registry):
            await until(lambda: _all_delivered(hook, len(TAGS)), within=30.0)
            heard = [tag_of(asked) for asked in server.asked if repository_of(asked) == "heard"]
            assert heard == TAGS
            assert {tag_of(asked) for asked in server.asked if repository_of(asked) == "refused"} == {"v0"}
            is_over.set()
            await until(lambda: _all_delivered(hook, 2 * len(TAGS)), within=30.0)


def repository_of(asked: Asked) -> str:
    return json.loads(asked.body)["target"]["repository"]


async def test_repositories_are_told_of_at_the_same_time(
    arm: Management, registry: Registry, pushed: Repository, until
) -> None:
    """Once the receiver was heard to answer: until then it gets one call at a time."""
    together = threading.Barrier(3)

    def answering_three(asked: Asked) -> list[bytes]:
        if repository_of(asked).startswith("team/"):
            together.wait(20)
        return ok()

    with serving(answering_three) as server:
        repositories = [registry.repository(f"team/app{number}") for number in range(3)]
        for repository in repositories:
            await repository.push(IMAGE)
        registry.clock.advance(seconds=1)
        hook = await add_webhook(arm, uri_of(server))
        with delivering(registry, replace(HURRIED, seconds=30.0)):
            await put_tags(pushed, ["v0"])
            await until(lambda: _all_delivered(hook, 1), within=30.0)
            for repository in repositories:
                await put_tags(repository, ["v0"])
            await until(lambda: _all_delivered(hook, 4), within=30.0)
    assert not together.broken


async def test_each_attempt_is_recorded_with_when_it_was_and_how_long_it_took(
    arm: Management, registry: Registry, pushed: Repository, until
) -> None:
    def slowly(_asked: Asked) -> Iterable[bytes]:
        server.over.wait(0.3)
        yield from (answer(500) if len(server.asked) == 1 else ok())

    began = datetime.now(UTC)
    with serving(slowly) as server:
        hook = await add_webhook(arm, uri_of(server))
        await put_tags(pushed, ["v1"])
        with delivering(registry):
            await until(lambda: _all_delivered(hook, 1), within=30.0)
    first, second = (await hook.events())[0]["delivery"]["attempts"]
    ended = datetime.now(UTC)
    assert [each["status"] for each in (first, second)] == [500, 200]
    assert all(0.3 <= each["seconds"] < (ended - began).total_seconds() for each in (first, second))
    times = [datetime.fromisoformat(each["at"]) for each in (first, second)]
    assert began <= times[0] <= times[0] + timedelta(seconds=first["seconds"]) <= times[1] <= ended
