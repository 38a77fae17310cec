"""A disk that fails at one step: the client is told, nothing is half there, and it can go on when the disk is well.

The kernel itself refuses (strace injects the error into a web worker), so the whole server is at work and nothing of it
is replaced.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.content import an_image, digest_of, some_bytes
from tests.faults.plain import Repository, plain_server, repository_of, told
from tests.faults.serve.seen import processes_of
from tests.faults.strace import needs_strace, refusing
from tests.invariants import assert_clean

pytestmark = needs_strace

STATUS = {"EIO": (503, "UNAVAILABLE"), "EROFS": (503, "UNAVAILABLE"), "ENOSPC": (507, "UNAVAILABLE")}
HALF = 1000
LARGE = 40_000_000  # more than the sockets' buffers take
RANGE = {"range": f"bytes=0-{LARGE - 10}"}


@dataclass(frozen=True)
class Site:
    """A server, its one web worker, and a client."""

    data_dir: Path
    worker: int
    app: Repository

    def staging(self, location: str) -> Path:
        return self.data_dir / "content" / "staging" / location.rpartition("/")[2]

    def fan(self, content: bytes) -> Path:
        """The folder that a blob comes into."""
        algorithm, _, encoded = digest_of(content).partition(":")
        return self.data_dir / "content" / "blobs" / algorithm / encoded[:2]

    @property
    def log(self) -> Path:
        return self.data_dir / "catalog.sqlite-wal"

    def half_an_upload(self, content: bytes) -> str:
        """Its location."""
        location = self.app.start().headers["location"]
        assert self.app.http.patch(location, content=content[:HALF]).status_code == 202
        return location

    def file_of(self, content: bytes) -> Path:
        (file,) = self.fan(content).glob(f"{digest_of(content).partition(':')[2]}.*")
        return file


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    data_dir = tmp_path_factory.mktemp("disk") / "data"
    with plain_server(data_dir, "--workers", "1") as registry, repository_of(registry) as app:
        (worker,) = processes_of(registry).web
        yield Site(data_dir, worker, app)
        assert (worker,) == processes_of(registry).web
        assert_clean(data_dir)


@pytest.mark.parametrize(("call", "error"), [("openat", "EIO"), ("write", "EIO"), ("write", "ENOSPC")])
def test_a_chunk_that_is_refused_leaves_the_session_as_it_was(site: Site, call: str, error: str) -> None:
    content = some_bytes(3000, f"{call} {error}")
    location = site.half_an_upload(content)
    with refusing(site.worker, call, error, site.staging(location)):
        assert told(site.app.http.patch(location, content=content[HALF:])) == STATUS[error]
        assert told(site.app.close(location, content, content[HALF:])) == STATUS[error]
    assert site.app.http.get(location).headers["range"] == f"0-{HALF - 1}"
    assert site.app.close(location, content, content[HALF:]).status_code == 201


@pytest.mark.parametrize(("call", "error"), [("rename", "EIO"), ("rename", "ENOSPC"), ("fdatasync", "EIO")])
def test_a_close_that_is_refused_after_the_last_byte_can_be_repeated(site: Site, call: str, error: str) -> None:
    content = some_bytes(3000, f"close, {call} {error}")
    location = site.half_an_upload(content)
    with refusing(site.worker, call, error, site.log if call == "fdatasync" else site.staging(location)):
        assert told(site.app.close(location, content, content[HALF:])) == STATUS[error]
        assert not site.app.has(f"blobs/{digest_of(content)}")
    assert site.app.close(location, content).status_code == 201
    assert site.app.has(f"blobs/{digest_of(content)}")


def test_a_close_whose_folder_was_not_synced_can_be_repeated(site: Site) -> None:
    first, content = some_bytes(3000, "folder"), some_bytes(3000, "folder again")
    for blob in (first, content):
        site.fan(blob).mkdir(exist_ok=True, parents=True)
    location = site.half_an_upload(content)
    with refusing(site.worker, "fsync", "EIO", site.fan(content)):
        assert told(site.app.close(location, content, content[HALF:])) == STATUS["EIO"]
        assert not site.app.has(f"blobs/{digest_of(content)}")
    assert site.app.close(location, content).status_code == 201


def test_bytes_that_could_not_be_synced_are_asked_for_again(site: Site) -> None:
    """Linux forgets them, and the next fsync would succeed."""
    content = some_bytes(3000, "lost")
    location = site.half_an_upload(content)
    with refusing(site.worker, "fsync", "EIO", site.staging(location)):
        assert told(site.app.close(location, content, content[HALF:])) == STATUS["EIO"]
        assert not site.app.has(f"blobs/{digest_of(content)}")
    assert site.app.http.get(location).headers["range"] == "0-0"
    assert site.app.close(location, content, content).status_code == 201


@pytest.mark.parametrize(("call", "error"), [("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("fdatasync", "EIO")])
def test_a_manifest_that_the_catalog_cannot_write_down_is_not_there(site: Site, call: str, error: str) -> None:
    image, tag = an_image(f"{call} {error}"), f"{call}-{error}"
    assert site.app.push(image, "before").status_code == 201
    moved = an_image(f"{call} {error}, moved", layers=0)
    for blob in moved.blobs.values():
        assert site.app.push_blob(blob).status_code == 201
    with refusing(site.worker, call, error, site.log):
        assert told(site.app.put(moved, "before")) == STATUS[error]
        assert told(site.app.put(moved, tag)) == STATUS[error]
        assert told(site.app.http.delete(site.app.path("manifests/before"))) == STATUS[error]
        assert site.app.pull("before") == image
    assert not site.app.has(f"manifests/{moved.digest}")
    assert site.app.put(moved, tag).status_code == 201


@pytest.mark.parametrize(("call", "headers"), [("read", {}), ("pread64", RANGE)], ids=["whole", "range"])
def test_a_download_that_meets_an_error_breaks_off(site: Site, call: str, headers: dict[str, str]) -> None:
    content = some_bytes(LARGE, call)
    assert site.app.push_blob(content).status_code == 201
    received = bytearray()

    def receive(arriving: Iterator[bytes]) -> None:
        for piece in arriving:
            received.extend(piece)

    with site.app.http.stream("GET", site.app.path(f"blobs/{digest_of(content)}"), headers=headers) as answer:
        arriving = answer.iter_raw()
        received += next(arriving)
        with refusing(site.worker, call, "EIO", site.file_of(content)), pytest.raises(httpx.TransportError):
            receive(arriving)
    assert content.startswith(received)
    assert len(received) < int(answer.headers["content-length"])


# Of a file that the web server sends by itself we hear no more once it is open.
@pytest.mark.parametrize(
    ("call", "ranges"),
    [
        ("openat", ""),
        ("openat", "bytes=1-100"),
        ("pread64", "bytes=1-100"),
        ("pread64", "bytes=1-100,200-300"),
    ],
    ids=["open-whole", "open-range", "read-range", "read-ranges"],
)
def test_a_blob_that_cannot_be_read_is_unavailable_and_not_unknown(site: Site, call: str, ranges: str) -> None:
    content = some_bytes(3000, f"{call} {ranges}")
    assert site.app.push_blob(content).status_code == 201
    target = site.app.path(f"blobs/{digest_of(content)}")
    headers = {"range": ranges} if ranges else {}
    with refusing(site.worker, call, "EIO", site.file_of(content)):
        assert told(site.app.http.get(target, headers=headers)) == STATUS["EIO"]
    assert site.app.http.get(target).content == content
