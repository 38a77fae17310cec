"""A registry for each test, on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest
from tests.integration.retention.world import World, opened_world

from entrepot.settings import Settings


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    with opened_world(settings) as world:
        yield world
