"""The owner's client of the management API."""

import pytest
from tests.management import Management, management
from tests.registry import Registry


@pytest.fixture
async def arm(registry: Registry) -> Management:
    return await management(registry)
