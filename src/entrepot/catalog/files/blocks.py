"""How a file comes in and goes: blocks beside each other in any order, then a list that puts them in their places.

The row of a block is there before its first byte, so collection knows the session; its bytes are durable before the
row says so. Replaced and removed bytes are retired as those of blobs are, so a reader under way ends well.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from entrepot.catalog.blobs.queries import retire
from entrepot.catalog.files import queries
from entrepot.catalog.files.model import Listed, NewBlock, NewFile, StoredBlock, Wanted
from entrepot.catalog.files.queries import Block
from entrepot.catalog.model import RegistryId
from entrepot.catalog.queries import batches
from entrepot.content.model import Piece
from entrepot.db.locks import lock_name
from entrepot.errors import Kind, Problem

# Blocks of a file that are not in their places yet. A client's usual 4 MiB make 20 GB of them.
BLOCKS: Final = 5000
# Files of a registry that somebody began and did not finish.
UNFINISHED: Final = 1000


def begin_file(tx: Connection, file: NewFile) -> None:
    """Raises UPLOADS_TOO_MANY."""
    lock_name(tx, f"files of {file.registry}")
    if queries.count_unfinished(tx, file.registry) >= UNFINISHED:
        raise Problem(Kind.UPLOADS_TOO_MANY, limit=UNFINISHED, reason="finish uploads before you ask for more")
    queries.insert_file(tx, file)


def begin_block(tx: Connection, block: NewBlock, limit: int) -> None:
    """A block that is still coming in under the same name ends: the later attempt counts.

    Raises BLOB_UNKNOWN; UPLOAD_TOO_LARGE when the blocks that wait for their places have more than ``limit`` bytes;
    UPLOADS_TOO_MANY when there are too many of them.
    """
    _hold(tx, block.file)
    queries.end_attempts(tx, block.file, block.name)
    count, length = queries.waiting_of(tx, block.file)
    if count >= BLOCKS:
        raise Problem(Kind.UPLOADS_TOO_MANY, limit=BLOCKS, reason="use larger blocks")
    if length + block.length > limit:
        raise Problem(Kind.UPLOAD_TOO_LARGE, limit=limit)
    queries.insert_block(tx, block)


def finish_block(tx: Connection, stored: StoredBlock, due: datetime) -> None:
    """Its bytes are there. Those that waited under the same name are retired until then.

    Raises BLOB_UPLOAD_UNKNOWN when it ended meanwhile: the bytes are the caller's to remove.
    """
    block = stored.block
    if not queries.hold_file(tx, block.file) or not queries.record_bytes(tx, stored):
        raise Problem(Kind.BLOB_UPLOAD_UNKNOWN, reason="another request took this block's place, or the file has gone")
    before = [each for each in queries.blocks_of(tx, block.file) if _is_replaced(each, block)]
    _retire_blocks(tx, before, due)


def commit_blocks(tx: Connection, file_id: str, wanted: Sequence[Wanted], due: datetime) -> int:
    """The file is these blocks in this order, and whole; its length. All others of it are retired until then.

    Raises BLOB_UNKNOWN; BLOB_UPLOAD_INVALID for a block that is not there, or is wanted twice. Twice is safe.
    """
    _hold(tx, file_id)
    blocks = queries.blocks_of(tx, file_id)
    chosen = _choose(blocks, wanted)
    _retire_blocks(tx, [block for block in blocks if block not in chosen], due)
    queries.place_blocks(tx, [block.session for block in chosen])
    length = sum(block.length for block in chosen)
    queries.set_length(tx, file_id, length)
    return length


def remove_file(tx: Connection, file_id: str, staged: Sequence[Piece], due: datetime) -> None:
    """``staged``: what blocks that never came to their end left in the store. All bytes are retired until then."""
    if queries.hold_file(tx, file_id):
        _retire_blocks(tx, queries.blocks_of(tx, file_id), due)
        retire(tx, staged, due)
        queries.delete_file(tx, file_id)


def remove_files_of(tx: Connection, registry_id: RegistryId, limit: int, now: datetime) -> int:
    """Some files of a registry that is going; how many. What is coming in at this moment is for the sweep."""
    files = queries.files_of_registry(tx, registry_id, limit)
    for file_id in files:
        remove_file(tx, file_id, (), now)
    return len(files)


def _hold(tx: Connection, file_id: str) -> None:
    if not queries.hold_file(tx, file_id):
        raise Problem(Kind.BLOB_UNKNOWN, file=file_id)


def _is_replaced(each: Block, by: NewBlock) -> bool:
    return each.number is None and each.name == by.name and each.session != by.session


def _choose(blocks: Sequence[Block], wanted: Sequence[Wanted]) -> list[Block]:
    waiting = {block.name: block for block in blocks if block.number is None}
    placed = {block.name: block for block in blocks if block.number is not None}
    places = {Listed.LATEST: {**placed, **waiting}, Listed.COMMITTED: placed, Listed.UNCOMMITTED: waiting}
    chosen = [places[entry.listed].get(entry.name) for entry in wanted]
    found = [block for block in chosen if block is not None]
    if len(found) < len(wanted) or len({block.session for block in found}) < len(wanted):
        raise Problem(Kind.BLOB_UPLOAD_INVALID, reason="the list names a block that is not there, or one twice")
    return found


def _retire_blocks(tx: Connection, blocks: Sequence[Block], due: datetime) -> None:
    for some in batches([block.session for block in blocks]):
        retire(tx, queries.take_blocks(tx, some), due)
