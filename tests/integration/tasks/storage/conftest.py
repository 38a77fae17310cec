"""The storage of the registry ``local``."""

import pytest
from tests.integration.tasks.storage.account import Account
from tests.registry import Registry


@pytest.fixture
def account(registry: Registry) -> Account:
    return Account(registry)
