"""The pages of the management API and of Graph, printed from their rows; ``reference`` puts them with the others."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from entrepot.access.model import Access, Member, Operation, Public
from entrepot.app.management import RESOURCES
from entrepot.arm.problems import WORDINGS
from entrepot.arm.reading import page, printed
from entrepot.arm.surface import rows
from entrepot.errors import Kind
from entrepot.identities.graph.routes import ROUTES as GRAPH
from entrepot.web.routing import Route

_HEAD: Final = ("| method | path | who may | what it does |", "|---|---|---|---|")


def management_page(printed: str) -> str:
    lines = ["# Management API and Graph", "", printed]
    lines += ["Paths are the same in any case. `openapi.json` beside this page has the bodies.", ""]
    lines += ["## Management API", "", *_HEAD, *_rows(rows(RESOURCES)), ""]
    lines += ["## Microsoft Graph", "", *_HEAD, *_rows(GRAPH), ""]
    lines += ["## Errors of the management API", "", "| kind | status | code | message |", "|---|---|---|---|"]
    for kind in sorted(Kind, key=lambda kind: kind.name):
        status, code, message = WORDINGS[kind]
        lines.append(f"| {kind.name} | {status} | `{code}` | {message} |")
    return "\n".join([*lines, ""])


def _rows(routes: Iterable[Route[Any, Access]]) -> Iterator[str]:
    for route in routes:
        summary = (route.handler.__doc__ or "").strip().partition("\n")[0]
        yield f"| {route.method} | `{route.path}` | {_who(route.access)} | {summary} |"


def _who(access: Access) -> str:
    match access:
        case Public(reason=reason):
            return f"everyone: {reason}"
        case Member(reason=reason):
            return f"everyone of the directory: {reason}"
        case Operation(name=name):
            return f"`{name}`"
        case _:
            raise AssertionError(access)


def openapi_document() -> str:
    return printed(RESOURCES)


def openapi_page() -> str:
    return page(RESOURCES)
