import pytest
from tests.unit.tasks.execution.recording import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
