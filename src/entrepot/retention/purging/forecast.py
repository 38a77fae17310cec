"""Which manifests of a repository would go, if the tags that are due went: for a look before anything is deleted.

A run itself goes by what is there (``worker``); a property test holds the two together.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from sqlalchemy import Connection

from entrepot.retention.purging import queries
from entrepot.retention.purging.model import Reason
from entrepot.retention.purging.queries import RepositoryRow
from entrepot.retention.purging.rules import Around, ManifestRow, TagRow, Terms

# Indexes are nested less deeply; referrers of referrers beyond it are taken to stay.
_DEPTH: Final = 32
_REMEMBERED: Final = 50_000
_BATCH: Final = 500


@dataclass(slots=True)
class Forecast:
    """Of one repository. ``stays``: whether a tag stays, by the terms and the newest that are kept."""

    terms: Terms
    repository: RepositoryRow
    stays: Callable[[TagRow], bool]
    _known: dict[int, Reason] = field(default_factory=dict[int, Reason])

    def reasons(self, tx: Connection, rows: Iterable[ManifestRow], depth: int = 0) -> dict[int, Reason]:
        """By the manifests' ids."""
        if len(self._known) > _REMEMBERED and not depth:
            self._known.clear()
        left, found = iter(rows), dict[int, Reason]()
        while batch := list(islice(left, _BATCH)):
            unknown = [row for row in batch if row.id not in self._known]
            if unknown:
                self._known |= self._found(tx, unknown, depth)
            found |= {row.id: self._known[row.id] for row in batch}
        return found

    def _found(self, tx: Connection, rows: list[ManifestRow], depth: int) -> dict[int, Reason]:
        tagged = {row.manifest_id for row in queries.tags_of(tx, [row.id for row in rows]) if self.stays(row)}
        found = {
            row.id: self._reason(row, Around(row.id in tagged, has_parent=False, has_subject=False)) for row in rows
        }
        due = [row for row in rows if found[row.id] is Reason.DUE]
        above = self._above(tx, due)
        others = {row.id: row for rows_above in above.values() for row in rows_above}
        if depth >= _DEPTH:
            stay = set(others)
        else:
            reasons = self.reasons(tx, others.values(), depth + 1)
            stay = {each for each, reason in reasons.items() if reason is not Reason.DUE}
        for row in due:
            keeping = [each for each in above[row.id] if each.id in stay]
            has_subject = any(each.digest == row.subject for each in keeping)
            has_parent = any(each.digest != row.subject for each in keeping)
            found[row.id] = self._reason(row, Around(has_tag=False, has_parent=has_parent, has_subject=has_subject))
        return found

    def _reason(self, row: ManifestRow, around: Around) -> Reason:
        return self.terms.manifest(row, around, is_writable=self.repository.write_enabled)

    def _above(self, tx: Connection, rows: list[ManifestRow]) -> dict[int, list[ManifestRow]]:
        """The indexes that name each, and its subject, as far as they are here."""
        by_digest = {row.digest: row.id for row in rows}
        above: defaultdict[int, list[ManifestRow]] = defaultdict(list)
        if not rows:
            return above
        for digest, parent in queries.parents_of(tx, self.repository.id, list(by_digest)):
            above[by_digest[digest]].append(parent)
        named = {row.subject for row in rows if row.subject is not None}
        subjects = (
            {row.digest: row for row in queries.with_digests(tx, self.repository.id, list(named))} if named else {}
        )
        for row in rows:
            if row.subject in subjects:
                above[row.id].append(subjects[row.subject])
        return above
