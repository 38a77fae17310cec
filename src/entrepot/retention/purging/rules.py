"""Whether a tag or a manifest is due: decided from values alone."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from entrepot.catalog.locks import is_deletable
from entrepot.errors import Kind, Problem
from entrepot.jobs.model import Cron
from entrepot.jobs.rules import next_due
from entrepot.retention.purging.durations import parse_duration
from entrepot.retention.purging.model import Reason, Selection
from entrepot.retention.purging.patterns import Filter, parse_filter

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,49}")
_CRON_LENGTH: Final = 100
_MONTHS: Final = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DAYS: Final = "sun|mon|tue|wed|thu|fri|sat"
_CRON: Final = re.compile(rf"(?:(?:[0-9*/,-]|{_MONTHS}|{_DAYS})+(?: (?!$)|$)){{5}}", re.IGNORECASE)


class TagRow(NamedTuple):
    """A tag as far as a verdict must know it."""

    name: str
    manifest_id: int
    digest: str
    updated_at: datetime
    last_pulled_at: datetime | None
    write_enabled: bool
    delete_enabled: bool
    list_enabled: bool


class ManifestRow(NamedTuple):
    """A manifest, the same."""

    id: int
    digest: str
    updated_at: datetime
    last_pulled_at: datetime | None
    write_enabled: bool
    delete_enabled: bool
    list_enabled: bool
    subject: str | None


class Around(NamedTuple):
    """What of the repository keeps a manifest: a tag, an index that names it, the subject that it names."""

    has_tag: bool
    has_parent: bool
    has_subject: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """A selection, read: durations are moments. ``updated_before`` None: of any age."""

    filters: tuple[Filter, ...]
    updated_before: datetime | None
    unused_before: datetime | None
    keep: int
    untagged: bool
    untagged_only: bool
    include_locked: bool

    def filters_of(self, repository: str) -> tuple[Filter, ...] | None:
        """Those that concern the repository; None: it is not concerned at all."""
        found = tuple(each for each in self.filters if each.repository.fullmatch(repository))
        return found if found or (self.untagged_only and not self.filters) else None

    def tag(self, row: TagRow, filters: tuple[Filter, ...], *, is_writable: bool) -> Reason:
        """But for those of the newest that stay. A tag counts from its last push, to wherever."""
        if self.untagged_only or not any(each.tag.fullmatch(row.name) for each in filters):
            return Reason.NOT_MATCHED
        return self.alone(row, is_writable=is_writable)

    def manifest(self, row: ManifestRow, around: Around, *, is_writable: bool) -> Reason:
        """Of one whose repository the selection concerns."""
        if around.has_tag:
            return Reason.TAGGED
        alone = self.alone(row, is_writable=is_writable)
        if alone is not Reason.DUE:
            return alone
        if around.has_parent:
            return Reason.CHILD
        return Reason.REFERRER if around.has_subject else Reason.DUE

    def alone(self, row: TagRow | ManifestRow, *, is_writable: bool) -> Reason:
        """Of a tag that is asked for, or of a manifest without one, whatever names it or is named by it."""
        if not row.list_enabled:
            return Reason.UNLISTED
        if self.updated_before is not None and row.updated_at >= self.updated_before:
            return Reason.RECENT
        used = max(row.updated_at, row.last_pulled_at or row.updated_at)
        if self.unused_before is not None and used >= self.unused_before:
            return Reason.PULLED
        return Reason.DUE if is_writable and (self.include_locked or is_deletable(row)) else Reason.LOCKED


def terms_of(selection: Selection, now: datetime) -> Terms:
    """Raises RESOURCE_INVALID."""
    if not selection.untagged_only:
        if not selection.filters:
            raise _invalid("filters", "name the tags, as REPOSITORY:TAG; '.*:.*' are all of them")
        if selection.older_than is None:
            raise _invalid("olderThan", "how long ago a tag was pushed last; P0D is any time")
    elif selection.keep:
        raise _invalid("keep", "it counts tags, and untaggedOnly deletes none")
    older, unused = selection.older_than, selection.last_pulled_before
    return Terms(
        filters=tuple(
            parse_filter(text, f"properties.filters[{number}]") for number, text in enumerate(selection.filters)
        ),
        updated_before=None if older is None else now - parse_duration(older, "properties.olderThan"),
        unused_before=None if unused is None else now - parse_duration(unused, "properties.lastPulledBefore"),
        keep=selection.keep,
        untagged=selection.untagged or selection.untagged_only,
        untagged_only=selection.untagged_only,
        include_locked=selection.include_locked,
    )


def expect_name(name: str) -> None:
    """Raises NAME_INVALID."""
    if _NAME.fullmatch(name) is None:
        reason = "A purge rule's name has 1 to 50 letters, digits and hyphens, and begins with none of the last."
        raise Problem(Kind.NAME_INVALID, name=name[:64], reason=reason)


def next_run(schedule: str | None, now: datetime) -> datetime | None:
    """Raises RESOURCE_INVALID."""
    if schedule is None:
        return None
    wrong = _invalid(
        "schedule", "it is a cron expression of five fields, in UTC: minute, hour, day of month, month, day of week"
    )
    if len(schedule) > _CRON_LENGTH or _CRON.fullmatch(schedule) is None:
        raise wrong
    try:
        return next_due(Cron(schedule), now)
    except ValueError:
        raise wrong from None


def _invalid(member: str, reason: str) -> Problem:
    return Problem(Kind.RESOURCE_INVALID, target=f"properties.{member}", reason=reason)
