"""Several processes and one store: sessions change hands, and processes die."""

import pytest
from tests.contract.content.backends import Upload, content, joined, keys
from tests.contract.content.conftest import OBJECT_STORES, SHARED, Backend
from tests.contract.content.processes import writer

from entrepot.content.model import Piece

pytestmark = pytest.mark.xdist_group("content-stores")

MIB = 1024 * 1024


@pytest.fixture(params=SHARED)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each store that several processes can share, in turn."""
    return request.getfixturevalue(f"{request.param}_backend")


def test_two_processes_take_turns_and_one_is_killed_between_two_pieces(backend: Backend):
    upload = Upload(backend.store)
    with writer(backend.spec) as first, writer(backend.spec) as second:
        first.append(upload, 0, 100)
        second.append(upload, 100, 9 * MIB)
        first.append(upload, 9 * MIB, 9 * MIB + 1)
        first.kill()
        assert upload.offset == 9 * MIB + 1
        second.append(upload, 9 * MIB + 1, 10 * MIB)
        pieces = tuple(Piece(**piece) for piece in second.ask("commit", upload)["pieces"])
    assert joined(backend.store, pieces) == content(0, 10 * MIB)
    assert set(keys(backend.store)) == {piece.key for piece in pieces}


@pytest.mark.parametrize("order", ("hold", "write_on"), ids=("after-a-write", "in-mid-write"))
def test_a_session_goes_on_after_its_writer_was_killed(backend: Backend, order: str):
    upload = Upload(backend.store)
    with writer(backend.spec) as first, writer(backend.spec) as second:
        first.append(upload, 0, 100)
        assert "problem" not in first.ask(order, upload, 100, 100 + 64 * MIB)
        first.kill()
        survived = upload.offset
        assert 100 <= survived <= 100 + 64 * MIB
        second.append(upload, survived, survived + MIB)
        assert upload.bytes() == content(0, survived + MIB)
        assert joined(backend.store, upload.commit()) == content(0, survived + MIB)


def test_a_folder_refuses_a_second_writer_in_another_process_until_the_first_is_gone(folder_backend: Backend):
    upload = Upload(folder_backend.store)
    with writer(folder_backend.spec) as first, writer(folder_backend.spec) as second:
        first.ask("hold", upload, 0, 10)
        assert second.ask("append", upload, 10, 20) == {"problem": "UPLOAD_BUSY"}
        assert upload.bytes() == content(0, 10)
        first.kill()
        second.append(upload, 10, 20)
    assert upload.bytes() == content(0, 20)


@pytest.mark.parametrize("kind", OBJECT_STORES)
def test_of_two_processes_that_append_to_one_object_store_session_the_loser_deletes_its_own(
    request: pytest.FixtureRequest, kind: str
):
    """Which one lost, the catalog says: the first to insert its piece at the offset won."""
    backend: Backend = request.getfixturevalue(f"{kind}_backend")
    upload = Upload(backend.store)
    with writer(backend.spec) as first, writer(backend.spec) as second:
        won, lost = (process.ask("append", upload, 0, 10)["piece"] for process in (first, second))
        assert won["key"] != lost["key"]
        upload.record(Piece(**won))
        backend.store.delete(lost["key"])
    assert upload.bytes() == content(0, 10)
    assert list(keys(backend.store)) == [won["key"]]


@pytest.mark.timeout(180)
def test_memory_stays_flat_while_a_large_blob_goes_in_and_out(backend: Backend):
    with writer(backend.spec) as process:
        weighed = process.ask("weigh", Upload(backend.store), 0, 256 * MIB)
    assert weighed["read"] == 256 * MIB
    assert weighed["grown"] < 64 * MIB
