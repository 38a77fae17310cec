"""How the whole suite is spread over workers; fixtures live in the nearest folder's conftest."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Several workers share the machine, so how long an example takes says nothing.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

TESTS = Path(__file__).parent
# Folders whose tests start servers and clients: minutes, not milliseconds. The longest come first.
SLOW = ("e2e", "faults", "contract")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests start first, or one worker would end alone; a slow file shares its servers, so it stays in one worker.

    pytest-randomly has shuffled before this; the sort is stable, so the order stays random inside each folder. A test
    that wants another group says so with ``@pytest.mark.xdist_group``.
    """
    for item in items:
        if _rank(item) < len(SLOW) and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(TESTS).as_posix()))
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    folder = item.path.relative_to(TESTS).parts[0]
    return SLOW.index(folder) if folder in SLOW else len(SLOW)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The server runs on asyncio with uvloop, and so do asynchronous tests."""
    return "asyncio", {"use_uvloop": True}
