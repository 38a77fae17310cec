"""What a token says once it is verified, and why one is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

_SHOWN: Final = 300


class Reason(Enum):
    """Why an assertion is refused. The mismatches have the numbers that Entra gives them."""

    TOKEN_TOO_LARGE = auto()
    TOKEN_MALFORMED = auto()
    ALGORITHM_REFUSED = auto()
    KEY_UNKNOWN = auto()
    SIGNATURE_INVALID = auto()
    EXPIRED = auto()
    NOT_YET_VALID = auto()
    ISSUER_UNREACHABLE = auto()
    ISSUER_INVALID = auto()
    ISSUER_MISMATCH = "AADSTS700211"
    AUDIENCE_MISMATCH = "AADSTS700212"
    SUBJECT_MISMATCH = "AADSTS700213"


class AssertionRefused(Exception):
    """A token that is not accepted. ``text`` is for whoever sent it, ``detail`` for the operator and the audit log."""

    def __init__(self, reason: Reason, text: str, detail: str = "") -> None:
        super().__init__(reason, text, detail)  # all, so that it can be pickled
        self.reason = reason
        self.text = text
        self.detail = detail

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Claims:
    """A verified token. ``texts`` has every claim that is a text, also ``iss`` and ``sub``; ``members`` every claim."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    texts: Mapping[str, str]
    members: Mapping[str, object] = field(default_factory=dict[str, object])


def quoted(text: str) -> str:
    """What came from outside, fit for one line of a log or an answer."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text[:_SHOWN])
    return f"'{clean}{'...' if len(text) > _SHOWN else ''}'"
