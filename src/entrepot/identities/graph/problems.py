"""How Graph words each kind of problem: the status and the text of the management API, in a body of its own.

Spec: Microsoft Graph, "Microsoft Graph error responses and resource types".
"""

from collections import defaultdict
from typing import Final

import msgspec

from entrepot.arm.problems import WORDINGS
from entrepot.arm.tracing import tracing_headers
from entrepot.errors import Kind, Problem
from entrepot.web.answer import JSON, Answer, header
from entrepot.web.request import Request

_CODES: Final = {
    400: "Request_BadRequest",
    401: "InvalidAuthenticationToken",
    403: "Authorization_RequestDenied",
    404: "Request_ResourceNotFound",
    405: "Request_BadRequest",
    408: "RequestTimeout",
    409: "Request_MultipleObjectsWithSameKeyValue",
    412: "PreconditionFailed",
    413: "RequestEntityTooLarge",
    414: "Request_BadRequest",
    416: "Request_BadRequest",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
    507: "ServiceUnavailable",
}
_DENIED: Final = "Insufficient privileges to complete the operation. {reason}"


class _Inner(msgspec.Struct, rename="kebab"):
    request_id: str


class _Error(msgspec.Struct, rename="camel"):
    code: str
    message: str
    inner_error: _Inner


class _Body(msgspec.Struct):
    error: _Error


def render(problem: Problem, request: Request) -> Answer:
    """A problem as Graph tells it."""
    status, _, message = WORDINGS[problem.kind]
    text = _DENIED if problem.kind is Kind.DENIED else message
    values = defaultdict(str, {**problem.detail, "request_id": request.id})
    error = _Error(_CODES[status], text.format_map(values).strip(), _Inner(request.id))
    headers = [JSON, *tracing_headers(request), header(b"request-id", request.id)]
    if problem.kind is Kind.METHOD_NOT_ALLOWED:
        headers.append(header(b"allow", str(problem.detail["allowed"])))
    if status in {429, 503}:
        headers.append(header(b"retry-after", str(problem.detail.get("retry_after", 1))))
    return Answer(status, headers, msgspec.json.encode(_Body(error)))
