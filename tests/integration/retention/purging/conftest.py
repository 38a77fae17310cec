"""A registry with content of any age, a rule on it, and a worker that purges."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.integration.retention.purging.shelf import Shelf
from tests.integration.working import working
from tests.management import Management, management
from tests.registry import Registry
from tests.wire import Answer

from entrepot.retention.purging.worker import Habits, workflows

# Small pages, so that every test turns some.
HABITS = Habits(rate=1e6, page=3, turn=0.05)
RunRule = Callable[..., Awaitable[dict[str, Any]]]
AddRule = Callable[..., Awaitable[str]]


def bodies(habits: Habits = HABITS) -> Any:  # noqa: ANN401  a worker's
    return workflows(lambda: uuid4().hex, habits)


@pytest.fixture
def shelf(registry: Registry) -> Shelf:
    return Shelf.of(registry)


@pytest.fixture
async def arm(registry: Registry, shelf: Shelf) -> Management:
    return await management(registry)


@pytest.fixture
def add_rule(arm: Management) -> AddRule:
    """Its path."""

    async def add(name: str = "rule", **settings: Any) -> str:  # noqa: ANN401  members of JSON
        path = f"{arm.registry()}/purgeRules/{name}"
        answer = await arm.put(path, {"properties": settings})
        assert answer.status in {200, 201}, answer.body
        return path

    return add


async def result(arm: Management, accepted: Answer, within: float = 60.0) -> Answer:
    """What the operation ended with."""
    deadline = asyncio.get_running_loop().time() + within
    target = "/" + accepted["location"].split("/", 3)[3]
    while (answer := await arm.http.get(target)).status == 202:
        assert asyncio.get_running_loop().time() < deadline, answer.body
        await asyncio.sleep(0.02)
    return answer


@pytest.fixture
def run_rule(registry: Registry, arm: Management) -> RunRule:
    """Has a rule's run done; how it ended, as the rule tells."""

    async def run(path: str, **question: Any) -> dict[str, Any]:  # noqa: ANN401  members of JSON
        accepted = await arm.post(f"{path}/run", question)
        assert accepted.status == 202, accepted.body
        with working(registry, bodies()):
            await result(arm, accepted)
        return (await arm.get(path)).json()["properties"]["lastRun"]

    return run


async def previewed(arm: Management, path: str, limit: int = 500) -> list[dict[str, Any]]:
    """Every page of the preview."""
    found: list[dict[str, Any]] = []
    question: dict[str, Any] = {"limit": limit}
    while True:
        answer = await arm.post(f"{path}/preview", question)
        assert answer.status == 200, answer.body
        page = answer.json()
        found += page["value"]
        if "after" not in page:
            return found
        question["after"] = page["after"]
