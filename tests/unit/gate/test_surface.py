from typing import Any

import pytest

from entrepot.access.model import Member, Public
from entrepot.errors import Problem
from entrepot.gate.call import Call, Surface, SurfaceRoute
from entrepot.gate.passage import Passage
from entrepot.gate.problems import render
from entrepot.web.answer import Answer
from entrepot.web.routing import Route, RouteTable


async def handler(_call: Call, _parts: None) -> Answer:
    return Answer(200)


class Nowhere:
    """Admits nobody, and knows one kind of access."""

    accesses = (Public,)

    async def admit(self, passage: Passage) -> Call:
        raise NotImplementedError

    def challenge(self, passage: Passage, problem: Problem) -> None:
        """None."""


def surface(*access: Any) -> Surface[Call, None]:  # noqa: ANN401  what no row should hold is the point
    routes: list[SurfaceRoute[None]] = [Route("GET", f"/{number}", handler, one) for number, one in enumerate(access)]
    return Surface("test", RouteTable(routes), Nowhere(), None, render)


@pytest.mark.parametrize("access", [None, "", "pull", True, Public, object(), Member("not one that it knows")])
def test_an_application_with_a_route_that_does_not_say_who_may_is_not_built(access: object) -> None:
    with pytest.raises(TypeError, match="GET /1 of test does not say who may"):
        surface(Public("a row as it should be"), access)


def test_a_row_without_access_cannot_be_written() -> None:
    with pytest.raises(TypeError):
        Route("GET", "/", handler)  # pyright: ignore[reportCallIssue]  that it cannot is the point
