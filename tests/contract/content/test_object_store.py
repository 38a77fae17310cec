"""What the object store does beyond the contract: nothing left behind, failures bounded and told plainly."""

import json
import time
import urllib.error
import urllib.request
import uuid
from http import HTTPStatus

import obstore
import pytest
from obstore.store import MemoryStore, S3Store
from tests.contract.content.backends import Upload, content
from tests.contract.content.conftest import Backend
from tests.contract.content.servers import BUCKET, Server, free_ports

from entrepot.content.model import Piece
from entrepot.content.object_store import PART, ObjectAppender, ObjectStore
from entrepot.content.stores import open_store
from entrepot.errors import Kind, Problem

pytestmark = pytest.mark.xdist_group("content-stores")

KEY = f"blobs/{'a' * 32}/{'0' * 20}-{'b' * 32}"


def uploads_under_way(server: Server) -> set[str]:
    """The multipart uploads that the S3 server keeps parts of; its filer shows them as folders."""
    request = urllib.request.Request(
        f"{server.admin}/buckets/{BUCKET}/.uploads/?limit=1000", headers={"Accept": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return {entry["FullPath"] for entry in json.load(answer)["Entries"] or ()}
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.NOT_FOUND:  # the folder is there from the first upload on
            raise
        return set()


def test_an_abandoned_multipart_upload_leaves_no_parts(s3_backend: Backend, s3_server: Server):
    before = uploads_under_way(s3_server)
    upload = Upload(s3_backend.store)
    appender = s3_backend.store.appender(upload.session, (), 0)
    for start in range(0, 4 * PART, PART):
        appender.write(content(start, start + PART))
    assert uploads_under_way(s3_server) - before
    appender.abandon()
    assert uploads_under_way(s3_server) <= before
    assert list(s3_backend.store.walk()) == []


@pytest.fixture
def unreachable() -> ObjectStore:
    """A store whose server is not there, and which does not try twice."""
    with free_ports(1) as (port,):
        pass
    bucket = S3Store(
        BUCKET,
        config={"endpoint": f"http://127.0.0.1:{port}", "access_key_id": "key", "secret_access_key": "not-a-secret"},
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    return ObjectStore(bucket, "here")


@pytest.mark.parametrize("length", (10, 5 * PART), ids=("little", "parts"))
def test_an_append_to_a_store_that_is_away_fails_and_frees_the_session(unreachable: ObjectStore, length: int):
    session = uuid.uuid4().hex
    for _ in range(2):
        appender = unreachable.appender(session, (), 0)
        with pytest.raises(Problem) as failed:
            append(appender, length)
        appender.abandon()
        assert (failed.value.kind, failed.value.detail) == (Kind.STORAGE_UNAVAILABLE, {"reason": "GenericError"})


def append(appender: ObjectAppender, length: int) -> None:
    """Write and seal."""
    for start in range(0, length, PART):
        appender.write(content(start, min(start + PART, length)))
    appender.seal()


def test_every_other_use_of_a_store_that_is_away_fails_too(unreachable: ObjectStore):
    uses = (
        lambda: list(unreachable.read((Piece("here", KEY, 1),), 0, 1)),
        lambda: unreachable.delete(KEY),
        lambda: list(unreachable.walk()),
        unreachable.probe,
    )
    for use in uses:
        with pytest.raises(Problem) as failed:
            use()
        assert failed.value.kind is Kind.STORAGE_UNAVAILABLE


@pytest.mark.timeout(90)
def test_a_store_that_is_away_is_known_to_be_away_within_a_minute(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    with free_ports(1) as (port,):
        pass
    store = open_store(f"s3://bucket?endpoint=http://127.0.0.1:{port}")
    started = time.monotonic()
    with pytest.raises(Problem, match="STORAGE_UNAVAILABLE"):
        list(store.walk())
    assert time.monotonic() - started < 60


def test_a_store_that_refuses_our_key_is_a_failure_that_does_not_tell_the_key(
    s3_server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "entrepot")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    upload = Upload(open_store(s3_server.url("refused")))
    with pytest.raises(Problem) as failed:
        upload.append(b"hello")
    assert failed.value.kind is Kind.STORAGE_UNAVAILABLE
    assert failed.value.detail.keys() == {"reason"}
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(("lying_there", "sealed"), ((b"hello", True), (b"hell", False)), ids=("ours", "another"))
def test_a_put_whose_answer_got_lost_counts_if_the_object_is_there(lying_there: bytes, sealed: bool):
    bucket = MemoryStore()
    obstore.put(bucket, KEY, lying_there)
    appender = ObjectAppender(bucket, lambda length: Piece("here", KEY, length), lambda: None)
    appender.write(b"hello")
    if sealed:
        assert appender.seal() == Piece("here", KEY, 5)
    else:
        with pytest.raises(Problem, match="STORAGE_UNAVAILABLE"):
            appender.seal()


def test_objects_that_the_store_did_not_name_are_left_alone():
    bucket = MemoryStore()
    obstore.put(bucket, "blobs/README", b"mine")
    obstore.put(bucket, KEY, b"hello")
    assert [stored.key for stored in ObjectStore(bucket, "here").walk()] == [KEY]
