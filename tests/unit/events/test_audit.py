"""What an entry tells, and what it never tells."""

import json
from datetime import UTC, datetime

import pytest

from entrepot.events.audit import DETAIL_LIMIT, MASK, Entry, Origin, row_of, told

NOW = datetime(2024, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        *("password", "password1", "passwords", "clientSecret", "client_secret", "secretText", "refresh_token"),
        *("accessToken", "client_assertion", "assertion", "Authorization", "privateKey", "totp", "customHeaders"),
    ],
)
def test_what_is_a_secret_by_its_name_is_masked_however_deep(name: str) -> None:
    detail = json.loads(told({"after": [{name: "hunter2"}], "before": {"properties": {name: {"value": "hunter2"}}}}))
    assert detail == {"after": [{name: MASK}], "before": {"properties": {name: MASK}}}


@pytest.mark.parametrize("name", ["tags", "jti", "scopes", "tokenId", "status", "size", "principalId"])
def test_what_is_no_secret_is_told(name: str) -> None:
    assert json.loads(told({name: "value"})) == {name: "value"}


def test_a_detail_that_is_too_long_tells_its_length_alone() -> None:
    detail = json.loads(told({"reason": "a" * DETAIL_LIMIT}))
    assert list(detail) == ["tooLong"]


def test_whatever_a_client_sends_fits_the_columns() -> None:
    origin = Origin(*["\0" + "x" * 5000] * 6)
    row = row_of(Entry(NOW, "a" * 500, "r" * 500, "p" * 500, "t" * 5000, origin))
    texts = {name: value for name, value in row.items() if isinstance(value, str) and name != "detail"}
    assert max(map(len, texts.values())) == 1024
    assert not any("\0" in text for text in texts.values())
