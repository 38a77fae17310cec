"""A registry with a cache rule, a source that it may call, and a worker that keeps what is pulled."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from tests.foreign import ForeignRegistry, foreign_registry
from tests.integration.conftest import StartRegistry
from tests.integration.working import working
from tests.outside import Authority, authority
from tests.registry import Registry

from entrepot.access.queries import raise_epoch
from entrepot.app.parts import open_content, upstreams_of
from entrepot.caching.images.fills import workflows
from entrepot.caching.model import Rule
from entrepot.caching.queries import insert_rule
from entrepot.catalog.model import RegistryId
from entrepot.jobs.model import Workflow
from entrepot.jobs.run import Body
from entrepot.remote.copies.model import Habits, Works

BLOB_LIMIT = 64 * 1024 * 1024
REGISTRY = RegistryId(1)
# Makes a rule: its target, and the source's path.
Caching = Callable[..., None]
Worker = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"), "127.0.0.1", "localhost")


@pytest.fixture
def hub(ca: Authority) -> Iterator[ForeignRegistry]:
    with foreign_registry(ca) as registry:
        yield registry


@pytest.fixture
async def registry(start_registry: StartRegistry, ca: Authority, tmp_path: Path) -> Registry:
    (tmp_path / "vault").mkdir()
    return await start_registry(
        outbound_allow=("127.0.0.1",), outbound_ca_file=ca.ca_file, vaults=(f"hub={tmp_path / 'vault'}",)
    )


@pytest.fixture
def caching(registry: Registry, hub: ForeignRegistry) -> Caching:
    def make(target: str, path: str, name: str = "rule", credential_set: int | None = None) -> None:
        rule = Rule(0, REGISTRY, name, hub.place, f"{hub.place}/{path}", target, credential_set)
        registry.query(insert_rule, rule, registry.clock())
        registry.query(raise_epoch)

    return make


def bodies(registry: Registry) -> Mapping[Workflow, Body]:
    works = Works(open_content(registry.settings), Habits(BLOB_LIMIT, timedelta(days=1)), lambda: uuid4().hex)
    return workflows(works, upstreams_of(registry.settings, registry.database))


@pytest.fixture
def worker(registry: Registry) -> Worker:
    return lambda: working(registry, bodies(registry))
