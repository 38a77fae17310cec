"""A task that a git server may begin, and what can be asked of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.githooks import Delivery
from tests.management import Json, Management, management
from tests.registry import Registry
from tests.wire import Answer

URL = "https://git.example/team/app.git"


@dataclass(frozen=True)
class Task:
    """``url``: its context, as the trigger's repository."""

    arm: Management
    registry: Registry
    path: str
    url: str

    async def put(
        self, *events: str, tags: dict[str, str] | None = None, trigger: Json = None, **properties: Json
    ) -> None:
        repository = {
            "sourceControlType": "VisualStudioTeamService",
            "repositoryUrl": self.url,
            "branch": "main",
            "sourceControlAuthProperties": {"tokenType": "PAT", "token": "the-git-token"},
        }
        source = {"name": "source", "sourceTriggerEvents": events or ["commit"], "sourceRepository": repository}
        told = {
            "platform": {"os": "linux"},
            "step": {"type": "Docker", "dockerFilePath": "Dockerfile", "contextPath": f"{self.url}#main:src"},
            "trigger": {"sourceTriggers": [{**source, **(trigger or {})}]},
            **properties,
        }
        answer = await self.arm.put(self.path, {"location": "eastus", "tags": tags or {}, "properties": told})
        assert answer.status == 200, answer.body

    async def hook(self) -> tuple[str, str]:
        """The path of its address, and its secret."""
        answer = await self.arm.post(f"{self.path}/listSourceHooks")
        assert answer.status == 200, answer.body
        (found,) = answer.json()["value"]
        return "/" + found["url"].split("/", 3)[3], found["secret"]

    async def send(self, delivery: Delivery, path: str = "") -> Answer:
        headers, body = delivery
        return await self.registry.nobody.post(path or (await self.hook())[0], body, headers)

    async def received(self, sign: Callable[..., Delivery], payload: Json, *more: str) -> dict[str, Any]:
        """What became of a delivery of one change."""
        answer = await self.send(sign((await self.hook())[1], payload, *more))
        assert answer.status == 200, answer.body
        (verdict,) = answer.json()["value"]
        return verdict

    async def runs(self) -> list[dict[str, Any]]:
        """The newest first."""
        answer = await self.arm.get(f"{self.arm.registry()}/runs")
        return [each["properties"] for each in answer.json()["value"]]

    async def why(self) -> dict[str, Any]:
        answer = await self.arm.post(f"{self.path}/explainTriggers")
        assert answer.status == 200, answer.body
        return answer.json()


MakeTask = Callable[..., Awaitable[Task]]


@pytest.fixture
async def make_task(registry: Registry) -> MakeTask:
    """``url``: of its repository; ``name``: its own."""
    arm = await management(registry)

    async def make(url: str = URL, name: str = "built", **told: Any) -> Task:  # noqa: ANN401  what ``put`` takes
        made = Task(arm, registry, f"{arm.registry()}/tasks/{name}", url)
        await made.put(**told)
        return made

    return make


@pytest.fixture
async def task(make_task: MakeTask) -> Task:
    return await make_task()
