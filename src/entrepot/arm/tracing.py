"""Headers by which a request of the management API is found again. Spec: Azure Resource Manager, "Common Headers"."""

import re
from typing import Final

from entrepot.web.answer import Headers, header
from entrepot.web.request import Request

_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")


def tracing_headers(request: Request) -> Headers:
    """Ours, and the client's own of what it does in several requests."""
    correlation = request.header(b"x-ms-correlation-request-id") or ""
    found = [
        header(b"x-ms-request-id", request.id),
        header(b"x-ms-correlation-request-id", correlation if _ID.fullmatch(correlation) else request.id),
    ]
    client = request.header(b"x-ms-client-request-id") or ""
    if request.header(b"x-ms-return-client-request-id") == "true" and _ID.fullmatch(client):
        found.append(header(b"x-ms-client-request-id", client))
    return found
