"""``$filter``: the comparisons that clients send, joined by ``and``. Spec: OData 4.01, "URL Conventions", 5.1.1.

Strict: what is not in the table of the collection is an error that says what is, never a list of everything.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from entrepot.errors import Kind, Problem

FILTER_LIMIT: Final = 4096

_TEXT: Final = r"'((?:[^']|'')*)'"
_AND: Final = re.compile(r"\s+and\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison: ``what`` is the pattern's name, ``value`` the text in its quotes."""

    what: str
    value: str = ""


def equals(member: str) -> str:
    """``member eq 'text'``"""
    return rf"{re.escape(member)}\s+eq\s+{_TEXT}"


def starts_with(member: str) -> str:
    """``startswith(member,'text')``"""
    return rf"startswith\(\s*{re.escape(member)}\s*,\s*{_TEXT}\s*\)"


def any_equals(member: str) -> str:
    """``member/any(x:x eq 'text')``"""
    return rf"{re.escape(member)}/any\(\s*(?P<v>\w+)\s*:\s*(?P=v)\s+eq\s+'(?P<text>(?:[^']|'')*)'\s*\)"


def call_of(name: str) -> str:
    """``name()``, or ``name('text')`` where it takes one."""
    return rf"{re.escape(name)}\(\s*(?:{_TEXT})?\s*\)"


def parse_filter(text: str | None, allowed: Mapping[str, str]) -> tuple[Term, ...]:
    """The terms, all of which must hold. ``allowed``: patterns by the names that terms get. Raises REQUEST_INVALID."""
    if text is None or not text.strip():
        return ()
    if len(text) > FILTER_LIMIT:
        raise Problem(Kind.REQUEST_INVALID, reason=f"$filter has more than {FILTER_LIMIT} characters")
    return tuple(_terms(text.strip(), allowed))


def _terms(text: str, allowed: Mapping[str, str]) -> Iterator[Term]:
    at = 0
    while True:
        name, match = _term(text, at, allowed)
        groups = match.groupdict()
        value = groups.get("text") or next((found for found in match.groups() if found), "")
        yield Term(name, value.replace("''", "'"))
        if match.end() == len(text):
            return
        joined = _AND.match(text, match.end())
        if joined is None:
            raise _unreadable(text, allowed)
        at = joined.end()


def _term(text: str, at: int, allowed: Mapping[str, str]) -> tuple[str, re.Match[str]]:
    for name, pattern in allowed.items():
        match = re.compile(pattern, re.IGNORECASE).match(text, at)
        if match is not None:
            return name, match
    raise _unreadable(text, allowed)


def _unreadable(text: str, allowed: Mapping[str, str]) -> Problem:
    return Problem(
        Kind.REQUEST_INVALID,
        code="InvalidFilterInQueryString",
        reason=f"the $filter {text[:200]!r} is none that is supported here: {', '.join(allowed)}, joined by 'and'",
    )
