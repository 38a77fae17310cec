"""How the data plane (/v2, /acr/v1, /oauth2) words each kind of problem: one form, because ACR has one.

Spec: OCI distribution-spec, "Error Codes"; ACR's texts (ACR-REFERENCE 3.5).
"""

from collections import defaultdict
from http import HTTPStatus
from typing import Final, NamedTuple

import msgspec

from entrepot.errors import Kind, Problem
from entrepot.web.answer import JSON, Answer, header
from entrepot.web.request import Request


class Wording(NamedTuple):
    """Status, code and text of a kind. A text may name details that every problem of the kind has."""

    status: int
    code: str
    message: str


# Docker takes a 401 with distribution's exact words and no detail for a passing fault, and tries again for 50 seconds.
_SIGN_IN: Final = "authentication required: sign in with an account that has this right"
_FIREWALL: Final = (
    "client with IP '{address}' is not allowed access. Refer https://aka.ms/acr/firewall to grant access."
)
_NETWORK: Final = (
    "client with IP '{address}' may not reach the management API: its address is in none of the networks of the "
    "server's setting management_networks"
)
_CHARTS: Final = (
    "chart repositories of Helm 2 (/helm/v1) are not served: charts are OCI artifacts, for Helm 3.8 and newer. "
    "helm registry login {loginServer}; helm push chart.tgz oci://{loginServer}/charts; "
    "helm pull oci://{loginServer}/charts/NAME"
)
_DISALLOWED: Final = "the operation is disallowed on this registry, repository or image"

