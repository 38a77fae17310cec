"""How the management API words each kind of problem. Spec: Azure Resource Manager, "Error Response Content"."""

from collections import defaultdict
from typing import Final, NamedTuple

import msgspec

from entrepot.arm.tracing import tracing_headers
from entrepot.errors import Kind, Problem
from entrepot.web.answer import JSON, Answer, header
from entrepot.web.request import Request


class Wording(NamedTuple):
    """Status, code and text of a kind. The text names details of the problem; one that lacks is left out."""

    status: int
    code: str
    message: str


_FAILED: Final = "The request failed: the server's log tells more under the request id '{request_id}'."
_NOT_HERE: Final = "The operation is not one of the management API's: {reason}"
_LOCKED: Final = (
    "The scope '{scope}' cannot perform {operation} operation because following scope(s) are locked: '{locked}'. "
    "Please remove the lock and try again."
)
_NETWORK: Final = (
    "The client with IP '{address}' may not reach the management API: its address is in none of the networks of the "
    "server's setting management_networks."
)
_DENIED: Final = (
    "The client '{client}' with object id '{object}' does not have authorization to perform action '{operation}' over "
    "scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
)


def _data_plane(status: int, message: str) -> Wording:
    """Of what only the content of a registry can be: nothing of the kind is served here."""
    return Wording(status, "BadRequest" if status < 500 else "InternalServerError", message)  # noqa: PLR2004  ours


WORDINGS: Final[dict[Kind, Wording]] = {
    Kind.ADDRESS_DENIED: Wording(403, "Forbidden", "Client with IP '{address}' is not allowed access."),
    Kind.API_VERSION_INVALID: Wording(400, "InvalidApiVersionParameter", "{reason}"),
    Kind.BLOB_UNKNOWN: _data_plane(404, "The blob does not exist."),
    Kind.BLOB_UPLOAD_INVALID: _data_plane(400, "The upload is invalid."),
    Kind.BLOB_UPLOAD_UNKNOWN: _data_plane(404, "The upload does not exist."),
    Kind.CATALOG_UNAVAILABLE: Wording(503, "ServiceUnavailable", "The catalog does not answer: try again."),
    Kind.CHART_REPOSITORY_UNSUPPORTED: _data_plane(405, "Chart repositories of Helm 2 are not served."),
    Kind.CONDITION_INVALID: Wording(400, "ConditionInvalid", "The condition cannot be read: {reason}"),
    Kind.CONTENT_CORRUPT: _data_plane(404, "The stored bytes were damaged and are set aside."),
    Kind.DENIED: Wording(403, "AuthorizationFailed", _DENIED),
    Kind.DIGEST_INVALID: _data_plane(400, "The digest is malformed or of an unsupported algorithm."),
    Kind.DIGEST_MISMATCH: _data_plane(400, "The digest does not match the content."),
    Kind.INTERNAL: Wording(500, "InternalServerError", _FAILED),
    Kind.IN_USE: Wording(409, "Conflict", "The resource is in use: {reason}"),
    Kind.LOCKED: Wording(409, "ScopeLocked", _LOCKED),
    Kind.MANIFEST_BLOB_UNKNOWN: _data_plane(400, "The manifest references an unknown manifest or blob."),
    Kind.MANIFEST_INVALID: _data_plane(400, "The manifest is invalid."),
    Kind.MANIFEST_TOO_LARGE: _data_plane(413, "The manifest is too large."),
    Kind.MANIFEST_UNKNOWN: _data_plane(404, "The manifest does not exist."),
    Kind.METHOD_NOT_ALLOWED: Wording(405, "MethodNotAllowed", "This resource takes {allowed}."),
    Kind.NAME_INVALID: Wording(400, "InvalidResourceName", "The name '{name}' is invalid. {reason}"),
    Kind.NAME_UNKNOWN: _data_plane(404, "The repository does not exist."),
    Kind.NETWORK_DENIED: Wording(403, "RequestDisallowedByPolicy", _NETWORK),
    Kind.PAGE_INVALID: Wording(400, "InvalidQueryParameter", "'$top' and '$skiptoken' do not name a page. {reason}"),
    Kind.PRECONDITION_FAILED: Wording(
        412, "PreconditionFailed", "The resource is not as the request's '{header}' asks."
    ),
    Kind.QUOTA_EXCEEDED: Wording(409, "QuotaExceeded", "A limit of the registry is reached. {reason}"),
    Kind.RANGE_INVALID: _data_plane(416, "The range cannot be satisfied."),
    Kind.REQUEST_INVALID: Wording(400, "BadRequest", "The request cannot be read: {reason}"),
    Kind.REQUEST_TOO_LARGE: Wording(413, "RequestEntityTooLarge", "The request has more than {limit} bytes."),
    Kind.RESOURCE_EXISTS: Wording(409, "Conflict", "{reason}"),
    Kind.RESOURCE_INVALID: Wording(400, "InvalidRequestContent", "The member '{target}' is invalid: {reason}"),
    Kind.RESOURCE_UNKNOWN: Wording(404, "ResourceNotFound", "{reason}"),
    Kind.RESTORE_BLOCKED: _data_plane(409, "It cannot be restored as things are."),
    Kind.ROUTE_UNKNOWN: Wording(404, "InvalidResourceType", _NOT_HERE),
    Kind.SIZE_INVALID: _data_plane(400, "The length does not match the content."),
    Kind.SOURCE_BUSY: Wording(429, "SourceRegistryBusy", "{reason}"),
    Kind.SOURCE_FAILED: Wording(400, "SourceRegistryFailed", "{reason}"),
    Kind.STORAGE_FULL: Wording(507, "InsufficientStorage", "The storage is full: free space or ask the operator."),
    Kind.STORAGE_UNAVAILABLE: Wording(503, "ServiceUnavailable", "The storage does not answer: try again."),
    Kind.TAG_INVALID: _data_plane(400, "The tag is invalid."),
    Kind.TAG_UNKNOWN: _data_plane(404, "The tag does not exist."),
    Kind.TAGS_TOO_MANY: _data_plane(414, "Too many tags in one push."),
    Kind.TOO_MANY_REQUESTS: Wording(429, "TooManyRequests", "Too many requests: try again later."),
    Kind.UNAUTHENTICATED: Wording(401, "AuthenticationFailed", "Authentication failed: {reason}"),
    Kind.UNAUTHORIZED: Wording(401, "AuthenticationFailed", "Authentication failed."),
    Kind.UNSUPPORTED: Wording(400, "FeatureNotAvailable", "{reason}"),
    Kind.UPLOADS_TOO_MANY: Wording(429, "TooManyRequests", "Too many uploads are open."),
    Kind.UPLOAD_BUSY: _data_plane(409, "Another request writes to this upload."),
    Kind.UPLOAD_OUT_OF_ORDER: _data_plane(416, "The chunk does not continue the upload."),
    Kind.UPLOAD_STALLED: Wording(408, "RequestTimeout", "No byte came for too long."),
    Kind.UPLOAD_TOO_LARGE: _data_plane(413, "The blob is too large."),
}


