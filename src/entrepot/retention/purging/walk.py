"""Walks what a purge concerns, page by page in bounded memory, and says of each tag and manifest whether it would go.

Tags come the latest updated first, so the newest that stay are counted on the way; where they end is remembered, and
tells of any tag alone whether it stays.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from entrepot.catalog.model import RegistryId
from entrepot.db.columns import number_of
from entrepot.retention.purging import queries
from entrepot.retention.purging.forecast import Forecast
from entrepot.retention.purging.model import Position, Reason, Stage
from entrepot.retention.purging.patterns import Filter
from entrepot.retention.purging.queries import RepositoryRow
from entrepot.retention.purging.rules import TagRow, Terms

_NAMES: Final = 200


@dataclass(frozen=True, slots=True)
class Judged:
    """A tag with the digest that it names, or a manifest; why it goes or stays."""

    repository: str
    tag: str | None
    digest: str
    reason: Reason
    updated_at: datetime
    last_pulled_at: datetime | None

    @property
    def is_due(self) -> bool:
        return self.reason is Reason.DUE


@dataclass(slots=True)
class Walk:
    """``position`` is moved by each step; a walk that begins at one goes on there."""

    registry: RegistryId
    terms: Terms
    position: Position
    _forecast: Forecast | None = field(default=None)

    def step(self, tx: Connection, limit: int) -> list[Judged] | None:
        """The next few, perhaps none; None: that was all."""
        if self.position.stage is Stage.DONE:
            return self._next_repository(tx)
        repository = queries.find_repository(tx, self.registry, self.position.repository)
        filters = self.terms.filters_of(self.position.repository)
        if repository is None or filters is None:
            self.position.stage = Stage.DONE
            return []
        if self.position.stage is Stage.TAGS:
            return self._tags(tx, repository, filters, limit)
        return self._manifests(tx, repository, filters, limit)

    def _next_repository(self, tx: Connection) -> list[Judged] | None:
        names = queries.repository_names(tx, self.registry, self.position.repository, _NAMES)
        if not names:
            return None
        found = next((name for name in names if self.terms.filters_of(name) is not None), None)
        stage = Stage.MANIFESTS if self.terms.untagged_only else Stage.TAGS
        self.position = Position(names[-1]) if found is None else Position(found, stage)
        self._forecast = None
        return []

    def _tags(self, tx: Connection, repository: RepositoryRow, filters: tuple[Filter, ...], limit: int) -> list[Judged]:
        position = self.position
        rows = queries.tags(tx, repository.id, position.at, position.name, limit)
        judged = [self._judged(row, repository, filters) for row in rows]
        if len(rows) < limit:
            position.stage, position.name = Stage.MANIFESTS if self.terms.untagged else Stage.DONE, ""
        else:
            position.at, position.name = number_of(rows[-1].updated_at), rows[-1].name
        return judged

    def _judged(self, row: TagRow, repository: RepositoryRow, filters: tuple[Filter, ...]) -> Judged:
        reason, position = self.terms.tag(row, filters, is_writable=repository.write_enabled), self.position
        if reason is Reason.DUE and position.kept < self.terms.keep:
            reason = Reason.NEWEST
            position.kept, position.oldest_kept = position.kept + 1, (number_of(row.updated_at), row.name)
        return Judged(repository.name, row.name, row.digest, reason, row.updated_at, row.last_pulled_at)

    def _manifests(
        self, tx: Connection, repository: RepositoryRow, filters: tuple[Filter, ...], limit: int
    ) -> list[Judged]:
        """Those that have no tag, or would have none."""
        rows = queries.manifests(tx, repository.id, self.position.name, limit)
        if self._forecast is None:
            self._forecast = Forecast(self.terms, repository, lambda row: self._stays(row, repository, filters))
        reasons = self._forecast.reasons(tx, rows)
        if len(rows) < limit:
            self.position.stage = Stage.DONE
        else:
            self.position.name = rows[-1].digest
        return [
            Judged(repository.name, None, row.digest, reasons[row.id], row.updated_at, row.last_pulled_at)
            for row in rows
            if reasons[row.id] is not Reason.TAGGED
        ]

    def _stays(self, row: TagRow, repository: RepositoryRow, filters: tuple[Filter, ...]) -> bool:
        if self.terms.tag(row, filters, is_writable=repository.write_enabled) is not Reason.DUE:
            return True
        last = self.position.oldest_kept
        if last is None:
            return False
        # The order of the walk: the latest first, of one time by name.
        return (-number_of(row.updated_at), row.name) <= (-last[0], last[1])
