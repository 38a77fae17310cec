"""Conditional requests on content whose name is its digest. Spec: RFC 9110 sections 8.8.3 and 13.1."""

from entrepot.web.request import Request


def etag(digest: str) -> str:
    """A strong validator: a digest names its bytes for good."""
    return f'"{digest}"'


def is_current(request: Request, digest: str) -> bool:
    """Whether the client holds these bytes already. Clients quote the digest or not, weak or strong."""
    held = request.header(b"if-none-match")
    if held is None:
        return False
    return any(_tag(candidate) in {digest, "*"} for candidate in held.split(","))


def range_applies(request: Request, digest: str) -> bool:
    """Whether a Range header still counts: without If-Range, or when it names these bytes. A date never does."""
    condition = request.header(b"if-range")
    return condition is None or condition.strip() == etag(digest)


def _tag(text: str) -> str:
    return text.strip().removeprefix("W/").strip('"')
