"""What was deleted goes for good. No event tells of it: one did when it was deleted."""

from datetime import datetime

from sqlalchemy import Connection

from entrepot.catalog import usage
from entrepot.catalog.blobs import queries as blob_queries
from entrepot.catalog.manifests.queries import blobs_of
from entrepot.catalog.model import RegistryId
from entrepot.catalog.repositories.queries import delete_some
from entrepot.catalog.undo import queries


def expire_some(tx: Connection, registry: RegistryId, before: datetime, limit: int, now: datetime) -> int:
    """Delete some manifests of one repository that were deleted by then; how many. Their blobs go to review."""
    repository = queries.expired_in(tx, registry, before)
    if repository is None:
        return 0
    queries.hold(tx, repository)
    # Read once it is held: what was restored just before stays.
    sizes = queries.expired_manifests(tx, repository, before, limit)
    blob_queries.queue_review(tx, repository, blobs_of(tx, list(sizes)), now, "kept long enough")
    delete_some(tx, list(sizes))
    usage.free(tx, registry, sum(sizes.values()))
    return max(len(sizes), 1)
