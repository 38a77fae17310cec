"""Base images in registries elsewhere: asked again and again, for little, and less often after a failure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.content import an_image
from tests.foreign import ForeignRegistry, foreign_registry
from tests.integration.tasks.triggers.conftest import World, triggers_on
from tests.integration.tasks.triggers.test_own_images import APP
from tests.management import management
from tests.outside import Authority, answer, authority
from tests.registry import Registry

from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound
from entrepot.tasks.model import BaseImage, BaseImageKind
from entrepot.tasks.runs.model import Image

REPOSITORY = "team/base"
FIRST, SECOND = an_image("first"), an_image("second")


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"), "127.0.0.1", "registry-1.docker.io")


@pytest.fixture
def hub(ca: Authority) -> Iterator[ForeignRegistry]:
    with foreign_registry(ca) as made:
        made.hold(REPOSITORY, FIRST, "1")
        yield made


@pytest.fixture
async def world(registry: Registry, ca: Authority, hub: ForeignRegistry) -> World:
    """With a task that stands on ``team/base:1`` of the registry elsewhere."""

    def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    outbound = Outbound(Permitted.of(["127.0.0.1"]), ca.trusting, resolve=resolve)
    made = World(registry, await management(registry), triggers_on(registry, outbound=outbound))
    await made.task(APP)
    made.ended(APP, stands_on(hub))
    look(made)
    return made


def stands_on(hub: ForeignRegistry, tag: str = "1") -> BaseImage:
    return BaseImage(BaseImageKind.RUNTIME, hub.place, REPOSITORY, tag, FIRST.digest)


@dataclass
class Now:
    """A run of the job, as its worker gives it: at the test's time, and without an owner to lose it to."""

    now: datetime
    read: Callable[..., Any]
    write: Callable[..., Any]
    stopping: bool = False


def look(world: World, **later: float) -> None:
    """Once it is later for the worker; sign-ins last on."""
    world.later += timedelta(**later)
    database = world.registry.database
    run: Any = Now(world.registry.clock() + world.later, database.read, database.write)
    world.triggers.looker.look(run)


async def image(world: World) -> dict[str, Any]:
    (found,) = (await world.why(APP))["baseImages"]
    return found


async def test_another_digest_elsewhere_begins_one_run(world: World, hub: ForeignRegistry) -> None:
    look(world, hours=1)
    assert await world.runs(APP) == []
    hub.hold(REPOSITORY, SECOND, "1")
    for _ in range(3):
        look(world, hours=1)
    (run,) = await world.runs(APP)
    (changed,) = run["imageUpdateTrigger"]["images"]
    assert changed == {"registry": hub.place, "repository": REPOSITORY, "tag": "1", "digest": SECOND.digest}
    found = await image(world)
    assert (found["lastDigest"], found["digest"]) == (SECOND.digest, FIRST.digest)
    assert "isTold" not in found or found["isTold"] is False
    assert found["nextCheck"] > found["lastCheck"]


async def test_it_is_asked_once_in_a_while_and_for_a_digest_alone(world: World, hub: ForeignRegistry) -> None:
    before = len(hub.asked)
    look(world, minutes=1)
    assert len(hub.asked) == before
    look(world, hours=1)
    (asked,) = hub.asked[before:]
    assert asked.method == "HEAD"
    assert asked.headers["if-none-match"] == f'"{FIRST.digest}"'


async def test_a_registry_that_confirms_the_digest_is_believed(world: World, hub: ForeignRegistry) -> None:
    hub.wrong = lambda asked: answer(304) if "if-none-match" in asked.headers else None
    look(world, hours=1)
    assert await world.runs(APP) == []
    assert "problem" not in await image(world)


async def test_a_registry_that_tells_no_digest_is_asked_for_the_manifest(world: World, hub: ForeignRegistry) -> None:
    hub.wrong = lambda asked: answer(200, b"") if asked.method == "HEAD" else None
    hub.hold(REPOSITORY, SECOND, "1")
    look(world, hours=1)
    assert len(await world.runs(APP)) == 1


async def test_after_a_failure_the_next_look_comes_later_each_time(world: World, hub: ForeignRegistry) -> None:
    hub.wrong = lambda _asked: answer(503)
    asked: list[int] = []
    for _ in range(3):
        before = len(hub.asked)
        for _ in range(12):
            look(world, minutes=30)
        asked.append(len(hub.asked) - before)
    assert asked[0] > asked[2]
    assert sum(asked) < 12
    found = await image(world)
    assert "answered 503" in found["problem"]
    hub.wrong = lambda _asked: None
    hub.hold(REPOSITORY, SECOND, "1")
    look(world, days=2)
    assert len(await world.runs(APP)) == 1
    assert "problem" not in await image(world)


async def test_a_tag_that_is_not_there_is_told(world: World) -> None:
    world.ended(APP, BaseImage(BaseImageKind.RUNTIME, "127.0.0.1:1", REPOSITORY, "1"))
    look(world)
    assert "127.0.0.1" in (await image(world))["problem"]


async def test_tasks_without_an_account_share_a_look_and_each_gets_its_run(world: World, hub: ForeignRegistry) -> None:
    world.copy(APP, 60)
    look(world, hours=2)
    hub.hold(REPOSITORY, SECOND, "1")
    before = len(hub.asked)
    look(world, hours=2)
    assert len(hub.asked) == before + 1
    assert len(await world.arm.names(f"{world.arm.registry()}/runs")) == 61


async def test_the_account_of_the_task_is_used(world: World, hub: ForeignRegistry) -> None:
    hub.challenge, hub.basic = 'Basic realm="hub"', ("robot", "the-password")
    look(world, hours=1)
    assert "user name" in (await image(world))["problem"]
    account = {"userName": {"value": "robot"}, "password": {"value": "the-password"}}
    await world.task(APP, credentials={"customRegistries": {hub.place: account}})
    hub.hold(REPOSITORY, SECOND, "1")
    look(world, hours=3)
    assert len(await world.runs(APP)) == 1
    assert hub.asked[-1].headers["authorization"].startswith("Basic ")


async def test_docker_hub_is_asked_where_its_api_is(world: World, hub: ForeignRegistry) -> None:
    world.ended(APP, BaseImage(BaseImageKind.RUNTIME, "registry.hub.docker.com", "library/alpine", "3"))
    look(world, hours=1)
    # Nothing listens on its port of this machine.
    assert "registry-1.docker.io" in (await image(world))["problem"]


async def test_what_the_last_run_pushed_there_itself_begins_nothing(world: World, hub: ForeignRegistry) -> None:
    hub.hold(REPOSITORY, SECOND, "1")
    look(world, hours=1)
    (run,) = await world.runs(APP)
    third = an_image("third")
    hub.hold(REPOSITORY, third, "1")
    world.begun_as(run["runId"], "nobody")
    look(world, hours=1)
    # It goes on, and may be who pushed: that is known when it has ended.
    assert len(await world.runs(APP)) == 1
    world.ended(APP, stands_on(hub), pushed=(Image(hub.place, REPOSITORY, "1", third.digest),))
    look(world, minutes=2)
    assert len(await world.runs(APP)) == 1
    assert "The loop is cut" in (await world.reasons(APP))[0]


async def test_a_trigger_that_is_disabled_asks_nobody(world: World, hub: ForeignRegistry) -> None:
    disabled = {"trigger": {"baseImageTrigger": {"status": "Disabled"}}}
    assert (await world.arm.patch(world.path(APP), {"properties": disabled})).status == 200
    before = len(hub.asked)
    look(world, days=1)
    assert len(hub.asked) == before
    assert "nextCheck" not in await image(world)
