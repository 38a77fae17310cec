"""Pages of a list: which one a client asks for, and the link to the next. Spec: distribution "Pagination", RFC 8288."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from entrepot.errors import Kind, Problem
from entrepot.web.answer import header
from entrepot.web.request import Request

_NUMBER_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Asked:
    """The page that a client asks for: after ``last``, at most ``size`` entries."""

    last: str
    size: int


def asked_page(request: Request, default: int, limit: int) -> Asked:
    """Raises PAGE_INVALID. More than ``limit`` is cut to it: an unbounded n is CVE-2023-2253."""
    text = request.query("n")
    last = request.query("last") or ""
    if text is not None and not (text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS):
        raise Problem(Kind.PAGE_INVALID, n=text[:64])
    if "\0" in last:
        raise Problem(Kind.PAGE_INVALID, reason="last holds a NUL")
    return Asked(last, default if text is None else min(int(text), limit))


def next_link(path: str, asked: Asked, last: str, extra: str = "") -> tuple[bytes, bytes]:
    """``path`` and ``extra`` (``&name=value``) are percent-encoded already."""
    return header(b"link", f'<{path}?last={quote(last, safe="")}&n={asked.size}{extra}>; rel="next"')
