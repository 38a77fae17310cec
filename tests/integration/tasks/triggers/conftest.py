"""A registry with tasks whose triggers are looked at when a test says so, and whose runs a test ends by itself."""

from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, select, update
from tests.content import Manifest, an_image
from tests.management import Management, management
from tests.registry import Registry

from entrepot.app.parts import open_outbound
from entrepot.app.secret_key import open_sealer
from entrepot.app.task_worker import triggers_of
from entrepot.db.task_tables import task, task_base_image, task_image_trigger, task_run
from entrepot.tasks.firing import Triggers
from entrepot.tasks.model import BaseImage, BaseImageKind
from entrepot.tasks.runs.model import Image, Outcome, Plan, Status
from entrepot.tasks.runs.queries import RunRow, finish, insert_principal, run_of
from entrepot.tasks.triggers.images.looking import look_at_own

Json = Any
HOST = "localhost:5000"
STEP: Json = {"type": "EncodedTask", "encodedTaskContent": b64encode(b"steps: []\n").decode()}
WATCHING: Json = {"name": "base", "baseImageTriggerType": "Runtime", "status": "Enabled"}
RUNTIME, BUILDTIME = BaseImageKind.RUNTIME, BaseImageKind.BUILDTIME


@dataclass
class World:
    """``images``: how many were pushed, each another one. ``later``: by which workers are ahead of the clock."""

    registry: Registry
    arm: Management
    triggers: Triggers
    images: int = 0
    later: timedelta = timedelta()

    # --- tasks --------------------------------------------------------------------------------------------------------

    def path(self, name: str) -> str:
        return f"{self.arm.registry()}/tasks/{name}"

    async def task(self, name: str, *, credentials: Json = None, **trigger: Json) -> None:
        """One whose trigger has these members; a base image trigger, unless it is told otherwise."""
        given = trigger or {"baseImageTrigger": WATCHING}
        properties = {"platform": {"os": "linux"}, "step": STEP, "trigger": given, "credentials": credentials or {}}
        answer = await self.arm.put(self.path(name), {"location": "eastus", "properties": properties})
        assert answer.status == 200, answer.body

    def copy(self, name: str, count: int) -> None:
        """So many tasks like this one, with what they stand on: ``other-0`` and on."""
        self.registry.database.write(_copy, name, count)

    async def why(self, name: str) -> Json:
        answer = await self.arm.post(f"{self.path(name)}/explainTriggers")
        assert answer.status == 200, answer.body
        return answer.json()

    async def reasons(self, name: str) -> list[str]:
        """The newest first."""
        return [each["reason"] for each in (await self.why(name))["evaluations"]]

    async def shown(self, name: str) -> Json:
        """What the task says that it stands on."""
        return (await self.arm.get(self.path(name))).json()["properties"]["step"].get("baseImageDependencies", [])

    async def runs(self, name: str) -> list[Json]:
        """The newest first."""
        answer = await self.arm.get(f"{self.arm.registry()}/runs", None, filter=f"TaskName eq '{name}'")
        return [each["properties"] for each in answer.json()["value"]]

    # --- images -------------------------------------------------------------------------------------------------------

    def another(self) -> Manifest:
        self.images += 1
        return an_image(f"image {self.images}", layers=1)

    async def push(self, repository: str, *tags: str, image: Manifest | None = None) -> str:
        """Another image, or this one, under each of these tags; its digest."""
        image = image or self.another()
        where = self.registry.repository(repository)
        for content in image.blobs.values():
            await where.push_blob(content)
        for tag in tags:
            assert (await where.put(image, tag)).status == 201
        return image.digest

    # --- what workers do ----------------------------------------------------------------------------------------------

    def follow(self) -> None:
        """All that waits."""
        write, now = self.registry.database.write, self.registry.clock
        while write(self.triggers.following.follow, now()) or write(look_at_own, self.triggers.beginning, now()):
            pass

    def ended(
        self, name: str, *bases: BaseImage, pushed: tuple[Image, ...] = (), since: datetime | None = None
    ) -> None:
        """A run of the task succeeds: its last one, or one that somebody asked for."""
        self.registry.database.write(self._ended, name, Outcome(bases=bases, images=pushed), since)

    def _ended(self, tx: Connection, name: str, outcome: Outcome, since: datetime | None) -> None:
        now = self.registry.clock()
        manifests = tuple(f"{each.repository}@{each.digest}" for each in outcome.images)
        outcome = msgspec.structs.replace(outcome, manifests=manifests)
        row = _last_run(tx, name)
        if row is not None:
            finish(tx, row.id, Status.SUCCEEDED, msgspec.json.encode(outcome).decode(), now)
        made = row or _no_run(tx, name, now)
        self.triggers.learn(tx, replace(made, started_at=since or now), outcome)

    def begun_as(self, run: str, principal: str) -> None:
        """A worker has the run, which is this principal."""
        self.registry.database.write(_begin_as, run, principal)

    def plan(self, run: str) -> Plan:
        request = self.registry.database.read(
            lambda tx: tx.execute(select(task_run.c.request).where(task_run.c.name == run)).scalar_one()
        )
        return msgspec.json.decode(request, type=Plan)


def _copy(tx: Connection, name: str, count: int) -> None:
    row = dict(tx.execute(select(task).where(task.c.name == name)).mappings().one())
    of = row.pop("id")
    names = [f"other-{number}" for number in range(count)]
    tx.execute(task.insert(), [{**row, "name": each, "key": each} for each in names])
    ids = tx.execute(select(task.c.id).where(task.c.name.in_(names))).scalars().all()
    for table in (task_image_trigger, task_base_image):
        rows = [dict(each) for each in tx.execute(select(table).where(table.c.task_id == of)).mappings()]
        tx.execute(table.insert(), [{**each, "task_id": task_id} for task_id in ids for each in rows])


def _begin_as(tx: Connection, run: str, principal: str) -> None:
    run_id = tx.execute(select(task_run.c.id).where(task_run.c.name == run)).scalar_one()
    tx.execute(update(task_run).where(task_run.c.id == run_id).values(status="Running", attempt=1))
    insert_principal(tx, run_id, principal)


def _last_run(tx: Connection, name: str) -> RunRow | None:
    found = select(task_run.c.id).where(task_run.c.task == name).order_by(task_run.c.number.desc()).limit(1)
    run_id = tx.execute(found).scalar_one_or_none()
    return None if run_id is None else run_of(tx, run_id)


def _no_run(tx: Connection, name: str, now: datetime) -> RunRow:
    registry_id = 1
    outcome = "{}"
    return RunRow(
        0, registry_id, 0, "", name, None, "", "", "{}", None, outcome, False, False, now, now, now, now, None, None
    )


def base(repository: str, tag: str = "1", digest: str | None = None, kind: BaseImageKind = RUNTIME) -> BaseImage:
    """One of the default registry."""
    return BaseImage(kind, HOST, repository, tag, digest)


def triggers_on(registry: Registry, **changes: Any) -> Triggers:  # noqa: ANN401  what a test changes
    settings = registry.settings
    made = triggers_of(settings, registry.database, open_sealer(settings), open_outbound(settings))
    return replace(made, look=0.02, **changes)


@pytest.fixture
async def world(registry: Registry) -> World:
    return World(registry, await management(registry), triggers_on(registry))
