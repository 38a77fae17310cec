"""Signed URLs: what opens, and everything else that does not."""

from datetime import UTC, datetime, timedelta

import pytest

from entrepot.access.sealing import Sealer
from entrepot.errors import Kind, Problem
from entrepot.tasks.storage.signing import Signer
from entrepot.web.request import Request

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
PATH = "/blob/source/one.tar.gz"
SEALER = Sealer(b"k" * 32)
SIGNER = Signer.of(SEALER)
QUERY = SIGNER.query(PATH, "rw", NOW + HOUR)


async def _never() -> dict[str, object]:
    raise AssertionError


def asked(query: str, path: str = PATH) -> Request:
    scope = {"method": "GET", "path": path, "query_string": query.encode("utf-8", "surrogateescape"), "headers": []}
    return Request(scope, _never, "the-id")


def refusal(query: str, permission: str = "r", now: datetime = NOW, path: str = PATH) -> Kind:
    with pytest.raises(Problem) as refused:
        SIGNER.check(asked(query, path), permission, now)
    return refused.value.kind


def changed(name: str, value: str) -> str:
    fields = dict(field.split("=", 1) for field in QUERY.split("&"))
    assert name in fields
    return "&".join(f"{key}={text}" for key, text in {**fields, name: value}.items())


def test_a_url_opens_what_it_was_signed_for_until_its_time_is_over() -> None:
    for permission in "rw":
        SIGNER.check(asked(QUERY), permission, NOW + HOUR - SECOND)
    assert refusal(QUERY, now=NOW + HOUR) is Kind.UNAUTHENTICATED


def test_what_a_client_adds_before_or_after_and_any_order_changes_nothing() -> None:
    SIGNER.check(asked(f"comp=block&blockid=QUJD&{QUERY}"), "w", NOW)
    SIGNER.check(asked("&".join(reversed(QUERY.split("&")))), "w", NOW)


def test_every_server_with_the_deployments_key_signs_alike_and_no_other() -> None:
    Signer.of(Sealer(b"k" * 32)).check(asked(QUERY), "r", NOW)
    other = Signer.of(Sealer(b"K" * 32)).query(PATH, "rw", NOW + HOUR)
    assert refusal(other) is Kind.UNAUTHENTICATED


def test_the_key_is_derived_for_this_purpose() -> None:
    assert SEALER.derive("one purpose") != SEALER.derive("another")
    assert b"k" * 32 not in {SEALER.derive("one purpose"), SIGNER.key}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sp", "rwd"),
        ("sp", "w"),
        ("se", "2034-05-06T08%3A08%3A09Z"),
        ("sr", "c"),
        ("sv", "2015-04-05"),
        ("sig", ""),
        ("sig", "AAAA"),
        ("sig", "%FF%FE"),
        ("sig", "%C3%A4"),
    ],
)
def test_nothing_of_it_can_be_changed(name: str, value: str) -> None:
    with pytest.raises(Problem) as refused:
        SIGNER.check(asked(changed(name, value)), "r", NOW)
    # What is not UTF-8 is no query at all.
    assert refused.value.kind is (Kind.REQUEST_INVALID if "FF" in value else Kind.UNAUTHENTICATED)


@pytest.mark.parametrize("left_out", ["sv", "sr", "sp", "se", "sig"])
def test_nothing_of_it_can_be_left_out(left_out: str) -> None:
    query = "&".join(field for field in QUERY.split("&") if not field.startswith(f"{left_out}="))
    assert refusal(query) is Kind.UNAUTHENTICATED
    assert refusal("") is Kind.UNAUTHENTICATED


@pytest.mark.parametrize(
    "path", ["/blob/source/two.tar.gz", "/blob/source/ONE.tar.gz", f"{PATH}/", "/blob/logs/one.log"]
)
def test_it_opens_no_other_path(path: str) -> None:
    assert refusal(QUERY, path=path) is Kind.UNAUTHENTICATED


def test_a_line_break_in_one_value_makes_no_other_url() -> None:
    moved = changed("sp", "rw%0A2024-05-06T08:08:09Z")
    assert refusal(moved) is Kind.UNAUTHENTICATED


def test_a_url_to_read_with_writes_nothing() -> None:
    reading = SIGNER.query(PATH, "r", NOW + HOUR)
    SIGNER.check(asked(reading), "r", NOW)
    assert refusal(reading, "w") is Kind.UNAUTHORIZED
    assert refusal(SIGNER.query(PATH, "w", NOW + HOUR), "r") is Kind.UNAUTHORIZED


def test_the_query_has_only_what_clients_keep() -> None:
    assert [field.partition("=")[0] for field in QUERY.split("&")] == ["sv", "sr", "sp", "se", "sig"]
    assert "+" not in QUERY
    assert "/" not in QUERY


def test_the_key_is_not_shown() -> None:
    assert repr(SIGNER) == "Signer()"
