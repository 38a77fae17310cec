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


def test_the_value_of_what_says_that_it_is_secret_is_masked() -> None:
    told_of = {"arguments": [{"name": "A", "value": "hunter2", "isSecret": True}, {"name": "B", "value": "b"}]}
    assert json.loads(told(told_of))["arguments"] == [
        {"name": "A", "value": MASK, "isSecret": True},
        {"name": "B", "value": "b"},
    ]


@pytest.mark.parametrize("user", ["ghp_abc", "me:hunter2", "me:a%40b"])
def test_credentials_in_an_address_are_masked(user: str) -> None:
    assert json.loads(told({"source": f"https://{user}@git.example/app.git#main:src"})) == {
        "source": f"https://{MASK}@git.example/app.git#main:src"
    }


def test_a_detail_that_is_too_long_tells_its_length_alone() -> None:
    detail = json.loads(told({"reason": "a" * DETAIL_LIMIT}))
    assert list(detail) == ["tooLong"]


def test_whatever_a_client_sends_fits_the_columns() -> None:
    origin = Origin(*["\0" + "x" * 5000] * 6)
    row = row_of(Entry(NOW, "a" * 500, "r" * 500, "p" * 500, "t" * 5000, origin))
    texts = {name: value for name, value in row.items() if isinstance(value, str) and name != "detail"}
    assert max(map(len, texts.values())) == 1024
    assert not any("\0" in text for text in texts.values())
