"""A server whose data folder is a small file system of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.plain import Repository, plain_server, repository_of
from tests.faults.storage.volume import Volume, volume
from tests.services import Registry, reserved_port

SIZE = 32 * 1024 * 1024
IMPATIENT = ("--gc-unlinked-grace-seconds", "1", "--gc-condemn-seconds", "1", "--gc-retire-seconds", "1")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Volume]:
    if "CI" not in os.environ and os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    with volume(tmp_path / "data", SIZE) as mounted:
        yield mounted


@pytest.fixture
def server(disk: Volume) -> Iterator[Registry]:
    """Its metrics too lie on the disk, and it collects at once."""
    with (
        reserved_port() as metrics,
        plain_server(disk.path, "--workers", "1", "--metrics-port", str(metrics), *IMPATIENT) as registry,
    ):
        yield registry


@pytest.fixture
def app(server: Registry) -> Iterator[Repository]:
    with repository_of(server) as repository:
        yield repository
