import uuid

import pytest
from obstore.store import MemoryStore

from entrepot.content.hashes import RunningHash, RunningHashes, hash_pieces
from entrepot.content.object_store import ObjectStore
from entrepot.oci.digest import ALGORITHMS, Digest

SESSION = "a" * 32


@pytest.fixture
def hashes() -> RunningHashes:
    return RunningHashes(limit=2)


def after(*chunks: bytes, algorithm: str = "sha256") -> RunningHash:
    running = RunningHash(ALGORITHMS[algorithm]())
    for chunk in chunks:
        running.update(chunk)
    return running


@pytest.mark.parametrize("algorithm", ("sha256", "sha512"))
def test_a_session_that_stays_here_goes_on_with_its_hash(hashes: RunningHashes, algorithm: str):
    first = hashes.take(SESSION, 0, algorithm)
    assert first is not None
    first.update(b"hello, ")
    hashes.put(SESSION, first)
    second = hashes.take(SESSION, 7, algorithm)
    assert second is not None
    second.update(b"world")
    assert second.digest() == Digest.of(b"hello, world", algorithm)


@pytest.mark.parametrize(
    ("session", "offset", "algorithm"), (("b" * 32, 5, "sha256"), (SESSION, 6, "sha256"), (SESSION, 5, "sha512"))
)
def test_a_hash_of_anything_else_is_not_handed_out(hashes: RunningHashes, session: str, offset: int, algorithm: str):
    hashes.put(SESSION, after(b"hello"))
    assert hashes.take(session, offset, algorithm) is None


def test_an_append_that_was_abandoned_does_not_spoil_the_hash(hashes: RunningHashes):
    hashes.put(SESSION, after(b"hello"))
    abandoned = hashes.take(SESSION, 5, "sha256")
    assert abandoned is not None
    abandoned.update(b"never sealed")
    again = hashes.take(SESSION, 5, "sha256")
    assert again is not None
    assert again.digest() == Digest.of(b"hello")


def test_the_sessions_used_last_are_the_ones_remembered(hashes: RunningHashes):
    sessions = [uuid.uuid4().hex for _ in range(3)]
    for session in sessions:
        hashes.put(session, after(b"hello"))
    assert [hashes.take(session, 5, "sha256") is not None for session in sessions] == [False, True, True]


def test_a_session_that_ended_is_forgotten(hashes: RunningHashes):
    hashes.put(SESSION, after(b"hello"))
    for _ in range(2):
        hashes.drop(SESSION)
    assert hashes.take(SESSION, 5, "sha256") is None


@pytest.mark.parametrize("algorithm", ("sha256", "sha512"))
@pytest.mark.parametrize("chunks", ((), (b"hello, ", b"world")), ids=("nothing", "two-pieces"))
def test_pieces_are_hashed_as_one(algorithm: str, chunks: tuple[bytes, ...]):
    store, session = ObjectStore(MemoryStore(), "here"), uuid.uuid4().hex
    pieces = []
    for chunk in chunks:
        appender = store.appender(session, pieces, store.staged(session, pieces))
        appender.write(chunk)
        pieces.append(appender.seal())
    assert hash_pieces(store, pieces, algorithm) == Digest.of(b"".join(chunks), algorithm)
