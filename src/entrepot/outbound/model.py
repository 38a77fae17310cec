"""What one call out asks for, what comes back, and why there may be no answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from threading import Event
from typing import Final

import httpx


class Reason(Enum):
    """Why there is no answer. Never anything that the target said."""

    REQUEST_REFUSED = auto()
    NAME_UNKNOWN = auto()
    ADDRESS_REFUSED = auto()
    CONNECTION_FAILED = auto()
    TLS_FAILED = auto()
    PROXY_FAILED = auto()
    TIMED_OUT = auto()
    BUSY = auto()
    ANSWER_INVALID = auto()
    ANSWER_TOO_LARGE = auto()
    REDIRECT_REFUSED = auto()
    CANCELED = auto()


TEXTS: Final[Mapping[Reason, str]] = {
    Reason.REQUEST_REFUSED: "the URL must be http or https with a host and without a password, the headers plain text",
    Reason.NAME_UNKNOWN: "the name has no address",
    Reason.ADDRESS_REFUSED: "its address is not public; the operator can allow it with the setting outbound_allow",
    Reason.CONNECTION_FAILED: "nothing answers there, or the connection broke off",
    Reason.TLS_FAILED: "its certificate is not trusted, or TLS failed; the setting outbound_ca_file names further CAs",
    Reason.PROXY_FAILED: "the proxy of the setting outbound_proxy refused the connection",
    Reason.TIMED_OUT: "the whole answer did not come in time",
    Reason.BUSY: "too many calls are under way",
    Reason.ANSWER_INVALID: "what answers there does not speak HTTP",
    Reason.ANSWER_TOO_LARGE: "the answer is larger than is accepted",
    Reason.REDIRECT_REFUSED: "it redirects too often, or from https to http",
    Reason.CANCELED: "whoever asked does not want the answer any more",
}


class OutboundError(Exception):
    """There is no answer. ``host`` is the one that was asked last; a redirect may have led there."""

    def __init__(self, reason: Reason, host: str) -> None:
        super().__init__(reason, host)  # both, so that it can be pickled
        self.reason = reason
        self.host = host

    def __str__(self) -> str:
        return f"{self.host}: {TEXTS[self.reason]}"


@dataclass(frozen=True, slots=True)
class Request:
    """One call. ``seconds`` bounds all of it, redirects too; ``limit`` bounds the unpacked body, in bytes.

    ``canceled``: ends it within seconds when it is set, also while the target is silent.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = field(default=b"", repr=False)
    seconds: float = 10.0
    limit: int = 1024 * 1024
    canceled: Event | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, of whatever status, and from where."""

    status: int
    headers: httpx.Headers
    body: bytes = field(repr=False)
    url: str


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer whose body is still coming: ``pieces`` is good while the call is open, and bounded by its ``limit``."""

    status: int
    headers: httpx.Headers
    pieces: Iterator[bytes] = field(repr=False)
    url: str
