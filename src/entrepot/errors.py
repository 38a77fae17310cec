"""What can go wrong for a caller: one closed set of kinds, on every surface.

A surface (``distribution``, ``oauth``, the management API) renders each kind once, in its own dialect, from a
table of its own; a test demands that each table is complete.
"""

from enum import Enum, auto


class Kind(Enum):
    """The kinds of failure a caller can be told about."""

    # Names and content, as the OCI distribution specification divides them ("Error Codes").
    BLOB_UNKNOWN = auto()
    BLOB_UPLOAD_INVALID = auto()
    BLOB_UPLOAD_UNKNOWN = auto()
    CHART_REPOSITORY_UNSUPPORTED = auto()
    DIGEST_INVALID = auto()
    DIGEST_MISMATCH = auto()
    MANIFEST_BLOB_UNKNOWN = auto()
    MANIFEST_INVALID = auto()
    MANIFEST_TOO_LARGE = auto()
    MANIFEST_UNKNOWN = auto()
    NAME_INVALID = auto()
    NAME_UNKNOWN = auto()
    PAGE_INVALID = auto()
    RANGE_INVALID = auto()
    SIZE_INVALID = auto()
    TAG_INVALID = auto()
    TAG_UNKNOWN = auto()
    TAGS_TOO_MANY = auto()
    UNSUPPORTED = auto()

    # Uploads.
    UPLOAD_BUSY = auto()
    UPLOAD_OUT_OF_ORDER = auto()
    UPLOAD_STALLED = auto()
    UPLOAD_TOO_LARGE = auto()
    UPLOADS_TOO_MANY = auto()

    # Who may, and what the registry's own state forbids.
    UNAUTHENTICATED = auto()
    UNAUTHORIZED = auto()
    DENIED = auto()
    LOCKED = auto()
    NETWORK_DENIED = auto()
    IN_USE = auto()
    RESTORE_BLOCKED = auto()
    QUOTA_EXCEEDED = auto()

    # Rules that somebody writes down.
    CONDITION_INVALID = auto()

    # Resources of the management API.
    ADDRESS_DENIED = auto()
    API_VERSION_INVALID = auto()
    PRECONDITION_FAILED = auto()
    RESOURCE_EXISTS = auto()
    RESOURCE_INVALID = auto()
    RESOURCE_UNKNOWN = auto()

    # The request itself.
    ROUTE_UNKNOWN = auto()
    METHOD_NOT_ALLOWED = auto()
    REQUEST_INVALID = auto()
    REQUEST_TOO_LARGE = auto()
    TOO_MANY_REQUESTS = auto()

    # Another registry, which ours was asked to call.
    SOURCE_BUSY = auto()
    SOURCE_FAILED = auto()

    # Ours, not the caller's.
    CONTENT_CORRUPT = auto()
    STORAGE_FULL = auto()
    STORAGE_UNAVAILABLE = auto()
    CATALOG_UNAVAILABLE = auto()
    INTERNAL = auto()


class Problem(Exception):
    """A failure to tell the caller: its kind, and details that the caller may see.

    ``detail`` never holds a secret; surfaces print it.
    """

    def __init__(self, kind: Kind, **detail: str | int) -> None:
        super().__init__(kind.name, detail)
        self.kind = kind
        self.detail = detail
