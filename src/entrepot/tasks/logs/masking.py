"""Secrets in a stream of bytes become ``***``, also where they are split over chunks, or encoded."""

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = b"***"
# What is shorter is in every other word, and no secret.
SHORTEST: Final = 4
# Characters of a Base64 text that hang on what stands before and after: a shorter rest would be found by chance.
_SHORTEST_ENCODED: Final = 8


class Masker:
    """For one stream, in order. What could be the beginning of a secret is held back until it is known."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._patterns: list[bytes] = []
        self._any: re.Pattern[bytes] | None = None
        self._held = b""
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """From now on these are secrets too."""
        patterns = {form for secret in secrets for form in _forms(secret)}.union(self._patterns)
        # The longest first, so that nothing of it is left where a shorter one is within it.
        self._patterns = sorted(patterns, key=len, reverse=True)
        self._any = re.compile(b"|".join(map(re.escape, self._patterns))) if patterns else None

    def mask(self, chunk: bytes) -> bytes:
        """What can be shown by now."""
        if self._any is None:
            return chunk
        seen = self._any.sub(MASK, self._held + chunk)
        held = max((_begun(seen, pattern) for pattern in self._patterns), default=0)
        self._held = seen[len(seen) - held :]
        return seen[: len(seen) - held]

    @property
    def longest(self) -> int:
        """Bytes of the longest form of a secret."""
        return len(self._patterns[0]) if self._patterns else 0

    def mask_end(self, text: bytes) -> bytes:
        """The same of a text whose beginning is missing, to its end: without what may be the rest of a secret."""
        if self._any is None:
            return text
        start = self.longest - 1
        for match in self._any.finditer(text):
            if match.start() >= start:
                break
            start = max(start, match.end())
        return self._any.sub(MASK, text[start:])

    def end(self) -> bytes:
        """What was held back: it was no secret."""
        held, self._held = self._held, b""
        return held


def _forms(secret: str) -> Iterator[bytes]:
    """The secret, its lines, as addresses have it, and what Base64 makes of it wherever in a text it begins."""
    for text in {secret, *secret.splitlines()}:
        raw = text.encode()
        if len(text.strip()) < SHORTEST:
            continue
        yield raw
        # As addresses have it: docker's own errors tell those that it called, with build arguments in them.
        for escaped in {quote(text, safe=""), quote_plus(text)} - {text}:
            yield escaped.encode()
        for before in range(3):
            # Each character is six bits: those that hold bits of a neighbour are left out.
            encoded = base64.b64encode(bytes(before) + raw).rstrip(b"=")
            first = -(-before * 8 // 6)
            inner = encoded[first : (before + len(raw)) * 8 // 6]
            if len(inner) >= _SHORTEST_ENCODED:
                yield inner
                yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def _begun(seen: bytes, pattern: bytes) -> int:
    """How many bytes at the end could be the beginning of the pattern."""
    at = max(0, len(seen) - len(pattern) + 1)
    while (at := seen.find(pattern[:1], at)) >= 0:
        if pattern.startswith(seen[at:]):
            return len(seen) - at
        at += 1
    return 0
