"""A registry on each database, its worker started in this process; job workers are processes of their own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.registry import FakeClock, Registry, prepared_sqlite, settings_for, started
from tests.services import postgres

from entrepot.app.first_start import prepare
from entrepot.app.parts import utc_now
from entrepot.settings import Settings


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield settings_for(prepared_sqlite(tmp_path / "data"))
            return
        url = stack.enter_context(postgres())
        made = settings_for(tmp_path / "data", database_url=SecretStr(url))
        prepare(made)
        yield made


@pytest.fixture
async def registry(settings: Settings) -> AsyncIterator[Registry]:
    """By the machine's clock, which the job workers have, too."""
    async with started(settings, FakeClock(utc_now())) as registry:
        yield registry
