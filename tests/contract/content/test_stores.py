"""What every content store does, whatever it stands on."""

import itertools
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.contract.content.backends import Upload, committed, content, joined, keys, open_backend
from tests.contract.content.conftest import Backend

from entrepot.content.hashes import hash_pieces
from entrepot.content.ingest import BATCH, Inflow, receive
from entrepot.content.model import ContentStore, Piece
from entrepot.errors import Kind, Problem
from entrepot.oci.digest import Digest

pytestmark = pytest.mark.xdist_group("content-stores")

MIB = 1024 * 1024
NONE = Digest.of(b"")


@pytest.mark.parametrize("length", (1, MIB - 1, MIB, 9 * MIB + 5), ids=("byte", "almost-a-chunk", "chunk", "parts"))
def test_a_committed_blob_reads_back_as_it_was_sent(store: ContentStore, length: int):
    pieces = committed(store, content(0, length))
    assert sum(piece.length for piece in pieces) == length
    assert {piece.store for piece in pieces} == {store.name}
    assert joined(store, pieces) == content(0, length)


def test_an_upload_goes_on_where_the_last_append_was_sealed(store: ContentStore):
    upload = Upload(store)
    for start, stop in itertools.pairwise((0, 10, 11, 100_000)):
        assert upload.offset == start
        upload.append(content(start, stop))
    assert upload.bytes() == content(0, 100_000)
    assert joined(store, upload.commit()) == content(0, 100_000)


@pytest.mark.parametrize("offset", (0, 9, 11))
def test_an_append_elsewhere_than_at_the_end_is_refused_and_told_the_end(store: ContentStore, offset: int):
    upload = Upload(store)
    upload.append(b"0123456789")
    with pytest.raises(Problem) as refused:
        store.appender(upload.session, upload.sealed, offset)
    assert (refused.value.kind, refused.value.detail) == (Kind.UPLOAD_OUT_OF_ORDER, {"offset": 10})
    upload.append(b"rest")
    assert upload.bytes() == b"0123456789rest"


def test_a_session_has_one_writer_at_a_time(store: ContentStore):
    upload = Upload(store)
    writer = store.appender(upload.session, (), 0)
    with pytest.raises(Problem) as refused:
        store.appender(upload.session, (), 0)
    assert refused.value.kind is Kind.UPLOAD_BUSY
    Upload(store).append(b"another session is free")
    writer.abandon()
    upload.append(b"so is this one now")
    upload.append(b", and after a seal too")
    assert upload.bytes() == b"so is this one now, and after a seal too"


@pytest.mark.parametrize("length", (0, 10, 20 * MIB), ids=("nothing", "little", "parts"))
@pytest.mark.parametrize("before", (b"", b"kept"), ids=("first", "later"))
def test_an_abandoned_append_leaves_the_session_as_it_was(store: ContentStore, before: bytes, length: int):
    upload = Upload(store)
    upload.append(before)
    appender = store.appender(upload.session, upload.sealed, len(before))
    for start in range(0, length, MIB):
        appender.write(content(start, min(start + MIB, length)))
    appender.abandon()
    assert upload.offset == len(before)
    upload.append(b"again")
    assert upload.bytes() == before + b"again"


def test_abandoning_what_is_sealed_changes_nothing_and_frees_nobody_else(store: ContentStore):
    upload = Upload(store)
    appender = store.appender(upload.session, (), 0)
    appender.write(b"sealed")
    upload.record(appender.seal())
    other = store.appender(upload.session, upload.sealed, 6)
    appender.abandon()
    with pytest.raises(Problem, match="UPLOAD_BUSY"):
        store.appender(upload.session, upload.sealed, 6)
    other.abandon()
    assert upload.bytes() == b"sealed"


def test_an_append_may_reuse_its_buffer(store: ContentStore):
    upload = Upload(store)
    appender = store.appender(upload.session, (), 0)
    buffer = bytearray(b"first")
    appender.write(buffer)
    buffer[:] = b"other"
    appender.write(memoryview(buffer)[:2])
    upload.record(appender.seal())
    assert upload.bytes() == b"firstot"


