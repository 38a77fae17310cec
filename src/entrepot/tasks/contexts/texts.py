"""A text at an address: a further list of a task file's aliases (ACR-TASKS 3.3)."""

from http import HTTPStatus
from typing import Final

from entrepot.outbound.model import OutboundError, Reason, Request
from entrepot.tasks.contexts.model import Means, status_line
from entrepot.tasks.engines.model import Canceled

_SECONDS: Final = 2.0
_SAID_LIMIT: Final = 500


def is_address(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))


def fetch_text(means: Means, url: str, limit: int) -> str:
    """Of so many bytes at most, in one try. Raises OSError, whose text does not name the address, and Canceled."""
    try:
        answer = means.outbound.send(Request("GET", url, seconds=_SECONDS, limit=limit, canceled=means.canceled))
    except OutboundError as error:
        if error.reason is Reason.CANCELED:
            raise Canceled from error
        told = f" ({_SECONDS:.0f} seconds)" if error.reason is Reason.TIMED_OUT else ""
        raise OSError(0, f"failed to GET it: {error}{told}") from error
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise OSError(0, f"failed to GET it, with status {status_line(answer.status)}: {_plain(answer.body)}")
    try:
        return answer.body.decode()
    except ValueError:
        raise OSError(0, "is no text") from None


def _plain(body: bytes) -> str:
    said = body[:_SAID_LIMIT].decode(errors="replace")
    return "".join(sign if sign.isprintable() else " " for sign in said).strip()
