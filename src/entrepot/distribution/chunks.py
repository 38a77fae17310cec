"""Where a chunk of an upload goes, as its Content-Range says. OCI distribution-spec, "Pushing a blob in chunks"."""

import re
from typing import Final

from entrepot.errors import Kind, Problem
from entrepot.web.request import Request

_RANGE: Final = re.compile(r"(?:bytes[ =])?(\d{1,19})-(\d{1,19})(?:/(?:\*|\d{1,19}))?")


def declared_length(request: Request, offset: int) -> int | None:
    """How many bytes the body has, if the client says where they go. Raises UPLOAD_OUT_OF_ORDER, SIZE_INVALID."""
    text = request.header(b"content-range")
    if text is None:
        return None
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise Problem(Kind.SIZE_INVALID, reason="Content-Range is START-END", content_range=text[:64])
    first, last = int(match[1]), int(match[2])
    length = request.content_length()
    if first != offset:
        raise Problem(Kind.UPLOAD_OUT_OF_ORDER, offset=offset, content_range=text[:64])
    # "0-0" with an empty body is how some clients write "nothing".
    if length == 0 and last == first:
        return 0
    if last < first or (length is not None and last - first + 1 != length):
        raise Problem(Kind.SIZE_INVALID, reason="Content-Range and Content-Length differ", content_range=text[:64])
    return last - first + 1


def check_length(declared: int | None, length: int) -> None:
    """Raises SIZE_INVALID when the body is not as long as its Content-Range says."""
    if declared is not None and declared != length:
        raise Problem(
            Kind.SIZE_INVALID, reason="the body is not as long as its Content-Range", declared=declared, length=length
        )
