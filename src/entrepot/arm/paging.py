"""Pages of a collection and the link to the next one. Spec: Azure Resource Manager, "Collections", ``nextLink``."""

import base64
from typing import Final
from urllib.parse import urlencode

from entrepot.arm.descriptor import PAGE_LIMIT, Page
from entrepot.errors import Kind, Problem
from entrepot.web.request import Request, parse_number

_KEPT: Final = ("api-version", "$filter", "$select", "$top", "$expand")


def page_asked(request: Request) -> Page:
    """Raises PAGE_INVALID."""
    top, token = request.query("$top"), request.query("$skiptoken")
    limit = PAGE_LIMIT if top is None else min(_number(top), PAGE_LIMIT)
    return Page("" if token is None else _after(token), limit)


def top_left(request: Request, shown: int) -> int | None:
    """How many more are wanted after these, where ``$top`` is said of the whole list; None where it is not said."""
    top = request.query("$top")
    return None if top is None else max(0, _number(top) - shown)


def next_link(origin: str, request: Request, last: str, top: int | None = None) -> str:
    """The same request, from behind the document of this name on; ``top``: in place of its ``$top``."""
    kept = [(name, value) for name in _KEPT if (value := request.query(name)) is not None]
    if top is not None:
        kept = [(name, str(top) if name == "$top" else value) for name, value in kept]
    token = base64.urlsafe_b64encode(last.encode()).decode()
    return f"{origin}{request.path}?{urlencode([*kept, ('$skiptoken', token)])}"


def _number(text: str) -> int:
    try:
        number = parse_number(text, "$top")
    except Problem:
        number = 0
    if number < 1:
        raise Problem(Kind.PAGE_INVALID, reason="'$top' is a number of 1 or more.")
    return number


def _after(token: str) -> str:
    try:
        after = base64.b64decode(token, b"-_", validate=True).decode()
    except ValueError:
        after = "\0"
    if "\0" in after:
        raise Problem(Kind.PAGE_INVALID, reason="'$skiptoken' is the one of a nextLink.")
    return after
