"""What tests of webhooks need of the outside: receivers, a webhook that calls one, and a worker that calls at once."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tests.integration.working import working
from tests.management import Management
from tests.outside import Asked, Server
from tests.registry import Registry
from tests.wire import Answer

from entrepot.app.parts import hosts_of, open_outbound
from entrepot.app.secret_key import open_sealer
from entrepot.webhooks.jobs import Habits, Parts, workflows
from entrepot.webhooks.rules import Patience

# In a hurry, with pauses that do not matter.
HURRIED = Habits(look=0.02, seconds=5.0, keep=timedelta(days=1), patience=Patience(0.05, 0.2, 3600.0))


@contextmanager
def delivering(registry: Registry, habits: Habits = HURRIED) -> Iterator[None]:
    """A job worker that may call this machine, and nothing else that is not public."""
    settings = registry.settings.model_copy(update={"outbound_allow": ("127.0.0.1",)})
    outbound = open_outbound(settings)
    try:
        bodies = workflows(Parts(open_sealer(settings), outbound, hosts_of(settings).login_server, habits))
        with working(registry, bodies):
            yield
    finally:
        outbound.close()


def impatient(habits: Habits = HURRIED, **changes: float) -> Habits:
    """With other members of its patience."""
    return replace(habits, patience=replace(habits.patience, **changes))


@dataclass(frozen=True)
class Webhook:
    """A webhook as its owner sees it."""

    arm: Management
    path: str

    async def events(self) -> list[dict[str, Any]]:
        """The newest first."""
        answer = await self.arm.post(f"{self.path}/listEvents")
        assert answer.status == 200, answer.body
        return answer.json()["value"]

    async def states(self) -> list[str]:
        """The oldest first."""
        return [each["delivery"]["state"] for each in reversed(await self.events())]


def body(uri: str, *actions: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  any member's value
    return {"location": "eastus", "properties": {"serviceUri": uri, "actions": actions or ("push", "delete"), **more}}


async def add_webhook(arm: Management, uri: str, *actions: str, name: str = "hook1", **more: Any) -> Webhook:  # noqa: ANN401  the same
    path = f"{arm.registry()}/webhooks/{name}"
    made: Answer = await arm.put(path, body(uri, *actions, **more))
    assert made.status == 201, made.body
    return Webhook(arm, path)


def uri_of(server: Server, path: str = "/hook") -> str:
    return f"http://{server.place}{path}"


def told(server: Server) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in server.asked]


def tag_of(asked: Asked) -> str:
    return json.loads(asked.body)["target"]["tag"]
