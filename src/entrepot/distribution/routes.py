"""The rows of /v2. Router, gate, metrics, the reference page and the role x route test all read this one table."""

from typing import Final

from entrepot.access.model import Action, OwnUpload, SignedIn
from entrepot.distribution.blobs import get_blob, remove_blob
from entrepot.distribution.listing import list_referrers, list_repositories, list_tags
from entrepot.distribution.manifests import get_manifest, put_manifest, remove_manifest
from entrepot.distribution.parts import Parts
from entrepot.distribution.uploads import append_chunk, cancel_upload, close_upload, get_upload, start_upload
from entrepot.gate.call import Call, SurfaceRoute
from entrepot.web.answer import JSON, Answer
from entrepot.web.rates import DELETES, LISTS_REFERRERS, READS, WRITES
from entrepot.web.routing import Route


async def ping(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """Spec: "Determining Support"."""
    return Answer(200, [JSON], b"{}")


_MANIFEST: Final = "/v2/{repository}/manifests/{reference}"
_BLOB: Final = "/v2/{repository}/blobs/{digest}"
_UPLOADS: Final = "/v2/{repository}/blobs/uploads/"
_UPLOAD: Final = "/v2/{repository}/blobs/uploads/{upload}"

# Ordered for look-up: what a pull asks for comes first.
ROUTES: Final[tuple[SurfaceRoute[Parts], ...]] = (
    Route("GET", _MANIFEST, get_manifest, Action.CONTENT_READ, READS),
    Route("PUT", _MANIFEST, put_manifest, Action.CONTENT_WRITE, WRITES),
    Route("DELETE", _MANIFEST, remove_manifest, Action.CONTENT_DELETE, DELETES),
    Route("GET", _BLOB, get_blob, Action.CONTENT_READ, READS),
    Route("DELETE", _BLOB, remove_blob, Action.CONTENT_DELETE, DELETES),
    # A mount also reads its source: start_upload asks for that, because only the query names it.
    Route("POST", _UPLOADS, start_upload, Action.CONTENT_WRITE, WRITES),
    Route("GET", _UPLOAD, get_upload, OwnUpload(), READS),
    Route("PATCH", _UPLOAD, append_chunk, OwnUpload(), WRITES),
    Route("PUT", _UPLOAD, close_upload, OwnUpload(), WRITES),
    Route("DELETE", _UPLOAD, cancel_upload, OwnUpload(), DELETES),
    Route("GET", "/v2/", ping, SignedIn("clients probe it to learn where tokens come from"), READS),
    Route("GET", "/v2", ping, SignedIn("the same, as some clients write it"), READS),
    Route("GET", "/v2/_catalog", list_repositories, Action.CATALOG_LIST, READS),
    Route("GET", "/v2/{repository}/tags/list", list_tags, Action.METADATA_READ, READS),
    Route("GET", "/v2/{repository}/referrers/{digest}", list_referrers, Action.CONTENT_READ, LISTS_REFERRERS),
)
