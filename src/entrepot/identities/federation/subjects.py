"""Which subjects a credential accepts: one, or those of a pattern.

A subject is read as segments between ``/`` and ``:``, as every vendor writes it (``repo:org/app:ref:refs/heads/main``,
``system:serviceaccount:team:builder``, ``spiffe://example.org/ns/team``). In a pattern ``*`` stands for any number of
characters of one segment, so it never reaches into a part that somebody else may choose, and ``**`` at the end stands
for one or more whole segments.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from entrepot.identities.federation.model import Claims

_SEPARATORS: Final = re.compile("([/:])")
_REST: Final = "**"
# An issuer may serve the whole world: "repo:*" would let every repository of GitHub in.
_LITERAL_SEGMENTS: Final = 2


@dataclass(frozen=True, slots=True)
class ExactSubject:
    """This subject and no other."""

    text: str

    def accepts(self, claims: Claims) -> bool:
        return claims.subject == self.text


@dataclass(frozen=True, slots=True)
class SubjectPattern:
    """The subjects with these segments."""

    text: str
    parts: tuple[str, ...]  # segments and the separators between them

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError, which says what is wrong."""
        parts = tuple(_SEPARATORS.split(text))
        if "*" not in text:
            raise ValueError("the pattern has no *; use an exact match")
        if any(_REST in part for part in parts[:-1]) or (_REST in parts[-1] and parts[-1] != _REST):
            raise ValueError("** may only be the whole last segment")
        if not names_enough(text, "*"):
            raise ValueError("the first two segments of a pattern must be written out, such as repo:OWNER/*")
        return cls(text, parts)

    def accepts(self, claims: Claims) -> bool:
        found = _SEPARATORS.split(claims.subject)
        if self.parts[-1] == _REST:
            first = len(self.parts) - 1
            return any(found[first:]) and self._fit(self.parts[:first], found[:first])
        return self._fit(self.parts, found)

    @staticmethod
    def _fit(wanted: tuple[str, ...], found: list[str]) -> bool:
        return len(wanted) == len(found) and all(_segment_fits(*pair) for pair in zip(wanted, found, strict=True))


def names_enough(pattern: str, wildcards: str) -> bool:
    """Does the pattern write its first two segments out, empty ones not counted?"""
    literal = re.split(f"[{wildcards}]", pattern, maxsplit=1)[0]
    if literal == pattern:
        return True
    # What stands between the last separator and the wildcard is not a whole segment.
    complete = _SEPARATORS.split(literal)[:-1]
    return len([part for part in complete if part not in {"", "/", ":"}]) >= _LITERAL_SEGMENTS


def glob(pattern: str, text: str, *, single: str = "") -> bool:
    """Does the text fit, where ``*`` is any number of characters, and ``single`` (if there is one) is one?

    Steps back to the last ``*`` only, so a pattern of many cannot be made slow.
    """
    at = read = mark = 0
    star = -1
    while read < len(text):
        wanted = pattern[at : at + 1]
        if wanted == "*":
            star, mark, at = at, read, at + 1
        elif wanted and wanted in {text[read], single}:
            at, read = at + 1, read + 1
        elif star >= 0:
            at, mark, read = star + 1, mark + 1, mark + 1
        else:
            return False
    return not pattern[at:].strip("*")


def _segment_fits(wanted: str, found: str) -> bool:
    """A segment that is left empty is never meant by a wildcard."""
    return wanted == found if "*" not in wanted else bool(found) and glob(wanted, found)
