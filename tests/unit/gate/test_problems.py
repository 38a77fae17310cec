import re

import msgspec
import pytest

from entrepot.errors import Kind, Problem
from entrepot.gate.problems import WORDINGS, render
from entrepot.web.request import Request

# distribution-spec "Error Codes", and what ACR adds to them (ACR-REFERENCE 3.5).
SPECIFIED = {
    *("BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN"),
    *("MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED", "DENIED"),
    *("UNSUPPORTED", "TOOMANYREQUESTS"),
}
ADDED = {
    *("PAGINATION_NUMBER_INVALID", "RANGE_INVALID", "REGISTRY_DISALLOWED_OPERATION", "TAG_INVALID"),
    *("UNAVAILABLE", "UNKNOWN"),
}


async def _never() -> dict[str, object]:
    raise AssertionError


REQUEST = Request({"method": "GET", "path": "/", "query_string": b"", "headers": []}, _never, "the-id")


def problem_of(kind: Kind) -> Problem:
    """With what its wording needs."""
    return Problem(kind, allowed="GET") if kind is Kind.METHOD_NOT_ALLOWED else Problem(kind)


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_every_kind_has_a_wording(kind: Kind) -> None:
    wording = WORDINGS[kind]
    assert 400 <= wording.status < 600
    assert wording.code in SPECIFIED | ADDED
    assert re.fullmatch(r"[A-Z_]+", wording.code)
    assert wording.message


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_every_kind_is_rendered_in_the_specified_form(kind: Kind) -> None:
    answer = render(problem_of(kind), REQUEST)
    body = msgspec.json.decode(answer.body)
    assert set(body) == {"errors"}
    assert body["errors"][0]["code"] == WORDINGS[kind].code


def test_no_wording_is_left_from_a_kind_that_went() -> None:
    assert set(WORDINGS) == set(Kind)


def test_our_own_failure_tells_its_id_and_nothing_else() -> None:
    body = render(Problem(Kind.INTERNAL, secret="path and reason"), REQUEST).body
    assert b"the-id" in body
    assert b"secret" not in body


@pytest.mark.parametrize("kind", [Kind.CATALOG_UNAVAILABLE, Kind.STORAGE_UNAVAILABLE, Kind.TOO_MANY_REQUESTS])
def test_what_may_be_tried_again_says_when(kind: Kind) -> None:
    assert dict(render(Problem(kind), REQUEST).headers)[b"retry-after"] == b"1"
    assert dict(render(Problem(kind, retry_after=7), REQUEST).headers)[b"retry-after"] == b"7"


def test_a_range_that_cannot_be_met_is_told_the_length() -> None:
    answer = render(Problem(Kind.RANGE_INVALID, length=10), REQUEST)
    assert dict(answer.headers)[b"content-range"] == b"bytes */10"
