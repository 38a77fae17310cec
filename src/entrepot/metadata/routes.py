"""The rows of /acr/v1. Router, gate, metrics, the reference page and the role x route test all read this one table.

Manifests are deleted on /v2. Clients escape the slashes of a repository here (``/acr/v1/team%2Fapp``) or leave them.
"""

from typing import Final

from entrepot.access.model import Action, All
from entrepot.gate.call import SurfaceRoute
from entrepot.metadata.deleted import (
    list_deleted_manifests,
    list_deleted_repositories,
    list_deleted_tags,
    restore_deleted_manifest,
    restore_deleted_repository,
)
from entrepot.metadata.history import roll_back_tag, tag_history
from entrepot.metadata.manifests import get_manifest, list_manifests, update_manifest
from entrepot.metadata.parts import Parts
from entrepot.metadata.repositories import get_repository, list_repositories, remove_repository, update_repository
from entrepot.metadata.tags import get_tag, list_tags, remove_tag, update_tag
from entrepot.web.rates import DELETES, READS, WRITES
from entrepot.web.routing import Route

_DELETED: Final = "/acr/v1/_deleted/{repository}"
_REPOSITORY: Final = "/acr/v1/{repository}"
_TAGS: Final = "/acr/v1/{repository}/_tags"
_TAG: Final = "/acr/v1/{repository}/_tags/{tag}"
_HISTORY: Final = "/acr/v1/{repository}/_tags/{tag}/_history"
_ROLLBACK: Final = "/acr/v1/{repository}/_tags/{tag}/_rollback"
_MANIFESTS: Final = "/acr/v1/{repository}/_manifests"
_MANIFEST: Final = "/acr/v1/{repository}/_manifests/{digest}"

# A repository spans segments. So rows of what was deleted come first, and its own rows, which match what begins like
# the others, last.
ROUTES: Final[tuple[SurfaceRoute[Parts], ...]] = (
    Route("GET", "/acr/v1/_catalog", list_repositories, Action.CATALOG_LIST, READS),
    Route("GET", "/acr/v1/_deleted/_catalog", list_deleted_repositories, Action.DELETED_LIST, READS),
    Route("GET", f"{_DELETED}/_manifests", list_deleted_manifests, Action.DELETED_READ, READS),
    Route("GET", f"{_DELETED}/_tags", list_deleted_tags, Action.DELETED_READ, READS),
    Route("POST", f"{_DELETED}/_manifests/{{digest}}", restore_deleted_manifest, Action.DELETED_RESTORE, WRITES),
    Route("POST", _DELETED, restore_deleted_repository, Action.DELETED_RESTORE, WRITES),
    Route("GET", _TAGS, list_tags, Action.METADATA_READ, READS),
    Route("GET", _TAG, get_tag, Action.METADATA_READ, READS),
    Route("PATCH", _TAG, update_tag, Action.METADATA_WRITE, WRITES),
    Route("DELETE", _TAG, remove_tag, Action.TAG_DELETE, DELETES),
    Route("GET", _HISTORY, tag_history, Action.METADATA_READ, READS),
    # It pushes, and its refusals tell of the tag's history.
    Route("POST", _ROLLBACK, roll_back_tag, All((Action.CONTENT_WRITE, Action.METADATA_READ)), WRITES),
    Route("GET", _MANIFESTS, list_manifests, Action.METADATA_READ, READS),
    Route("GET", _MANIFEST, get_manifest, Action.METADATA_READ, READS),
    Route("PATCH", _MANIFEST, update_manifest, Action.METADATA_WRITE, WRITES),
    Route("GET", _REPOSITORY, get_repository, Action.METADATA_READ, READS),
    Route("PATCH", _REPOSITORY, update_repository, Action.METADATA_WRITE, WRITES),
    Route("DELETE", _REPOSITORY, remove_repository, Action.CONTENT_DELETE, DELETES),
    # As ACR had them before /acr/v1, and as Visual Studio Code still calls them.
    Route("DELETE", "/v2/_acr/{repository}/tags/{tag}", remove_tag, Action.TAG_DELETE, DELETES),
    Route("DELETE", "/v2/_acr/{repository}/repository", remove_repository, Action.CONTENT_DELETE, DELETES),
)
