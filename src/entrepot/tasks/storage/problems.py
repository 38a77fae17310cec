"""How Blob Storage words each kind of problem: a code in a header and in XML.

Spec: Azure Storage, "Status and error codes" and "Blob Storage error codes".
"""

from collections import defaultdict
from collections.abc import Mapping
from html import escape
from typing import Final

from entrepot.errors import Kind, Problem
from entrepot.gate.problems import WORDINGS
from entrepot.web.answer import Answer, header
from entrepot.web.request import Request

_FORBIDDEN: Final = "Server failed to authenticate the request: {reason}."
# Where the words of Blob Storage tell more than the status.
_OWN: Final[Mapping[Kind, tuple[int, str, str]]] = {
    Kind.BLOB_UNKNOWN: (404, "BlobNotFound", "The specified blob does not exist."),
    Kind.BLOB_UPLOAD_INVALID: (400, "InvalidBlockList", "The specified block list is invalid: {reason}."),
    Kind.BLOB_UPLOAD_UNKNOWN: (409, "OperationInterrupted", "The block was not kept: {reason}."),
    Kind.RANGE_INVALID: (416, "InvalidRange", "The range specified is invalid for the current size of the resource."),
    Kind.RESOURCE_EXISTS: (409, "BlobAlreadyExists", "The specified blob already exists."),
    Kind.SIZE_INVALID: (411, "MissingContentLengthHeader", "Content-Length header was not specified."),
    Kind.UNAUTHENTICATED: (403, "AuthenticationFailed", _FORBIDDEN),
    Kind.UNAUTHORIZED: (403, "AuthorizationPermissionMismatch", "This is not permitted: {reason}."),
    Kind.UNSUPPORTED: (400, "InvalidBlobType", "The blob type is invalid for this operation: {reason}."),
    Kind.UPLOAD_TOO_LARGE: (413, "RequestBodyTooLarge", "The blob is too large: at most {limit} bytes are taken."),
    Kind.UPLOADS_TOO_MANY: (409, "BlockCountExceedsLimit", "There are more than {limit} uncommitted: {reason}."),
}
_CODES: Final[Mapping[int, str]] = {
    400: "InvalidInput",
    401: "AuthenticationFailed",
    403: "AuthorizationFailure",
    404: "ResourceNotFound",
    405: "UnsupportedHttpVerb",
    408: "OperationTimedOut",
    409: "OperationInterrupted",
    412: "ConditionNotMet",
    413: "RequestBodyTooLarge",
    414: "InvalidUri",
    416: "InvalidRange",
    429: "ServerBusy",
    500: "InternalError",
    502: "ServerBusy",
    503: "ServerBusy",
    507: "InsufficientStorage",
}


def render(problem: Problem, request: Request) -> Answer:
    """A problem as Blob Storage tells it."""
    status, code, message = _OWN.get(problem.kind) or _general(problem)
    text = escape(message.format_map(defaultdict(str, problem.detail)), quote=False)
    body = f"<Error><Code>{code}</Code><Message>{text}\nRequestId:{request.id}</Message></Error>"
    headers = [(b"content-type", b"application/xml"), header(b"x-ms-error-code", code)]
    if problem.kind is Kind.METHOD_NOT_ALLOWED:
        headers.append(header(b"allow", str(problem.detail["allowed"])))
    if problem.kind is Kind.RANGE_INVALID:
        headers.append(header(b"content-range", f"bytes */{problem.detail['length']}"))
    return Answer(status, headers, f'<?xml version="1.0" encoding="utf-8"?>{body}'.encode())


def _general(problem: Problem) -> tuple[int, str, str]:
    wording = WORDINGS[problem.kind]
    reason = problem.detail.get("reason")
    return wording.status, _CODES[wording.status], wording.message if reason is None else "{reason}"
