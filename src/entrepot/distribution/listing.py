"""Lists of /v2: catalog, tags, referrers. Spec: OCI distribution-spec, "Listing Tags", "Listing Referrers"."""

from typing import Final
from urllib.parse import quote

import msgspec

from entrepot.catalog.listing.pages import page_of_referrers, page_of_repositories, page_of_tags
from entrepot.catalog.model import Referrer, ReferrersOf
from entrepot.distribution.parts import Parts
from entrepot.errors import Kind, Problem
from entrepot.gate.call import Call
from entrepot.oci.digest import Digest
from entrepot.oci.media_type import OCI_INDEX
from entrepot.web.answer import JSON, Answer, header
from entrepot.web.paging import asked_page, next_link
from entrepot.web.request import Request

# A client that names no n gets a page too: lists have no upper end.
PAGE_DEFAULT: Final = 1000
PAGE_LIMIT: Final = 1000
REFERRERS_LIMIT: Final = 100
# Clients read an index of at most 4 MiB.
_REFERRERS_BYTES: Final = 3 * 1024 * 1024


class _Catalog(msgspec.Struct):
    repositories: tuple[str, ...]


async def list_repositories(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """Names of repositories that hold something."""
    asked = asked_page(call.request, PAGE_DEFAULT, PAGE_LIMIT)
    page = await call.doors.read(page_of_repositories, call.registry.id, asked.last, asked.size)
    headers = [JSON]
    if page.more and page.names:
        headers.append(next_link("/v2/_catalog", asked, page.names[-1]))
    return Answer(200, headers, msgspec.json.encode(_Catalog(page.names)))


class _Tags(msgspec.Struct):
    name: str
    tags: tuple[str, ...]


async def list_tags(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """Tags in ASCII order."""
    asked = asked_page(call.request, PAGE_DEFAULT, PAGE_LIMIT)
    place = call.place
    page = await call.doors.read(page_of_tags, place, asked.last, asked.size)
    headers = [JSON]
    if page.more and page.names:
        headers.append(next_link(f"/v2/{place.repository}/tags/list", asked, page.names[-1]))
    return Answer(200, headers, msgspec.json.encode(_Tags(place.repository, page.names)))


class _Descriptor(msgspec.Struct, rename="camel", omit_defaults=True):
    media_type: str
    digest: str
    size: int
    artifact_type: str | None = None
    annotations: msgspec.Raw | None = None


class _Index(msgspec.Struct, rename="camel"):
    schema_version: int
    media_type: str
    manifests: list[_Descriptor]


async def list_referrers(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """An index of the manifests whose subject is the digest. Never 404: clients take that for a registry without it."""
    subject = Digest.parse(call.param("digest"))
    artifact_type = _artifact_type(call.request)
    asked = asked_page(call.request, REFERRERS_LIMIT, REFERRERS_LIMIT)
    wanted = ReferrersOf(str(subject), artifact_type, asked.last)
    found, more = await call.doors.read(page_of_referrers, call.place, wanted, asked.size)
    fitting = _fitting(found)
    headers = [header(b"content-type", OCI_INDEX)]
    if artifact_type is not None:
        headers.append((b"oci-filters-applied", b"artifactType"))
    if fitting and (more or len(fitting) < len(found)):
        extra = "" if artifact_type is None else f"&artifactType={quote(artifact_type, safe='')}"
        headers.append(next_link(f"/v2/{call.place.repository}/referrers/{subject}", asked, fitting[-1].digest, extra))
    return Answer(
        200, headers, msgspec.json.encode(_Index(2, OCI_INDEX, [_describe(referrer) for referrer in fitting]))
    )


def _artifact_type(request: Request) -> str | None:
    """The filter, if there is one. Nothing that could be a media type holds a control character."""
    text = request.query("artifactType")
    if text is not None and not text.isprintable():
        raise Problem(Kind.REQUEST_INVALID, reason="artifactType is no media type")
    return text


def _fitting(found: list[Referrer]) -> list[Referrer]:
    """As many from the front as fit into one index, one at least."""
    total = 0
    for position, referrer in enumerate(found):
        total += 512 + len(referrer.annotations or "")
        if total > _REFERRERS_BYTES and position:
            return found[:position]
    return found


def _describe(referrer: Referrer) -> _Descriptor:
    annotations = None if referrer.annotations is None else msgspec.Raw(referrer.annotations.encode())
    return _Descriptor(referrer.media_type, referrer.digest, referrer.size, referrer.artifact_type, annotations)
