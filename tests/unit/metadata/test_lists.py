from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from entrepot.catalog.properties.model import After, Order
from entrepot.errors import Kind, Problem
from entrepot.metadata.lists import Page
from entrepot.web.request import Message, Request

AT = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
PATH = "/acr/v1/library%2Fbusybox/_tags"


async def nothing() -> Message:
    return {"type": "http.request"}


def page(query: str) -> Page:
    scope = {"method": "GET", "path": "", "raw_path": PATH.encode(), "query_string": query.encode(), "headers": []}
    return Page.of(Request(scope, nothing, "id"))


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", Order.NAME),
        ("none", Order.NAME),
        ("None", Order.NAME),
        ("timeasc", Order.OLDEST_FIRST),
        ("timedesc", Order.NEWEST_FIRST),
        ("TimeDesc", Order.NEWEST_FIRST),
    ],
)
def test_an_order_is_read_whatever_its_case(text: str, order: Order) -> None:
    assert page(f"orderby={text}").after == After(order)


@pytest.mark.parametrize(
    "text",
    ["time", "name", "time_desc", "timeasc,timedesc", "\u0130", "x" * 5000, "%00"],
    ids=lambda text: repr(text)[:16],
)
def test_an_order_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Problem) as raised:
        page(f"orderby={quote(text, safe='%')}")
    assert raised.value.kind is Kind.REQUEST_INVALID


def test_a_page_without_a_size_has_a_hundred_entries_and_none_has_more_than_a_thousand() -> None:
    assert [page(query).asked.size for query in ("", "n=0", "n=7", "n=1001", "n=99999999")] == [100, 0, 7, 1000, 1000]


def test_the_next_page_is_asked_for_under_the_path_as_the_client_wrote_it() -> None:
    name, value = page("n=2").next("v1")
    assert (name, value) == (
        b"link",
        b'</acr/v1/library%2Fbusybox/_tags?last=v1&n=2&orderby=>; rel="next"',
    )
    assert page("n=2").next("sha256:22")[1].startswith(b"</acr/v1/library%2Fbusybox/_tags?last=sha256%3A22&n=2&")


def test_the_next_page_of_an_order_by_time_says_where_the_last_entry_stood() -> None:
    _, value = page("n=2&orderby=timedesc").next("v1", AT, "&digest=sha256:aa")
    query = value.decode().partition("?")[2].partition(">")[0]
    assert query == "last=v1&n=2&orderby=timedesc&digest=sha256:aa&at=1714979289123456"
    assert page(query).after == After(Order.NEWEST_FIRST, "v1", AT)


@pytest.mark.parametrize(
    "text", ["", "x", "1.5", "9" * 18, "9" * 100, "9" * 5000, "-" + "9" * 30, "%00"], ids=lambda text: text[:12]
)
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Problem) as raised:
        page(f"orderby=timeasc&last=a&at={text}")
    assert raised.value.kind is Kind.PAGE_INVALID
