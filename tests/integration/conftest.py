"""Every test of this folder runs on SQLite and on PostgreSQL, each time with a catalog and a folder of its own.

The catalogs are copies of one that the session's first test made: 10 ms on SQLite, 50 on PostgreSQL.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.registry import (
    FakeClock,
    Registry,
    Repository,
    postgres_catalog,
    prepared_postgres,
    prepared_sqlite,
    settings_for,
    sqlite_catalog,
    started,
)
from tests.services import postgres

from entrepot.access.queries import signing_keys
from entrepot.app.audit import checkpoints_of
from entrepot.app.secret_key import open_sealer
from entrepot.auditing.chaining import Chainer, Habits
from entrepot.auditing.notary import KeyNotary, open_notary
from entrepot.settings import Settings
from entrepot.web.rates import Buckets

StartRegistry = Callable[..., Awaitable[Registry]]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_sqlite(tmp_path_factory.mktemp("template") / "data")


@pytest.fixture(scope="session")
def postgres_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL for this worker."""
    with postgres() as url:
        yield prepared_postgres(url, tmp_path_factory.mktemp("template") / "data")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def sqlite_settings(sqlite_template: Path, data_dir: Path) -> Iterator[dict[str, Any]]:
    with sqlite_catalog(sqlite_template, data_dir):
        yield {}


@pytest.fixture
def postgres_settings(postgres_template: str) -> Iterator[dict[str, Any]]:
    with postgres_catalog(postgres_template) as url:
        yield {"database_url": SecretStr(url)}


@pytest.fixture(params=["sqlite", "postgres"])
def catalog_settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings that name a fresh catalog; each database in turn."""
    return request.getfixturevalue(f"{request.param}_settings")


@pytest.fixture
def settings(catalog_settings: dict[str, Any], data_dir: Path) -> Settings:
    return settings_for(data_dir, **catalog_settings)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def start_registry(settings: Settings, clock: FakeClock) -> AsyncIterator[StartRegistry]:
    """Starts a worker on the test's catalog, with other settings if need be; several are workers side by side."""
    buckets = Buckets()
    async with AsyncExitStack() as stack:

        async def start(**changes: Any) -> Registry:  # noqa: ANN401  any setting's value
            chosen = settings.model_copy(update=changes)
            return await stack.enter_async_context(started(chosen, clock, buckets))

        yield start


@pytest.fixture
async def registry(start_registry: StartRegistry) -> Registry:
    return await start_registry()


@pytest.fixture
def app(registry: Registry) -> Repository:
    """The repository ``app``, its owner asking."""
    return registry.repository("app")


# --- the audit log ----------------------------------------------------------------------------------------------------


@pytest.fixture
def notary(registry: Registry) -> KeyNotary:
    return open_notary(registry.database.read(signing_keys), open_sealer(registry.settings))


@pytest.fixture
def chainer(registry: Registry, notary: KeyNotary) -> Chainer:
    """What a job worker does with the audit log, to be done by hand."""
    return Chainer(
        registry.database, notary, checkpoints_of(registry.settings), registry.clock, Habits(entries=5, seconds=300)
    )


Until = Callable[..., Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """Waits for a condition with a deadline, as chores of the worker take their time."""

    async def wait(condition: Callable[[], Awaitable[bool]], within: float = 10.0) -> None:
        deadline = asyncio.get_running_loop().time() + within
        while not await condition():
            assert asyncio.get_running_loop().time() < deadline, f"after {within} s still not"
            await asyncio.sleep(0.02)

    return wait
