"""What the management API hands out: where a source goes, and where a run's log is read."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Self

from sqlalchemy import Connection

from entrepot.access.sealing import Sealer
from entrepot.catalog.files import queries as files
from entrepot.catalog.files.blocks import begin_file
from entrepot.catalog.files.model import KeptFile, NewFile
from entrepot.catalog.model import RegistryId
from entrepot.errors import Kind, Problem
from entrepot.tasks.storage import queries
from entrepot.tasks.storage.signing import Signer

# Three segments: the clients' SDK takes them for account, container and blob where the host is localhost, and the
# last two elsewhere (AZ-CLI-FLOWS 7.5).
FOLDER: Final = "/blob"
SOURCES: Final = f"{FOLDER}/source"
LOGS: Final = f"{FOLDER}/logs"
# For an upload over a slow line; the log as Azure's (ACR-TASKS 6.5).
_UPLOAD: Final = timedelta(hours=12)
_READING: Final = timedelta(minutes=70)
# A source that no run has taken.
_UNUSED: Final = timedelta(days=2)
_RELATIVE: Final = re.compile(r"source/[0-9]{12}/([0-9a-f]{32})\.tar\.gz")


@dataclass(frozen=True, slots=True)
class Links:
    """Makes URLs under one origin: ``https://HOST:PORT``, as the caller reached us."""

    signer: Signer
    origin: str

    @classmethod
    def of(cls, sealer: Sealer, origin: str) -> Self:
        return cls(Signer.of(sealer), origin)

    def signed(self, path: str, permissions: str, until: datetime) -> str:
        return f"{self.origin}{path}?{self.signer.query(path, permissions, until)}"


class Upload(NamedTuple):
    """Where a client writes a source, and what it calls it afterwards."""

    url: str
    relative_path: str


def upload_url(tx: Connection, links: Links, registry_id: RegistryId, file_id: str, now: datetime) -> Upload:
    """A place for one source; ``file_id`` is 32 hex digits that nobody can guess. Raises UPLOADS_TOO_MANY."""
    begin_file(tx, NewFile(file_id, registry_id, now, now + _UNUSED))
    url = links.signed(f"{SOURCES}/{file_id}.tar.gz", "rw", now + _UPLOAD)
    return Upload(url, f"source/{now:%Y%m%d%H%M}/{file_id}.tar.gz")


def find_source(tx: Connection, registry_id: RegistryId, relative_path: str) -> KeptFile | None:
    """The source by what ``upload_url`` called it: of this registry, and come in whole."""
    match = _RELATIVE.fullmatch(relative_path)
    found = None if match is None else files.find_file(tx, match[1])
    return found if found is not None and found.registry == registry_id else None


def hold_source(tx: Connection, registry_id: RegistryId, relative_path: str, until: datetime) -> KeptFile | None:
    """The same, and it stays until then: for a run that waits."""
    found = find_source(tx, registry_id, relative_path)
    if found is not None:
        files.set_expiry(tx, found.id, until)
    return found


def log_url(tx: Connection, links: Links, run_id: int, now: datetime) -> str:
    """Where the log of this run is read, live or whole. Raises RESOURCE_UNKNOWN."""
    run = queries.find_run(tx, run_id)
    if run is None:
        raise Problem(Kind.RESOURCE_UNKNOWN, run=run_id)
    # A number may be given again when a registry has gone; with these names beside it, it means this run alone.
    return links.signed(f"{LOGS}/{run.registry}-{run.name}-{run_id}.log", "r", now + _READING)
