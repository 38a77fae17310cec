"""What ended is sent once more, and what is paused waits."""

import pytest
from tests.content import an_image
from tests.integration.webhooks.receivers import Webhook, add_webhook, delivering, impatient, told, uri_of
from tests.management import Management
from tests.outside import Asked, Server, answer, ok, serving
from tests.registry import FakeClock, Registry, Repository

IMAGE = an_image()


class Switched:
    """Refuses everything until it is told not to."""

    def __init__(self) -> None:
        self.refuses = True

    def __call__(self, _asked: Asked) -> list[bytes]:
        return answer(500) if self.refuses else ok()


@pytest.fixture
async def pushed(app: Repository, clock: FakeClock) -> Repository:
    await app.push(IMAGE)
    clock.advance(seconds=1)
    return app


def tags_of(server: Server) -> list[str]:
    return [event["target"]["tag"] for event in told(server)]


def have(hook: Webhook, *states: str):
    async def condition() -> bool:
        return await hook.states() == list(states)

    return condition


async def test_all_that_was_given_up_goes_again_with_the_same_ids(
    arm: Management, registry: Registry, pushed: Repository, clock: FakeClock, until
) -> None:
    switched = Switched()
    with serving(switched) as server, delivering(registry, impatient(give_up_after=0.0)):
        hook = await add_webhook(arm, uri_of(server))
        for tag in ("v0", "v1"):
            await pushed.put(IMAGE, tag)
        await until(have(hook, "dead", "dead"))
        switched.refuses = False
        clock.advance(seconds=1)
        await pushed.put(IMAGE, "v2")
        await until(have(hook, "dead", "dead", "delivered"))
        assert (await arm.post(f"{hook.path}/replay")).json() == {"count": 2}
        await until(have(hook, "delivered", "delivered", "delivered"))
        assert tags_of(server) == ["v0", "v1", "v2", "v0", "v1"]
        assert len({event["id"] for event in told(server)}) == 3
        assert (await arm.post(f"{hook.path}/replay")).json() == {"count": 0}


async def test_one_goes_again_or_those_of_a_time(
    arm: Management, registry: Registry, pushed: Repository, clock: FakeClock, until
) -> None:
    with serving(lambda _asked: ok()) as server, delivering(registry):
        hook = await add_webhook(arm, uri_of(server))
        moments: list[str] = []
        for tag in ("v0", "v1", "v2"):
            moments.append(clock.now.isoformat())
            await pushed.put(IMAGE, tag)
            clock.advance(minutes=1)
        await until(have(hook, *["delivered"] * 3))
        one = told(server)[1]["id"]
        assert (await arm.post(f"{hook.path}/replay", {"ids": [one]})).json() == {"count": 1}
        await until(lambda: _asked(server, 4))
        await until(have(hook, *["delivered"] * 3))
        within = {"state": "delivered", "since": moments[0], "until": moments[2]}
        assert (await arm.post(f"{hook.path}/replay", within)).json() == {"count": 2}
        await until(lambda: _asked(server, 6))
    assert tags_of(server) == ["v0", "v1", "v2", "v1", "v0", "v1"]


async def _asked(server: Server, count: int) -> bool:
    return len(server.asked) >= count


async def test_what_is_paused_waits_and_goes_on(arm: Management, registry: Registry, pushed: Repository, until) -> None:
    with serving(lambda _asked: ok()) as server, delivering(registry):
        hook = await add_webhook(arm, uri_of(server))
        other = await add_webhook(arm, uri_of(server, "/other"), name="other1")
        assert (await arm.post(f"{hook.path}/pause")).json()["properties"]["paused"] is True
        await pushed.put(IMAGE, "v0")
        await until(have(other, "delivered"))
        assert await hook.states() == ["pending"]
        assert (await arm.post(f"{hook.path}/resume")).json()["properties"]["paused"] is False
        await until(have(hook, "delivered"))
    assert [asked.target for asked in server.asked] == ["/other", "/hook"]


@pytest.mark.parametrize("wrong", [{"state": "pending"}, {"ids": ["a"] * 1001}, {"since": "yesterday"}])
async def test_a_replay_of_something_else_is_refused(arm: Management, wrong: dict[str, object]) -> None:
    hook = await add_webhook(arm, "https://hooks.example")
    assert (await arm.post(f"{hook.path}/replay", wrong)).status == 400
