"""The API that asks for imports, a worker that does them, and a registry elsewhere that it may call."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, select
from tests.foreign import ForeignRegistry, foreign_registry
from tests.integration.working import working
from tests.management import Management, management
from tests.outside import Authority, authority
from tests.registry import OWNER, OWNER_SECRET, Registry
from tests.wire import Answer, Client

from entrepot.app.parts import open_content
from entrepot.app.secret_key import open_sealer
from entrepot.db.tables import event
from entrepot.jobs.model import Workflow
from entrepot.jobs.run import Body
from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound, tls_context
from entrepot.registries.imports.jobs import workflows
from entrepot.remote.copies.model import Habits, Works

BLOB_LIMIT = 64 * 1024 * 1024
# An import's body; how it ended is answered, as its Location tells it.
Import = Callable[..., Awaitable[Answer]]
Bodies = Mapping[Workflow, Body]


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"), "127.0.0.1", "localhost")


@pytest.fixture
def hub(ca: Authority) -> Iterator[ForeignRegistry]:
    with foreign_registry(ca) as registry:
        yield registry


@pytest.fixture
async def arm(registry: Registry) -> Management:
    return await management(registry)


def bodies(registry: Registry, outbound: Outbound, grace: timedelta = timedelta(days=1)) -> Bodies:
    works = Works(open_content(registry.settings), Habits(BLOB_LIMIT, grace), lambda: uuid4().hex)
    return workflows(works, outbound, open_sealer(registry.settings))


def outbound_to(ca_file: Path) -> Outbound:
    """May call this machine as 127.0.0.1 and localhost, and trusts this CA."""
    return Outbound(Permitted.of(["127.0.0.1", "localhost"]), tls_context(ca_file))


@pytest.fixture
def work(registry: Registry, ca: Authority) -> Iterator[Bodies]:
    outbound = outbound_to(ca.ca_file)
    yield bodies(registry, outbound)
    outbound.close()


@pytest.fixture
def ask(arm: Management) -> Import:
    """Asks for an import, which waits for a worker."""

    async def ask_for(source: Mapping[str, Any], *tags: str, **members: Any) -> Answer:  # noqa: ANN401  members of JSON
        body = {"source": dict(source), "targetTags": list(tags), **members}
        return await arm.post(f"{arm.registry()}/importImage", body)

    return ask_for


@pytest.fixture
def bring(registry: Registry, arm: Management, ask: Import, work: Bodies) -> Import:
    """Asks for an import, and has it done."""

    async def bring_in(source: Mapping[str, Any], *tags: str, **members: Any) -> Answer:  # noqa: ANN401  members of JSON
        accepted = await ask(source, *tags, **members)
        assert accepted.status == 202, accepted.body
        with working(registry, work):
            return await result(arm, accepted)

    return bring_in


async def poll(arm: Management, accepted: Answer, name: str = "location") -> Answer:
    return await arm.http.get("/" + accepted[name].split("/", 3)[3])


async def result(arm: Management, accepted: Answer, within: float = 60.0) -> Answer:
    """What the operation ended with."""
    deadline = asyncio.get_running_loop().time() + within
    while (answer := await poll(arm, accepted)).status == 202:
        assert asyncio.get_running_loop().time() < deadline, answer.body
        await asyncio.sleep(0.05)
    return answer


@pytest.fixture
async def second(arm: Management, registry: Registry, until) -> Client:
    """The owner's client of another registry of the deployment, called ``second``."""
    made = await arm.put(arm.registry("second"), {"location": "eastus", "sku": {"name": "Premium"}})
    assert made.status == 201
    http = Client(registry.app, "second.entrepot.localhost:5000").signed_in(OWNER, OWNER_SECRET)

    async def is_served() -> bool:
        return (await http.get("/v2/")).status == 200

    await until(is_served)
    return http


def pushes(tx: Connection) -> list[dict[str, Any]]:
    """The events of every push, in order."""
    rows = tx.execute(select(event.c.body).where(event.c.action == "push").order_by(event.c.sequence))
    return [json.loads(body) for body in rows.scalars()]
