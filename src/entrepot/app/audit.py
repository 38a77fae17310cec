"""The audit log of a deployment: what the job worker does with it, and what commands on the data folder ask of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from entrepot.access.queries import signing_keys
from entrepot.access.sealing import SealBrokenError
from entrepot.app.secret_key import open_sealer
from entrepot.app.upkeep import open_existing
from entrepot.auditing import checkpoint_file
from entrepot.auditing.chaining import Habits
from entrepot.auditing.export import Export
from entrepot.auditing.jobs import Parts
from entrepot.auditing.line_file import LineFile
from entrepot.auditing.notary import KeyNotary, open_notary
from entrepot.auditing.syslog import Address, Syslog
from entrepot.db.database import Database
from entrepot.events import queries
from entrepot.events.chain import Checkpoint
from entrepot.events.queries import Filter
from entrepot.events.verify import Finding, Looked, Verification
from entrepot.settings import SettingError, Settings

_PAGE: Final = 1000


def audit_parts(settings: Settings) -> Parts:
    """Raises SettingError."""
    exports = tuple(_exports(settings))
    keep = None if settings.audit_keep_seconds is None else timedelta(seconds=settings.audit_keep_seconds)
    habits = Habits(keep=keep, exports=tuple(export.name for export in exports))
    return Parts(open_sealer(settings), checkpoints_of(settings), habits, exports)


def checkpoints_of(settings: Settings) -> Path:
    """The file where checkpoints are kept apart."""
    return settings.data_dir / checkpoint_file.FILE


def _exports(settings: Settings) -> Iterator[Export]:
    if settings.audit_file is not None:
        yield Export("file", LineFile(settings.audit_file, settings.audit_file_bytes, settings.audit_file_count))
    if settings.audit_syslog is not None:
        yield Export("syslog", Syslog(Address.parse(settings.audit_syslog), settings.audit_syslog_ca))


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found, what it looked at, and how many entries wait to be chained."""

    findings: Sequence[Finding]
    looked: Looked
    waiting: int


def verify(settings: Settings, kept_apart: Path | None, limit: int) -> Verified:
    """The whole log; ``limit`` findings at most.

    Without ``kept_apart`` the data folder's own file of checkpoints counts, if it is there. Raises SettingError,
    OSError and UnreadableError for the file, ``Problem``.
    """
    path = kept_apart or checkpoints_of(settings)
    apart = list(checkpoint_file.read(path)) if kept_apart or path.exists() else []
    with closing(open_existing(settings)) as database:
        notary = _notary(settings, database)
        return database.snapshot(_verify, notary, apart, limit)


def _verify(tx: Connection, notary: KeyNotary, apart: Sequence[Checkpoint], limit: int) -> Verified:
    verification = Verification([*queries.checkpoints(tx), *apart], notary)
    findings = [found for found, _ in zip(verification.findings(queries.links(tx)), range(limit), strict=False)]
    return Verified(findings, verification.looked, queries.unchained_count(tx))


def _notary(settings: Settings, database: Database) -> KeyNotary:
    try:
        return open_notary(database.read(signing_keys), open_sealer(settings))
    except SealBrokenError:
        setting = "secret_key" if settings.secret_key else "secret_key_file"
        raise SettingError(setting, "the catalog was encrypted with another key: use that one") from None


def entries(settings: Settings, wanted: Filter) -> Iterator[Mapping[str, Any]]:
    """Chained entries by their numbers, then those that wait. Raises SettingError, ``Problem``."""
    with closing(open_existing(settings)) as database:
        yield from _paged(database, wanted)


def _paged(database: Database, wanted: Filter) -> Iterator[Mapping[str, Any]]:
    for query, place in ((queries.chained_after, "sequence"), (queries.waiting_after, "id")):
        after = -1
        while rows := database.read(query, wanted, after, _PAGE):
            yield from rows
            after = rows[-1][place]
