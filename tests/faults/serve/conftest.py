"""A server for each test here: they end it, or take something away from it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.services import Registry, entrepot


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def server(data_dir: Path) -> Iterator[Registry]:
    with entrepot(data_dir, "--workers", "2") as registry:
        yield registry
