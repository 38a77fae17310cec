"""The jobs themselves, in a worker: a push is followed at once, and whoever the trigger names is told."""

import json
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable

import pytest
from tests.integration.tasks.triggers.conftest import WATCHING, World, base, triggers_on
from tests.integration.working import working
from tests.management import management
from tests.outside import Server, ok, serving
from tests.registry import Registry

from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound, tls_context

APP = "the-app"
Until = Callable[..., Awaitable[None]]


@pytest.fixture
async def world(registry: Registry) -> World:
    outbound = Outbound(Permitted.of(["127.0.0.1"]), tls_context(None))
    return World(registry, await management(registry), triggers_on(registry, outbound=outbound))


@pytest.mark.parametrize("payload", ["Default", "Token"])
async def test_a_push_begins_a_run_and_the_endpoint_is_told(world: World, until: Until, payload: str) -> None:
    with serving(lambda _asked: ok()) as server:
        told = {"updateTriggerEndpoint": f"http://{server.place}/hook", "updateTriggerPayloadType": payload}
        await world.task(APP, baseImageTrigger={**WATCHING, **told})
        await world.push("base", "1")
        world.ended(APP, base("base"))
        token = {"overrideTaskStepProperties": {"updateTriggerToken": b64encode(b"the-token").decode()}}
        asked = {"type": "TaskRunRequest", "taskId": world.path(APP), **token}
        assert (await world.arm.post(f"{world.arm.registry()}/scheduleRun", asked)).status == 200
        with working(world.registry, world.triggers.workflows()):
            await until(lambda: is_seen(world), within=60)
            await world.push("base", "1")
            await until(lambda: was_told(world, server), within=60)
    (run, _) = await world.runs(APP)
    body = json.loads(server.asked[0].body)
    assert b64decode(body.pop("updateTriggerToken")) == b"the-token"
    if payload == "Token":
        assert body == {}
    else:
        assert (body["task"], body["runId"]) == (APP, run["runId"])
        assert body["imageUpdateTrigger"]["images"] == run["imageUpdateTrigger"]["images"]


async def is_seen(world: World) -> bool:
    (image,) = (await world.why(APP))["baseImages"]
    return "nextCheck" not in image


async def was_told(world: World, server: Server) -> bool:
    reasons = await world.reasons(APP)
    return bool(server.asked) and bool(reasons) and "endpoint answered 200" in reasons[0]
