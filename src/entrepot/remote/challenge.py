"""What a registry asks for when it answers 401. Spec: RFC 9110 section 11.6.1, RFC 6750 section 3."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_LENGTH: Final = 8192
_WORD: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_GAP: Final = frozenset(", \t")
# An auth-param, or the name of a scheme.
_PART: Final = re.compile(
    rf'(?P<name>{_WORD})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>{_WORD}))'
    rf"|(?P<scheme>{_WORD})(?=[\s,]|$)"
)
_ESCAPED: Final = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """A scheme and its parameters, names of both in lower case."""

    scheme: str
    params: Mapping[str, str]


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Those of every ``WWW-Authenticate`` line, in order. What cannot be read is left out."""
    found: list[Challenge] = []
    for header in headers:
        found += _parse(header[:_LENGTH])
    return found


def _parse(header: str) -> list[Challenge]:
    found: list[tuple[str, dict[str, str]]] = []
    at = 0
    while at < len(header):
        if header[at] in _GAP:
            at += 1
            continue
        part = _PART.match(header, at)
        if part is None:  # a token68, or nothing that there is a word for: the next comma ends it
            comma = header.find(",", at)
            at = len(header) if comma < 0 else comma + 1
            continue
        at = part.end()
        if part["scheme"] is not None:
            found.append((part["scheme"].lower(), {}))
        elif found:
            value = part["plain"] if part["quoted"] is None else _ESCAPED.sub(r"\1", part["quoted"])
            found[-1][1].setdefault(part["name"].lower(), value)
    return [Challenge(scheme, params) for scheme, params in found]
