import json
import re
from typing import Any

import pytest

from entrepot.arm.problems import WORDINGS, render
from entrepot.errors import Kind, Problem
from entrepot.web.request import Request


async def _never() -> dict[str, object]:
    raise AssertionError


REQUEST = Request({"method": "GET", "path": "/", "query_string": b"", "headers": []}, _never, "the-id")


def error_of(problem: Problem) -> dict[str, Any]:
    return json.loads(render(problem, REQUEST).body)["error"]


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_every_kind_has_a_wording(kind: Kind) -> None:
    wording = WORDINGS[kind]
    assert 400 <= wording.status < 600
    assert re.fullmatch(r"[A-Z][A-Za-z]+", wording.code)
    problem = Problem(kind, allowed="GET") if kind is Kind.METHOD_NOT_ALLOWED else Problem(kind, reason="the reason")
    assert error_of(problem)["message"]


def test_a_failure_of_ours_tells_the_id_under_which_the_log_tells_more() -> None:
    assert "'the-id'" in error_of(Problem(Kind.INTERNAL))["message"]


def test_a_wrong_member_is_the_target_and_a_detail() -> None:
    problem = Problem(Kind.RESOURCE_INVALID, target="sku.name", reason="it is Huge", allowed="Basic, Premium")
    assert error_of(problem) == {
        "code": "InvalidRequestContent",
        "message": "The member 'sku.name' is invalid: it is Huge",
        "target": "sku.name",
        "details": [{"code": "InvalidRequestContent", "message": "Basic, Premium", "target": "sku.name"}],
    }


def test_what_a_problem_says_is_never_read_as_a_template() -> None:
    problem = Problem(Kind.RESOURCE_EXISTS, reason="{client} {0} {")
    assert error_of(problem)["message"] == "{client} {0} {"
