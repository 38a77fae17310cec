import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as Examples  # noqa: N812  beside the registry's own Settings
from hypothesis.stateful import run_state_machine_as_test
from pydantic import SecretStr
from tests.examples import TIMES, examples
from tests.integration.model.machine import RegistryMachine
from tests.registry import postgres_catalog, settings_for, sqlite_catalog

from entrepot.settings import Settings

Catalogs = Callable[[], AbstractContextManager[Settings]]


@contextmanager
def _catalog(name: str, template: Any, folder: Path) -> Iterator[Settings]:  # noqa: ANN401  a folder or a URL
    try:
        if name == "sqlite":
            with sqlite_catalog(template, folder):
                yield settings_for(folder)
        else:
            with postgres_catalog(template) as url:
                yield settings_for(folder, database_url=SecretStr(url))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# PostgreSQL takes twice as long, and the steps are the same: what differs by database is under tests of its own too.
RUNS = {"sqlite": 18, "postgres": 8}


@pytest.fixture(params=RUNS)
def catalogs(request: pytest.FixtureRequest, tmp_path: Path) -> Catalogs:
    """Makes a fresh catalog and folder each time: one for each run of the machine."""
    template = request.getfixturevalue(f"{request.param}_template")
    numbers = itertools.count()
    return lambda: _catalog(request.param, template, tmp_path / str(next(numbers)))


@pytest.mark.timeout(600 * TIMES)
def test_whatever_is_done_in_whatever_order_the_registry_holds_what_it_should(
    catalogs: Catalogs, request: pytest.FixtureRequest
) -> None:
    runs = RUNS[request.node.callspec.params["catalogs"]]
    run_state_machine_as_test(
        lambda: RegistryMachine(catalogs),  # pyright: ignore[reportArgumentType]  Hypothesis only calls it
        settings=Examples(examples(runs), stateful_step_count=50),
    )
