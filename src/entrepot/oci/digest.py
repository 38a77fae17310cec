"""Digests: addresses of content.

Spec: OCI image-spec, descriptor.md, "Digests". Of the registered algorithms those that the standard library has.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, Self

from entrepot.errors import Kind, Problem


class Hash(Protocol):
    """A running hash of the standard library, which has no public name for its type."""

    @property
    def name(self) -> str:
        """The algorithm."""
        ...

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take the next bytes."""
        ...

    def copy(self) -> Self:
        """A running hash of the same bytes, to go on with apart."""
        ...

    def hexdigest(self) -> str:
        """The value so far, in lower-case hex."""
        ...


ALGORITHMS: Final[dict[str, Callable[..., Hash]]] = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
CANONICAL: Final = "sha256"

_DIGEST: Final = re.compile(r"(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")


@dataclass(frozen=True, slots=True)
class Digest:
    """An algorithm and the lower-case hex of its value."""

    algorithm: str
    encoded: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises DIGEST_INVALID for an unknown algorithm, a wrong length or anything but lower-case hex."""
        if _DIGEST.fullmatch(text) is None:
            raise Problem(Kind.DIGEST_INVALID, digest=text[:256], supported=", ".join(ALGORITHMS))
        algorithm, _, encoded = text.partition(":")
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, content: bytes, algorithm: str = CANONICAL) -> Self:
        """The digest of the content, hashed here."""
        return cls(algorithm, ALGORITHMS[algorithm](content).hexdigest())

    def hasher(self) -> Hash:
        """A fresh running hash of this digest's algorithm."""
        return ALGORITHMS[self.algorithm]()

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


def parse_algorithm(text: str) -> str:
    """A supported algorithm's name. Raises DIGEST_INVALID."""
    if text not in ALGORITHMS:
        raise Problem(Kind.DIGEST_INVALID, algorithm=text[:64], supported=", ".join(ALGORITHMS))
    return text