async def test_a_body_in_small_pieces_arrives_whole(store: ContentStore):
    async def body() -> AsyncIterator[bytes]:
        for start in range(0, 3 * BATCH + 1, 16 * 1024):
            yield content(start, min(start + 16 * 1024, 3 * BATCH + 1))

    upload, running = Upload(store), NONE.hasher()
    with ThreadPoolExecutor(2) as executor:
        appender = store.appender(upload.session, (), 0)
        length = await receive(Inflow(body(), limit=4 * BATCH), appender, running, executor)
        upload.record(appender.seal())
    assert length == upload.offset == 3 * BATCH + 1
    assert Digest("sha256", running.hexdigest()) == Digest.of(upload.bytes())


@pytest.mark.parametrize("algorithm", ("sha256", "sha512"))
def test_staged_bytes_can_be_hashed_before_they_are_committed(store: ContentStore, algorithm: str):
    upload = Upload(store)
    upload.append(b"hello, ")
    upload.append(b"world")
    digest = hash_pieces(store, store.staged_pieces(upload.session, upload.sealed), algorithm)
    assert digest == Digest.of(b"hello, world", algorithm)
    pieces = store.commit(upload.session, digest, 12, upload.sealed)
    assert joined(store, pieces) == b"hello, world"


def test_a_commit_can_be_repeated_by_whoever_comes_after_a_crash(backend: Backend):
    upload = Upload(backend.store)
    upload.append(b"hello")
    pieces = backend.store.commit(upload.session, Digest.of(b"hello"), 5, upload.sealed)
    other = backend.store if backend.spec == "memory:" else open_backend(backend.spec)
    assert other.commit(upload.session, Digest.of(b"hello"), 5, upload.sealed) == pieces
    assert joined(other, pieces) == b"hello"


def test_a_commit_that_the_catalog_never_heard_of_is_found_by_the_next_closing_request(backend: Backend):
    """Either the bytes are staged as before, or ``committed`` answers what the commit answered."""
    upload = Upload(backend.store)
    assert backend.store.committed(upload.session, Digest.of(b"hello")) == ()
    upload.append(b"hello")
    assert backend.store.committed(upload.session, Digest.of(b"hello")) == ()
    pieces = upload.commit()
    found = backend.store.committed(upload.session, Digest.of(b"hello"))
    assert found == pieces or (found, upload.bytes()) == ((), b"hello")
    assert backend.store.committed(upload.session, Digest.of(b"other")) == ()
    assert backend.store.committed(Upload(backend.store).session, Digest.of(b"hello")) == ()


def test_a_store_that_is_there_answers_a_probe_and_shows_nothing_of_it(store: ContentStore):
    store.probe()
    assert list(store.walk()) == []


@pytest.mark.parametrize("length", (0, 4, 6))
def test_a_commit_of_other_than_what_is_staged_is_refused_and_told_the_end(store: ContentStore, length: int):
    upload = Upload(store)
    upload.append(b"hello")
    with pytest.raises(Problem) as refused:
        store.commit(upload.session, Digest.of(b"hello"), length, upload.sealed)
    assert (refused.value.kind, refused.value.detail) == (Kind.UPLOAD_OUT_OF_ORDER, {"offset": 5})
    assert joined(store, upload.commit()) == b"hello"


def test_a_session_that_wrote_nothing_cannot_be_committed_as_something(store: ContentStore):
    upload = Upload(store)
    with pytest.raises(Problem) as refused:
        store.commit(upload.session, Digest.of(b"hello"), 5, ())
    assert (refused.value.kind, refused.value.detail) == (Kind.UPLOAD_OUT_OF_ORDER, {"offset": 0})


@pytest.mark.parametrize("appends", (0, 1))
def test_an_empty_blob_has_no_pieces_and_leaves_nothing_behind(store: ContentStore, appends: int):
    upload = Upload(store)
    for _ in range(appends):
        upload.append(b"")
    assert store.commit(upload.session, NONE, 0, upload.sealed) == ()
    assert store.commit(upload.session, NONE, 0, upload.sealed) == ()
    assert list(store.read((), 0, 0)) == []
    assert store.local_path(()) is None
    assert list(store.walk()) == []


def test_two_sessions_with_the_same_digest_share_no_key(store: ContentStore):
    first, second = committed(store, b"same"), committed(store, b"same")
    assert not {piece.key for piece in first} & {piece.key for piece in second}
    for piece in first:
        store.delete(piece.key)
    assert joined(store, second) == b"same"