class Detail(msgspec.Struct, omit_defaults=True):
    code: str
    message: str
    target: str | None = None


class Error(msgspec.Struct, omit_defaults=True):
    code: str
    message: str
    target: str | None = None
    details: list[Detail] = []


class Stated(msgspec.Struct):
    """A problem in Resource Manager's words, with the status of an answer that tells it."""

    status: int
    error: Error


class _Body(msgspec.Struct):
    error: Error


def state(problem: Problem, request_id: str) -> Stated:
    """The words for it.

    Of the problem's details, ``code`` stands in for the kind's own, as one status has many codes there; ``target`` is
    the member that is wrong, ``allowed`` what it may be.
    """
    wording, detail = WORDINGS[problem.kind], problem.detail
    values = defaultdict(str, {**detail, "request_id": request_id})
    error = Error(str(detail.get("code", wording.code)), wording.message.format_map(values).strip())
    if "target" in detail:
        error.target = str(detail["target"])
        error.details = [Detail(error.code, str(values["allowed"] or values["reason"]), error.target)]
    return Stated(wording.status, error)


def render(problem: Problem, request: Request) -> Answer:
    """The answer that tells it."""
    stated, detail = state(problem, request.id), problem.detail
    headers = [JSON, *tracing_headers(request)]
    if problem.kind is Kind.METHOD_NOT_ALLOWED:
        headers.append(header(b"allow", str(detail["allowed"])))
    if stated.status in {429, 503}:
        headers.append(header(b"retry-after", str(detail.get("retry_after", 1))))
    return Answer(stated.status, headers, msgspec.json.encode(_Body(stated.error)))
