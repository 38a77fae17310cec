"""az, signed in once for each worker; each test has a copy of that sign-in."""

from pathlib import Path

import pytest
from tests.e2e.az.cli import Az, az_for, sign_in
from tests.e2e.clients import shell_in
from tests.services import Registry


@pytest.fixture(scope="session")
def owners_az(server: Registry, tmp_path_factory: pytest.TempPathFactory) -> Az:
    az = az_for(server, shell_in(tmp_path_factory.mktemp("az")))
    sign_in(az, server.user, server.password)
    return az


@pytest.fixture
def az(owners_az: Az, tmp_path: Path) -> Az:
    return owners_az.elsewhere(tmp_path / "azure")
