"""Workers and receivers of webhooks killed at random while pushes go on. FAULT_KILLS sets how often."""

import asyncio
import os
import random
import socket
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from tests.content import Manifest, an_image
from tests.faults.here import WITHIN, until
from tests.faults.webhooks.conftest import Heard, Yard, settled
from tests.integration.webhooks.receivers import add_webhook
from tests.management import management
from tests.outside import accepting
from tests.registry import Registry, Repository
from tests.services import reserved_port

KILLS = int(os.environ.get("FAULT_KILLS", "3"))
REPOSITORIES = [f"team/app-{number}" for number in range(4)]
# Of a hundred calls that a receiver hears: how many it answers as if it had not.
FAILED = 3
# Pushes go on as long as not so many wait to be heard of.
WAITING = 150


@dataclass
class Pusher:
    """Pushes tags into each repository, one after the other, and knows their order."""

    image: Manifest
    repositories: list[Repository]
    pushed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    stopping: bool = False

    @property
    def count(self) -> int:
        return sum(map(len, self.pushed.values()))

    async def work(self, heard: Callable[[], int]) -> None:
        while not self.stopping:
            if self.count - heard() > WAITING:
                await asyncio.sleep(0.05)
                continue
            for repository in self.repositories:
                tag = f"v{len(self.pushed[repository.name])}"
                answer = await repository.put(self.image, tag)
                assert answer.status == 201, answer
                self.pushed[repository.name].append(tag)


async def with_blobs(registry: Registry, image: Manifest) -> list[Repository]:
    repositories = [registry.repository(name) for name in REPOSITORIES]
    for repository in repositories:
        for content in image.blobs.values():
            await repository.push_blob(content)
    return repositories


@pytest.mark.timeout(300 + 15 * KILLS)
async def test_nothing_is_lost_or_out_of_order_whoever_is_killed(registry: Registry, yard: Yard) -> None:
    arm, image, chance = await management(registry), an_image(), random.Random(KILLS)

    def say_nothing(_connection: socket.socket) -> None:
        never.over.wait()

    with reserved_port() as mortal, reserved_port() as immortal, accepting(say_nothing) as never:
        places = {
            "mortal": f"http://127.0.0.1:{mortal}/mortal",
            "steady": f"http://127.0.0.1:{immortal}/steady",
            "paused": f"http://127.0.0.1:{immortal}/paused",
            "silent": f"http://{never.place}/",
        }
        hooks = {name: await add_webhook(arm, uri, "push", name=name) for name, uri in places.items()}
        await arm.post(f"{hooks['paused'].path}/pause")
        pusher = Pusher(image, await with_blobs(registry, image))
        victims = {"worker": yard.worker(), "receiver": yard.receiver(mortal, "one", FAILED)}
        yard.receiver(immortal, "two", FAILED)
        again = {"worker": yard.worker, "receiver": lambda: yard.receiver(mortal, "one", FAILED)}

        def heard() -> int:
            return len(yard.heard("one", "mortal").calls)

        pushing = asyncio.create_task(pusher.work(lambda: len(yard.heard("one", "mortal").ids())))
        for _ in range(KILLS):
            more = heard() + chance.randint(1, 40)
            await until(lambda more=more: heard() >= more, "more is heard")
            victim = chance.choice(("worker", "receiver"))
            victims[victim].kill()
            victims[victim].join()
            victims[victim] = again[victim]()
        pusher.stopping = True
        await pushing
        assert pusher.count > KILLS
        for name, file in (("mortal", "one"), ("steady", "two")):
            await whole(yard, pusher, file, name)
        assert {"delivered", "dead"}.isdisjoint(await hooks["silent"].states())
        assert yard.heard("two", "paused") == Heard()
        await arm.post(f"{hooks['paused'].path}/resume")
        await whole(yard, pusher, "two", "paused")
        await settled(hooks["paused"])


async def whole(yard: Yard, pusher: Pusher, file: str, hook: str) -> None:
    """Every push was heard of, each first in its turn; what came again had the same id."""
    within = WITHIN + pusher.count / 10
    await until(lambda: len(yard.heard(file, hook).ids()) == pusher.count, f"{hook} has heard everything", within)
    heard = yard.heard(file, hook)
    assert heard.first_times() == dict(pusher.pushed)
    assert {len(ids) for ids in heard.ids().values()} == {1}
