"""Base images change while workers are killed and stopped at random: each change has one run, and none comes twice.

The engine only records. FAULT_CHANGES sets how many changes there are.
"""

import asyncio
import os
import random
import signal
from base64 import b64encode
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import msgspec
import pytest
from sqlalchemy import Connection, func, select
from tests.content import an_image
from tests.faults.here import until
from tests.faults.tasks.conftest import Yard
from tests.faults.tasks.program import PACE
from tests.management import Management, management
from tests.registry import Registry

from entrepot.db.task_tables import task, task_base_image, task_evaluation, task_run
from entrepot.tasks.attempts import MOST, lost
from entrepot.tasks.model import BaseImage, BaseImageKind
from entrepot.tasks.runs.model import Plan, Status
from entrepot.tasks.triggers.images.tracking import Tracker

CHANGES = int(os.environ.get("FAULT_CHANGES", "40"))
TASKS = 4
# Workers, how many are lost, and how long there is between two: it takes a while until a loss is noticed.
WORKERS = 2
LOSSES = max(4, CHANGES // 20)
EVERY_SECONDS = 3.0
# Changes that wait at most: a push finds the runs before it under way.
WAITING = 40
_KILLED = 0.5
STEPS = b64encode(b"version: v1.1.0\nsteps:\n  - cmd: busybox the-step\n").decode()


@dataclass
class Pusher:
    """Pushes one image after the other to each base, and knows what it pushed."""

    registry: Registry
    pushed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def count(self) -> int:
        return sum(map(len, self.pushed.values()))

    async def work(self) -> None:
        shared = an_image("shared", layers=1)
        for number in range(TASKS):
            repository = self.registry.repository(f"base-{number}")
            for content in shared.blobs.values():
                await repository.push_blob(content)
        while self.count < CHANGES:
            if self.count - self.registry.database.read(ended) > WAITING:
                await asyncio.sleep(0.05)
                continue
            name = f"base-{self.count % TASKS}"
            image = shared.changed(annotations={"number": str(self.count)})
            answer = await self.registry.repository(name).put(image, "1")
            assert answer.status == 201, answer
            self.pushed[name].append(image.digest)


def ended(tx: Connection) -> int:
    return tx.execute(select(func.count()).where(task_run.c.finished_at.is_not(None))).scalar_one()


async def tasks(arm: Management, registry: Registry) -> None:
    """Each stands on one base."""
    for number in range(TASKS):
        properties = {
            "platform": {"os": "linux"},
            "step": {"type": "EncodedTask", "encodedTaskContent": STEPS},
            "trigger": {"baseImageTrigger": {"name": "base", "baseImageTriggerType": "Runtime"}},
            "credentials": {"sourceRegistry": {"loginMode": "None"}},
        }
        path = f"{arm.registry()}/tasks/task-{number}"
        assert (await arm.put(path, {"location": "eastus", "properties": properties})).status == 200
        registry.database.write(stands_on, f"task-{number}", f"base-{number}", registry)


def stands_on(tx: Connection, name: str, repository: str, registry: Registry) -> None:
    """As a run found it."""
    task_id = tx.execute(select(task.c.id).where(task.c.name == name)).scalar_one()
    base = BaseImage(BaseImageKind.RUNTIME, "localhost:5000", repository, "1")
    Tracker(lambda _host: "local").track(tx, task_id, [base], (), registry.clock())


async def lose_workers(yard: Yard, chance: random.Random) -> None:
    """One after the other; the first two are one that is killed and one that is stopped."""
    for number in range(LOSSES):
        await asyncio.sleep(EVERY_SECONDS * chance.uniform(0.5, 1.5))
        yard.replace_dead()
        victim = chance.choice(yard.workers)
        if number == 0 or (number > 1 and chance.random() < _KILLED):
            yard.send(victim, signal.SIGKILL)
            victim.join()
        else:
            yard.send(victim, signal.SIGSTOP)
            await asyncio.sleep(PACE.dead_after * chance.uniform(0.2, 2.0))
            yard.send(victim, signal.SIGCONT)
        yard.replace_dead()


@pytest.mark.timeout(300 + 5 * CHANGES)
async def test_each_change_has_one_run_whichever_worker_is_lost(registry: Registry, yard: Yard) -> None:
    arm, pusher = await management(registry), Pusher(registry)
    await tasks(arm, registry)
    for _ in range(WORKERS):
        yard.start()
    # A look that comes late would take several changes for one.
    await until(lambda: registry.database.read(are_seen), "the workers know the bases")
    pushing = asyncio.create_task(pusher.work())
    await lose_workers(yard, random.Random(CHANGES))
    await pushing
    while registry.database.read(ended) < CHANGES:
        yard.replace_dead()
        await asyncio.sleep(0.1)
    each_change_has_its_run(registry, pusher)
    never_side_by_side(yard, registry)


def are_seen(tx: Connection) -> bool:
    """No base is to be looked at any more."""
    waiting = select(func.count()).where(task_base_image.c.next_at.is_not(None))
    return tx.execute(waiting).scalar_one() == 0


def each_change_has_its_run(registry: Registry, pusher: Pusher) -> None:
    rows = registry.database.read(lambda tx: tx.execute(select(task_run)).mappings().all())
    assert len(rows) == CHANGES
    # One whose workers were lost again and again ends as an error, and says so.
    others = [row["outcome"] for row in rows if row["status"] != Status.SUCCEEDED]
    assert all(lost(MOST) in outcome for outcome in others), others
    assert len(others) <= LOSSES
    begun: dict[str, list[str]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["number"]):
        update = msgspec.json.decode(row["request"], type=Plan).image_update
        assert update is not None
        (image,) = update.images
        begun[image.repository].append(image.digest or "")
    # One for each, in the order of the pushes.
    assert begun == pusher.pushed
    told = registry.database.read(
        lambda tx: tx.execute(select(func.count(task_evaluation.c.run_id.distinct()))).scalar_one()
    )
    assert told == CHANGES


def never_side_by_side(yard: Yard, registry: Registry) -> None:
    """Once an attempt has its machine, no earlier one runs anything; and each run had its step to the end.

    A worker that is stopped before it makes a machine, and goes on when another has the run, makes one beside it, and
    finds out before the first step.
    """
    newest: dict[str, int] = defaultdict(int)
    there: set[str] = set()
    ran: Counter[str] = Counter()
    for what, attempt in yard.said():
        run, _, number = attempt.partition("-")
        if what in {"made", "beside"}:
            assert what == "beside" or not any(other.startswith(f"{run}-") for other in there), (attempt, there)
            newest[run] = max(newest[run], int(number))
            there.add(attempt)
        elif what == "ran":
            assert (attempt in there, newest[run]) == (True, int(number)), (attempt, there)
            ran[run] += 1
        else:
            there.remove(attempt)
    done = registry.database.read(
        lambda tx: tx.execute(select(func.count()).where(task_run.c.status == Status.SUCCEEDED)).scalar_one()
    )
    assert len(ran) >= done
    # More than once only where a worker was lost in between.
    attempts = registry.database.read(
        lambda tx: {str(row.id): row.attempt for row in tx.execute(select(task_run.c.id, task_run.c.attempt))}
    )
    assert all(times <= attempts[run] for run, times in ran.items())