def test_any_range_reads_back_across_pieces(store: ContentStore):
    cuts = (0, 1, 5, 2 * MIB + 5, 2 * MIB + 9)
    pieces = committed(store, *(content(start, stop) for start, stop in itertools.pairwise(cuts)))
    points = sorted({max(0, cut + step) for cut in cuts for step in (-1, 0, 1)} - {cuts[-1] + 1})
    for start, stop in itertools.combinations(points, 2):
        assert b"".join(store.read(pieces, start, stop)) == content(start, stop)


def test_chunks_are_at_most_a_mebibyte_long(store: ContentStore):
    pieces = committed(store, content(0, 5 * MIB + 1))
    lengths = [len(chunk) for chunk in store.read(pieces, 0, 5 * MIB + 1)]
    assert max(lengths) <= MIB
    assert len(lengths) <= 7


def test_reading_a_piece_that_is_gone_is_a_failure_of_the_store(store: ContentStore):
    pieces = committed(store, b"gone")
    store.delete(pieces[0].key)
    with pytest.raises(Problem) as failed:
        list(store.read(pieces, 0, 1))
    assert failed.value.kind is Kind.STORAGE_UNAVAILABLE
    assert pieces[0].key not in str(failed.value)


@pytest.mark.parametrize(("start", "stop"), ((0, 1), (0, 5), (4, 5)))
def test_reading_a_piece_that_is_shorter_than_recorded_is_a_failure_of_the_store(
    store: ContentStore, start: int, stop: int
):
    (piece,) = committed(store, b"four")
    with pytest.raises(Problem) as failed:
        list(store.read((replace(piece, length=5),), start, stop))
    assert failed.value.kind is Kind.STORAGE_UNAVAILABLE
    assert store.local_path((replace(piece, length=5),)) is None


def test_a_piece_can_be_deleted_twice(store: ContentStore):
    (piece,) = committed(store, b"once")
    store.delete(piece.key)
    store.delete(piece.key)
    assert list(store.walk()) == []


def test_a_walk_sees_what_is_committed_and_what_is_staged(store: ContentStore):
    assert list(store.walk()) == []
    blob = committed(store, b"committed")
    upload = Upload(store)
    upload.append(b"staged")
    staged = store.staged_pieces(upload.session, upload.sealed)
    seen = {stored.key: stored for stored in store.walk()}
    assert seen.keys() == {piece.key for piece in (*blob, *staged)}
    assert [seen[piece.key].length for piece in (*blob, *staged)] == [9, 6]
    assert [seen[piece.key].session for piece in staged] == [upload.session]
    assert all(stored.modified.tzinfo is not None for stored in seen.values())


def test_a_discarded_session_leaves_nothing_and_touches_nothing_else(store: ContentStore):
    blob, other, upload = committed(store, b"committed"), Upload(store), Upload(store)
    other.append(b"staged by another session")
    upload.append(b"a")
    upload.append(b"b")
    for _ in range(2):
        store.discard(upload.session, upload.sealed)
    left = (*blob, *store.staged_pieces(other.session, other.sealed))
    assert set(keys(store)) == {piece.key for piece in left}
    assert joined(store, blob) == b"committed"


def test_discarding_a_session_that_never_wrote_is_nothing(store: ContentStore):
    store.discard(Upload(store).session, ())
    assert list(store.walk()) == []


@pytest.mark.parametrize(
    "session", ("", "..", "../blobs", "A" * 32, "a" * 31, "a" * 33, f"{'a' * 31}/", f"{'a' * 32}\n")
)
def test_a_session_name_that_is_not_ours_never_reaches_the_store(store: ContentStore, session: str):
    with pytest.raises(ValueError, match="session"):
        store.appender(session, (), 0)
    assert list(store.walk()) == []


@pytest.mark.parametrize(
    "key",
    (
        "",
        "..",
        "/etc/passwd",
        "../../etc/passwd",
        "staging/../../etc/passwd",
        f"blobs/sha256/aa/../../../{'a' * 64}.{'a' * 32}",
        f"blobs/md5/aa/{'a' * 64}.{'a' * 32}",
        f"staging/{'a' * 32}\n",
        f"blobs/{'a' * 32}/../{'0' * 20}-{'a' * 32}",
        f"blobs/{'a' * 32}/{'0' * 20}-{'a' * 32}/x",
    ),
)
def test_a_key_that_leads_out_is_refused(store: ContentStore, key: str):
    piece = Piece(store.name, key, 1)
    with pytest.raises(ValueError, match="key"):
        store.delete(key)
    with pytest.raises(ValueError, match="key"):
        list(store.read((piece,), 0, 1))
