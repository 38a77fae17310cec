"""Filters as ``acr purge`` writes them, REPOSITORY:TAG, each part a regular expression that fits the whole name.

RE2 takes time linear in the name whatever the expression, and bounded memory; so it knows no look-around and no back
references.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

import re2 as _re2

from entrepot.errors import Kind, Problem
from entrepot.oci.filters import split_filter

FILTERS_LIMIT: Final = 50
_LENGTH: Final = 256
_MEMORY: Final = 1 << 20
re2: Final[Any] = _re2  # it has no types


class Pattern(Protocol):
    """Of RE2's, which has no types."""

    def fullmatch(self, text: str) -> Any: ...  # noqa: ANN401  only asked whether there is one


@dataclass(frozen=True, slots=True)
class Filter:
    """The tags with such names in the repositories with such names."""

    repository: Pattern
    tag: Pattern


def parse_filter(text: str, member: str) -> Filter:
    """Raises RESOURCE_INVALID."""
    parts = split_filter(text)
    if parts is None:
        reason = "a filter is REPOSITORY:TAG, two regular expressions with one colon between them"
        raise Problem(Kind.RESOURCE_INVALID, target=member, reason=reason)
    repository, tag = (_compiled(part, member) for part in parts)
    return Filter(repository, tag)


def _compiled(text: str, member: str) -> Pattern:
    if len(text) > _LENGTH or not text.isascii() or not text.isprintable():
        reason = f"an expression has at most {_LENGTH} printable ASCII characters"
        raise Problem(Kind.RESOURCE_INVALID, target=member, reason=reason)
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    options.never_capture = True
    try:
        return re2.compile(text, options)
    except re2.error as error:
        told: bytes = error.args[0]
        reason = f"RE2 does not read the expression: {told.decode(errors='replace')[:200]}"
        raise Problem(Kind.RESOURCE_INVALID, target=member, reason=reason) from None
