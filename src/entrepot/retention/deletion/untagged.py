"""Retention of untagged manifests: what nothing holds goes after so many days, through the ordinary delete.

Source: ACR-REFERENCE 8.6. Unlike ACR's it is for every media type, and what it deletes can be restored.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from entrepot.catalog.manifests.delete import delete_manifest
from entrepot.catalog.model import SERVER, Change
from entrepot.oci.digest import Digest
from entrepot.retention.deletion import queries
from entrepot.retention.deletion.queries import Policy, Untagged
from entrepot.retention.model import Doors

_BATCH: Final = 200


def retain(doors: Doors, policy: Policy, now: datetime, new_id: Callable[[], str], look: Callable[[], None]) -> int:
    """Delete what is due; how many manifests. ``look`` is called before each, and may raise to end it.

    What an index held is due when its own time without it is over.
    """
    before, after, deleted = now - timedelta(days=policy.days), (policy.since, 0), 0
    while due := doors.read(queries.untagged, policy, before, after, _BATCH):
        for known in due:
            look()
            deleted += doors.write(_delete, policy, known, Change(SERVER, now, new_id()))
        after = (due[-1].untagged_since, due[-1].id)
    return deleted


def _delete(tx: Connection, policy: Policy, known: Untagged, change: Change) -> int:
    queries.hold(tx, known.place)
    if not queries.is_still_untagged(tx, policy, known):
        return 0
    delete_manifest(tx, known.place, Digest.parse(known.digest), change)
    return 1
