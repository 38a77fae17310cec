"""What went wrong at another registry, in words for whoever named it."""

from typing import Final

import msgspec

from entrepot.errors import Kind, Problem
from entrepot.remote.place import RemotePlace

_SAID_LIMIT: Final = 200


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct):
    errors: list[_Error] = []


def failed(place: RemotePlace, what: str, *, status: int = 0) -> Problem:
    """``what`` goes on from the registry's name. ``status``: what it answered, if that is what was wrong."""
    return Problem(Kind.SOURCE_FAILED, reason=f"The source registry {place.host} {what}.", status=status)


def refused(place: RemotePlace, what: str, status: int, body: bytes) -> Problem:
    """That it did not give what was asked for: its own words, and what may help."""
    quoted = _said(body)
    text = f"answered {status} for {what}" + (f" ({quoted})" if quoted else "")
    match status:
        case 401 | 403:
            text += ": the credentials, or the lack of them, do not permit a pull there"
        case 404:
            text += ": check the names of the repository and of the tag or digest"
        case 429:
            text += ": it takes no more requests for now; sign in or try again later"
        case _:
            pass
    return failed(place, text, status=status)


def _said(body: bytes) -> str:
    """Its first error as the specification has them, cut, and without what does not print."""
    try:
        found = msgspec.json.decode(body, type=_Errors).errors
    except (msgspec.DecodeError, RecursionError):
        return ""
    if not found:
        return ""
    text = ": ".join(part for part in (found[0].code, found[0].message) if part)
    return "".join(sign if sign.isprintable() else " " for sign in text[:_SAID_LIMIT])
