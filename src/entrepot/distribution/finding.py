"""Manifests as the catalog has them."""

from entrepot.catalog.manifests.queries import MANIFEST_BY_DIGEST, MANIFEST_BY_TAG, stored_manifest
from entrepot.catalog.model import StoredManifest
from entrepot.errors import Kind, Problem
from entrepot.gate.call import Call
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag


async def find_manifest(call: Call, reference: Tag | Digest) -> StoredManifest:
    """Raises MANIFEST_UNKNOWN, LOCKED."""
    statement = MANIFEST_BY_DIGEST if isinstance(reference, Digest) else MANIFEST_BY_TAG
    place = call.place
    values = {"registry": place.registry, "repository": place.repository, "reference": str(reference)}
    rows = await call.doors.fetch(statement, values)
    if not rows:
        raise Problem(Kind.MANIFEST_UNKNOWN, name=place.repository, reference=str(reference))
    if not rows[0][4]:
        raise Problem(Kind.LOCKED, name=place.repository, reference=str(reference), reason="reading is disabled")
    return stored_manifest(rows[0])
