"""A blob that is on its way, for a client that does not wait until it is here: bytes as they come."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection

from entrepot.caching.images import queries
from entrepot.catalog.blobs.queries import BLOB_OF_REPOSITORY, stored_blob
from entrepot.catalog.model import Place, StoredBlob, Upload
from entrepot.catalog.uploads import queries as uploads
from entrepot.content.model import ContentStore, Piece
from entrepot.errors import Kind, Problem
from entrepot.gate.doors import Doors
from entrepot.oci.digest import Digest
from entrepot.remote.copies.arriving import session_of

_LOOK_SECONDS: Final = 0.1
# Nothing more came for so long: the worker is busy, or there is none.
_PATIENCE: Final = 60.0


class Arriving(NamedTuple):
    """``size``: as the manifest has it, in bytes. ``fill``: the row of its image."""

    place: Place
    digest: Digest
    size: int
    fill: int


class _There(NamedTuple):
    """What can be read by now."""

    pieces: tuple[Piece, ...]
    length: int


@dataclass(slots=True)
class Following:
    """For one client. What it reads was not checked yet, and ends up nowhere else: clients check what they pull."""

    doors: Doors
    store: ContentStore
    blob: Arriving
    _offset: int = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """All the bytes. Raises what the fill failed with, BLOB_UNKNOWN, SOURCE_FAILED when nothing comes."""
        last = time.monotonic()
        while self._offset < self.blob.size:
            there = await self.doors.run(self._look)
            if there.length > self._offset:
                async for chunk in self._read(there):
                    yield chunk
                last = time.monotonic()
            elif time.monotonic() - last > _PATIENCE:
                reason = "Nothing of the image came for a minute: see whether a worker runs, and pull again."
                raise Problem(Kind.SOURCE_FAILED, reason=reason)
            else:
                await asyncio.sleep(_LOOK_SECONDS)

    async def _read(self, there: _There) -> AsyncIterator[bytes]:
        """What there is beyond what was read. It may get another key meanwhile, and is looked for again then."""
        pieces = self.store.read(there.pieces, self._offset, there.length)
        while True:
            try:
                chunk = await self.doors.run(next, pieces, None)
            except Problem as problem:
                if problem.kind is not Kind.STORAGE_UNAVAILABLE:
                    raise
                await asyncio.sleep(_LOOK_SECONDS)
                return
            if chunk is None:
                return
            self._offset += len(chunk)
            yield chunk

    def _look(self) -> _There:
        found = self.doors.database.read(self._rows)
        if isinstance(found, StoredBlob):
            return _There(found.pieces, found.size)
        if found is None:
            return _There((), 0)
        length = min(self.store.staged(found.id, found.sealed), self.blob.size)
        return _There(self.store.staged_pieces(found.id, found.sealed), length)

    def _rows(self, tx: Connection) -> StoredBlob | Upload | None:
        """The blob, or the session in which it comes, or None before that."""
        place, digest = self.blob.place, str(self.blob.digest)
        here = stored_blob(
            BLOB_OF_REPOSITORY.rows(tx, registry=place.registry, repository=place.repository, digest=digest)
        )
        if here is not None:
            return here
        fill = queries.fill(tx, self.blob.fill)
        if fill is None:
            raise Problem(Kind.BLOB_UNKNOWN, name=place.repository, digest=digest)
        if fill.problem is not None:
            raise fill.problem
        session = session_of(fill.owner, place, self.blob.digest)
        of = {"upload": session, "registry": place.registry, "repository": place.repository, "principal": fill.owner}
        return uploads.stored_upload(uploads.UPLOAD_OF_PRINCIPAL.rows(tx, **of), session, place, fill.owner)
