"""One deletion of a purge: what was found due is looked at again, under its repository's lock, and goes or stays."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from entrepot.catalog import queries as shared
from entrepot.catalog.locks import is_deletable
from entrepot.catalog.manifests.delete import delete_manifest, delete_tag
from entrepot.catalog.model import Change, Place
from entrepot.catalog.properties.attributes import set_manifest, set_tag
from entrepot.catalog.properties.model import AttributeChange
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag
from entrepot.retention.purging import queries
from entrepot.retention.purging.model import Reason
from entrepot.retention.purging.rules import ManifestRow, Terms
from entrepot.retention.purging.walk import Judged

_UNLOCK: Final = AttributeChange(delete_enabled=True, write_enabled=True)


@dataclass(frozen=True, slots=True)
class Deleting:
    """By which terms, and as whose change: a new one for each event."""

    terms: Terms
    change: Callable[[], Change]

    def tag(self, tx: Connection, place: Place, judged: Judged) -> Reason:
        """Why it goes, or stays after all. What it pointed to stays."""
        name, held = Tag(judged.tag or ""), shared.freeze(tx, place)
        row = None if held is None else queries.find_tag(tx, held.id, name)
        if held is None or row is None or (row.digest, row.updated_at) != (judged.digest, judged.updated_at):
            return Reason.CHANGED
        filters = self.terms.filters_of(place.repository) or ()
        reason = self.terms.tag(row, filters, is_writable=held.write_enabled)
        if reason is Reason.DUE:
            if not is_deletable(row):
                set_tag(tx, place, name, _UNLOCK, self.change())
            delete_tag(tx, place, name, self.change())
        return reason

    def manifest(self, tx: Connection, place: Place, judged: ManifestRow) -> Reason:
        """The same of a manifest without a tag."""
        digest, held = Digest.parse(judged.digest), shared.freeze(tx, place)
        found = None if held is None else queries.find_manifest(tx, held.id, judged.digest)
        if held is None or found is None or found[0].updated_at != judged.updated_at:
            return Reason.CHANGED
        row, around = found
        reason = self.terms.manifest(row, around, is_writable=held.write_enabled)
        if reason is Reason.DUE:
            if not is_deletable(row):
                set_manifest(tx, place, digest, _UNLOCK, self.change())
            delete_manifest(tx, place, digest, self.change())
        return reason
