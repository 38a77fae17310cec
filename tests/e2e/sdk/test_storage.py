"""Sources and logs of runs through the unchanged azure-storage-blob, the newest one and az's own with az's own code."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobClient
from tests.e2e.az.cli import PYTHON, environment_of
from tests.e2e.clients import shell_in
from tests.e2e.sdk.storage import Storage, storage_of
from tests.services import Registry, entrepot

from entrepot.oci.digest import Digest

MIB = 1024 * 1024
LINE = b"2024/05/06 07:08:09 a line of a log, as long as such lines are\r\n"
Client = Callable[[str], BlobClient]

# What `az acr build` does with the two URLs that the management API gives it, in az's own words.
AZ_UPLOADS = """
import sys
from azure.storage.blob import BlobClient
client = BlobClient.from_blob_url(sys.argv[1], connection_timeout=300)
with open(sys.argv[2], "rb") as data:
    client.upload_blob(data=data, blob_type="BlockBlob", overwrite=True)
"""
AZ_FOLLOWS = """
import sys
from azure.cli.command_modules.acr._stream_utils import DEFAULT_CHUNK_SIZE, _stream_logs
from azure.storage.blob import BlobClient
_stream_logs(True, DEFAULT_CHUNK_SIZE, 120, BlobClient.from_blob_url(sys.argv[1]), True)
"""


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One without workers of tasks: the tests themselves say what its runs do."""
    with entrepot(tmp_path_factory.mktemp("idle") / "data", environment={"ENTREPOT_TASK_RUNS": "0"}) as registry:
        yield registry


@pytest.fixture(params=["localhost", "127.0.0.1"])
def storage(request: pytest.FixtureRequest, idle: Registry) -> Iterator[Storage]:
    with storage_of(idle, idle.endpoint.replace("localhost", request.param)) as storage:
        yield storage


@pytest.fixture
def client(idle: Registry) -> Client:
    """Refusals shall be seen at once."""
    return lambda url: BlobClient.from_blob_url(url, connection_verify=str(idle.ca), retry_total=0)


def some(length: int) -> bytes:
    return bytes(range(251)) * (length // 251 + 1)


# --- sources ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 5 * MIB, 70 * MIB], ids=["empty", "byte", "whole", "in-blocks"])
def test_a_source_goes_up_and_comes_back(storage: Storage, client: Client, length: int) -> None:
    content, upload = some(length)[:length], storage.upload()
    blob = client(upload.url)
    assert not blob.exists()
    blob.upload_blob(content)
    assert storage.digest(upload) == (length, Digest.of(content))
    assert blob.get_blob_properties().size == length
    assert blob.download_blob().readall() == content
    with pytest.raises(ResourceExistsError):
        blob.upload_blob(b"other")
    blob.upload_blob(b"other", overwrite=True)
    assert blob.download_blob().readall() == b"other"


def test_several_blocks_at_once_arrive_in_their_order(idle: Registry) -> None:
    content = some(9 * MIB)[: 9 * MIB]
    with storage_of(idle, idle.endpoint) as storage:
        upload = storage.upload()
        blob = BlobClient.from_blob_url(
            upload.url, connection_verify=str(idle.ca), max_single_put_size=MIB, max_block_size=MIB
        )
        blob.upload_blob(content, max_concurrency=4)
        assert storage.digest(upload) == (len(content), Digest.of(content))


def test_blocks_by_hand_are_staged_and_committed(storage: Storage, client: Client) -> None:
    upload = storage.upload()
    blob = client(upload.url)
    for name in ("b", "a"):
        blob.stage_block(name, name.encode() * 3)
    blob.commit_block_list([BlobBlock("a"), BlobBlock("b")])
    assert storage.digest(upload) == (6, Digest.of(b"aaabbb"))


def test_a_url_that_was_changed_is_refused(storage: Storage, client: Client) -> None:
    url = storage.upload().url.replace("sig=", "sig=A")
    with pytest.raises(ClientAuthenticationError) as refused:
        client(url).upload_blob(b"x")
    assert "ErrorCode:AuthenticationFailed" in str(refused.value)


@pytest.mark.parametrize(
    "origin", ["https://localhost:5000", "https://127.0.0.1:5000", "https://registry.example.com", "https://a.core.b"]
)
def test_every_form_of_host_leaves_the_path_as_it_is(idle: Registry, origin: str) -> None:
    with storage_of(idle, origin) as storage:
        for url in (storage.upload().url, storage.log_url(storage.begin_run())):
            assert BlobClient.from_blob_url(url).url == url


# --- logs -------------------------------------------------------------------------------------------------------------


def test_a_growing_log_is_read_range_by_range(storage: Storage, client: Client) -> None:
    run, read = storage.begin_run(), b""
    blob = client(storage.log_url(run))
    assert not blob.exists()
    with pytest.raises(ResourceNotFoundError):
        blob.get_blob_properties()
    for _ in range(3):
        storage.write(run, LINE * 100)
        properties = blob.get_blob_properties()
        assert not properties.metadata
        while len(read) < properties.size:
            read += blob.download_blob(offset=len(read), length=4096, max_concurrency=1).readall()
    storage.finish(run, "Failed")
    assert {key.lower(): text for key, text in blob.get_blob_properties().metadata.items()} == {"complete": "failed"}
    assert read == LINE * 300 == blob.download_blob().readall()


# --- az ---------------------------------------------------------------------------------------------------------------


def az(server: Registry, folder: Path, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
    shell = shell_in(folder)
    environment = {**shell.environment, **environment_of(server, shell)}
    return subprocess.Popen(
        [PYTHON, "-u", "-c", program, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_az_uploads_a_context_in_blocks(storage: Storage, idle: Registry, tmp_path: Path) -> None:
    content, upload = some(66 * MIB), storage.upload()
    (tmp_path / "context.tar.gz").write_bytes(content)
    uploading = az(idle, tmp_path / "az", AZ_UPLOADS, upload.url, str(tmp_path / "context.tar.gz"))
    said, _ = uploading.communicate(timeout=240)
    assert uploading.returncode == 0, said
    assert storage.digest(upload) == (len(content), Digest.of(content))


@pytest.mark.parametrize(("status", "code"), [("Succeeded", 0), ("Failed", 1)])
def test_az_follows_a_growing_log_to_its_end_and_takes_its_exit_code_from_there(
    idle: Registry, tmp_path: Path, status: str, code: int
) -> None:
    with storage_of(idle, idle.endpoint) as storage:
        run = storage.begin_run()
        following = az(idle, tmp_path / "az", AZ_FOLLOWS, storage.log_url(run))
        try:
            assert following.stdout is not None
            storage.write(run, LINE)
            first = following.stdout.readline()
            storage.write(run, LINE * 200 + b"the last words")
            storage.finish(run, status)
            said, _ = following.communicate(timeout=120)
        finally:
            following.kill()
            following.wait()
    assert following.returncode == code, said
    lines = [text.strip() for text in (first + said).splitlines()]
    assert [text for text in lines if text == LINE.strip()] == [LINE.strip()] * 201
    assert b"the last words" in lines
