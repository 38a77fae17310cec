"""Every kind of problem in the words of Blob Storage."""

import re
import xml.etree.ElementTree as ET

import pytest

from entrepot.errors import Kind, Problem
from entrepot.tasks.storage.problems import render
from entrepot.web.request import Request


async def _never() -> dict[str, object]:
    raise AssertionError


REQUEST = Request({"method": "GET", "path": "/", "query_string": b"", "headers": []}, _never, "the-id")


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_every_kind_has_a_status_and_a_code(kind: Kind) -> None:
    answer = render(Problem(kind, allowed="GET", length=7, limit=5, reason="it <is> so & not otherwise"), REQUEST)
    headers = dict(answer.headers)
    code = headers[b"x-ms-error-code"].decode()
    assert 400 <= answer.status < 600
    assert re.fullmatch("[A-Za-z]+", code)
    error = ET.fromstring(answer.body)  # noqa: S314  our own
    assert (error.tag, error.findtext("Code")) == ("Error", code)
    assert (error.findtext("Message") or "").endswith("RequestId:the-id")


def test_a_range_beyond_the_end_tells_the_length() -> None:
    answer = render(Problem(Kind.RANGE_INVALID, length=7), REQUEST)
    assert (answer.status, dict(answer.headers)[b"content-range"]) == (416, b"bytes */7")


def test_a_signature_that_does_not_match_is_no_challenge_to_sign_in() -> None:
    answer = render(Problem(Kind.UNAUTHENTICATED, reason="so"), REQUEST)
    assert (answer.status, dict(answer.headers)[b"x-ms-error-code"]) == (403, b"AuthenticationFailed")


def test_a_reason_is_told_as_text() -> None:
    answer = render(Problem(Kind.REQUEST_INVALID, reason="<b>&"), REQUEST)
    assert b"&lt;b&gt;&amp;" in answer.body
