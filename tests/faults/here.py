"""A registry in this process whose job workers are processes that a test kills."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from tests.registry import prepared_postgres, prepared_sqlite, settings_for
from tests.services import postgres

from entrepot.jobs.model import Pace
from entrepot.settings import Settings

WITHIN = 120.0
# A live worker that is taken for dead on a busy machine is one more thing that must do no harm.
PACE = Pace(look=0.05, beat=0.2, dead_after=1.5, retry_after=0.1, stop_within=1.0)


@contextmanager
def settings_on(kind: str, folder: Path, **more: Any) -> Iterator[Settings]:  # noqa: ANN401  any setting's value
    """Of a fresh catalog, on ``sqlite`` or on ``postgres``."""
    if kind == "sqlite":
        yield settings_for(prepared_sqlite(folder / "data"), **more)
        return
    with postgres() as url:
        yield settings_for(folder / "data", database_url=SecretStr(prepared_postgres(url, folder / "data")), **more)


async def until(condition: Callable[[], bool], what: str, within: float = WITHIN) -> None:
    deadline = asyncio.get_running_loop().time() + within
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"still not: {what}"
        await asyncio.sleep(0.05)