WORDINGS: Final[dict[Kind, Wording]] = {
    Kind.ADDRESS_DENIED: Wording(403, "DENIED", _FIREWALL),
    Kind.API_VERSION_INVALID: Wording(400, "UNSUPPORTED", "the version of the interface is not known"),
    Kind.BLOB_UNKNOWN: Wording(404, "BLOB_UNKNOWN", "blob unknown to registry"),
    Kind.BLOB_UPLOAD_INVALID: Wording(400, "BLOB_UPLOAD_INVALID", "blob upload invalid"),
    Kind.BLOB_UPLOAD_UNKNOWN: Wording(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"),
    Kind.CATALOG_UNAVAILABLE: Wording(503, "UNAVAILABLE", "the registry's catalog does not answer: try again"),
    Kind.CHART_REPOSITORY_UNSUPPORTED: Wording(405, "UNSUPPORTED", _CHARTS),
    Kind.CONDITION_INVALID: Wording(400, "UNSUPPORTED", "the condition of a role assignment cannot be read"),
    Kind.CONTENT_CORRUPT: Wording(
        404, "BLOB_UNKNOWN", "the stored bytes were damaged and are set aside: push them again"
    ),
    Kind.DENIED: Wording(403, "DENIED", "requested access to the resource is denied"),
    Kind.DIGEST_INVALID: Wording(400, "DIGEST_INVALID", "the digest is malformed or of an unsupported algorithm"),
    Kind.DIGEST_MISMATCH: Wording(400, "DIGEST_INVALID", "provided digest did not match uploaded content"),
    Kind.INTERNAL: Wording(500, "UNKNOWN", "the registry failed: its log tells more under the request id"),
    Kind.IN_USE: Wording(405, "REGISTRY_DISALLOWED_OPERATION", "the blob is in use"),
    Kind.LOCKED: Wording(405, "REGISTRY_DISALLOWED_OPERATION", _DISALLOWED),
    Kind.MANIFEST_BLOB_UNKNOWN: Wording(
        400, "MANIFEST_BLOB_UNKNOWN", "manifest references a manifest or blob unknown to registry"
    ),
    Kind.MANIFEST_INVALID: Wording(400, "MANIFEST_INVALID", "manifest invalid"),
    Kind.MANIFEST_TOO_LARGE: Wording(413, "MANIFEST_INVALID", "the manifest is too large"),
    Kind.MANIFEST_UNKNOWN: Wording(404, "MANIFEST_UNKNOWN", "manifest unknown to registry"),
    Kind.METHOD_NOT_ALLOWED: Wording(405, "UNSUPPORTED", "the method is not supported here"),
    Kind.NAME_INVALID: Wording(400, "NAME_INVALID", "invalid repository name"),
    Kind.NAME_UNKNOWN: Wording(404, "NAME_UNKNOWN", "repository name not known to registry"),
    Kind.NETWORK_DENIED: Wording(403, "DENIED", _NETWORK),
    Kind.PAGE_INVALID: Wording(400, "PAGINATION_NUMBER_INVALID", "n is a number of entries, 0 or more"),
    Kind.PRECONDITION_FAILED: Wording(412, "DENIED", "what the request found is not what it asked for"),
    Kind.QUOTA_EXCEEDED: Wording(405, "REGISTRY_DISALLOWED_OPERATION", "the registry's storage limit is reached"),
    Kind.RANGE_INVALID: Wording(416, "RANGE_INVALID", "the range cannot be satisfied"),
    Kind.REQUEST_INVALID: Wording(400, "UNSUPPORTED", "the request cannot be read"),
    Kind.REQUEST_TOO_LARGE: Wording(413, "SIZE_INVALID", "the request body is too large"),
    Kind.RESOURCE_EXISTS: Wording(409, "DENIED", "there is one of this name already"),
    Kind.RESOURCE_INVALID: Wording(400, "UNSUPPORTED", "a member of the request is invalid"),
    Kind.RESOURCE_UNKNOWN: Wording(404, "NAME_UNKNOWN", "there is no such resource"),
    Kind.RESTORE_BLOCKED: Wording(409, "DENIED", "it cannot be restored as things are: {reason}"),
    Kind.ROUTE_UNKNOWN: Wording(404, "UNSUPPORTED", "nothing is served under this path"),
    Kind.SIZE_INVALID: Wording(400, "SIZE_INVALID", "provided length did not match content length"),
    Kind.SOURCE_BUSY: Wording(429, "TOOMANYREQUESTS", "the image's source takes no more requests for now: {reason}"),
    Kind.SOURCE_FAILED: Wording(502, "UNAVAILABLE", "another registry did not give what was asked of it: {reason}"),
    Kind.STORAGE_FULL: Wording(507, "UNAVAILABLE", "the registry's storage is full: free space or ask its operator"),
    Kind.STORAGE_UNAVAILABLE: Wording(503, "UNAVAILABLE", "the registry's storage does not answer: try again"),
    Kind.TAG_INVALID: Wording(
        400, "TAG_INVALID", "a tag is 1 to 128 of A-Z a-z 0-9 _ . - and begins with none of the last two"
    ),
    Kind.TAG_UNKNOWN: Wording(404, "MANIFEST_UNKNOWN", "tag unknown to registry"),
    Kind.TAGS_TOO_MANY: Wording(414, "TAG_INVALID", "too many tags in one push"),
    Kind.TOO_MANY_REQUESTS: Wording(429, "TOOMANYREQUESTS", "too many requests: try again in {retry_after} s"),
    Kind.UNAUTHENTICATED: Wording(401, "UNAUTHORIZED", _SIGN_IN),
    Kind.UNAUTHORIZED: Wording(401, "UNAUTHORIZED", _SIGN_IN),
    Kind.UNSUPPORTED: Wording(405, "UNSUPPORTED", "the operation is unsupported"),
    Kind.UPLOADS_TOO_MANY: Wording(429, "TOOMANYREQUESTS", "too many uploads are open"),
    Kind.UPLOAD_BUSY: Wording(409, "BLOB_UPLOAD_INVALID", "another request is writing to this upload"),
    Kind.UPLOAD_OUT_OF_ORDER: Wording(416, "BLOB_UPLOAD_INVALID", "the chunk does not continue the upload"),
    Kind.UPLOAD_STALLED: Wording(408, "BLOB_UPLOAD_INVALID", "no byte came for too long; the upload can resume"),
    Kind.UPLOAD_TOO_LARGE: Wording(413, "SIZE_INVALID", "the blob is larger than this registry takes"),
}


_Detail = dict[str, str | int] | list[dict[str, str | int]]


class _Error(msgspec.Struct):
    code: str
    message: str
    detail: _Detail | None


class _Errors(msgspec.Struct):
    errors: list[_Error]


def render(problem: Problem, request: Request) -> Answer:
    """The error body of the specification; ``detail`` tells what the caller may know."""
    wording = WORDINGS[problem.kind]
    detail: _Detail = {"requestId": request.id} if problem.kind is Kind.INTERNAL else problem.detail
    if wording.status == HTTPStatus.UNAUTHORIZED and "action" in problem.detail:
        detail = _missing(problem.detail)
    message = wording.message.format_map(defaultdict(str, problem.detail))
    body = msgspec.json.encode(_Errors([_Error(wording.code, message, detail or None)]))
    headers = [JSON]
    if problem.kind is Kind.METHOD_NOT_ALLOWED:
        headers.append(header(b"allow", str(problem.detail["allowed"])))
    if wording.status in {429, 503}:
        headers.append(header(b"retry-after", str(problem.detail.get("retry_after", 1))))
    if problem.kind is Kind.RANGE_INVALID and "length" in problem.detail:
        headers.append(header(b"content-range", f"bytes */{problem.detail['length']}"))
    return Answer(wording.status, headers, body)


def _missing(detail: dict[str, str | int]) -> list[dict[str, str | int]]:
    """What the caller lacks in ACR's form, an entry for each action; and why, if it is told."""
    reason = {"Reason": detail["reason"]} if "reason" in detail else {}
    return [
        {"Type": detail["type"], "Name": detail["name"], "Action": action, **reason}
        for action in str(detail["action"]).split(",")
    ]
