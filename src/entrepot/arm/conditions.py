"""ETags of resources: a hash of what is shown, so that who changes one can say what they have seen (RFC 9110, 13)."""

import hashlib

from entrepot.errors import Kind, Problem
from entrepot.web.request import Request


def etag_of(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_current(request: Request, etag: str) -> bool:
    """Whether the client holds it already: the answer is then 304."""
    asked = request.header(b"if-none-match")
    return asked is not None and _names(asked, etag)


def expect_match(request: Request, etag: str | None) -> None:
    """Raises PRECONDITION_FAILED unless the resource is what the change was meant for. None: there is none."""
    wanted, unwanted = request.header(b"if-match"), request.header(b"if-none-match")
    if wanted is not None and (etag is None or not _names(wanted, etag)):
        raise Problem(Kind.PRECONDITION_FAILED, header="If-Match")
    if unwanted is not None and etag is not None and _names(unwanted, etag):
        raise Problem(Kind.PRECONDITION_FAILED, header="If-None-Match")


def _names(listed: str, etag: str) -> bool:
    return listed.strip() == "*" or etag in {each.strip().removeprefix("W/") for each in listed.split(",")}
