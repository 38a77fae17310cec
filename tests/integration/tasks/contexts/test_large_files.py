"""What git-lfs keeps beside a repository, from a real git server with a fake of git-lfs's."""

import hashlib
from pathlib import Path

import pytest
from tests.gits import GitServer, Repository, git_server
from tests.integration.tasks.contexts.conftest import PRIVATE, Fetch

from entrepot.tasks.contexts.model import Bounds, ContextFailed

CONTENT = bytes(range(256)) * 1000
ATTRIBUTES = {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"}


def pointer(content: bytes) -> str:
    oid = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"


@pytest.fixture
def large(app: Repository, server: GitServer) -> str:
    """The digest of a file that the commit has a pointer to."""
    app.commit("large", {**ATTRIBUTES, "deep/model.bin": pointer(CONTENT), "model.txt": pointer(CONTENT)})
    oid = hashlib.sha256(CONTENT).hexdigest()
    server.large[oid] = CONTENT
    return oid


def test_pointers_are_replaced_by_what_they_name(
    large: str, server: GitServer, fetched: Fetch, workspace: Path
) -> None:
    server.password = "s3cret-token"
    fetched(f"http://reader:{server.password}@127.0.0.1:{server.port}/app.git#main")
    assert (workspace / "deep/model.bin").read_bytes() == CONTENT
    # Not one that .gitattributes has.
    assert (workspace / "model.txt").read_text() == pointer(CONTENT)


def test_the_token_does_not_go_to_another_server_of_files(large: str, server: GitServer, fetched: Fetch) -> None:
    server.password = "s3cret-token"
    with git_server(Path("/nonexistent")) as other:
        other.large = server.large
        server.large_at = other.url
        fetched(f"http://reader:{server.password}@127.0.0.1:{server.port}/app.git#main")
    assert other.asked == [(f"/large/{large}", None)]


def test_a_large_file_that_is_not_there_is_told(large: str, server: GitServer, fetched: Fetch) -> None:
    server.large.clear()
    with pytest.raises(ContextFailed, match=f"the server has no large file {large}: gone"):
        fetched(f"{server.url}/app.git")


@pytest.mark.parametrize("wrong", [CONTENT[:-1], CONTENT + b"x", bytes(len(CONTENT))])
def test_other_bytes_are_refused(wrong: bytes, large: str, server: GitServer, fetched: Fetch) -> None:
    server.large[large] = wrong
    with pytest.raises(ContextFailed, match="other bytes than those of the large file"):
        fetched(f"{server.url}/app.git")


def test_large_files_count(large: str, server: GitServer, fetched: Fetch) -> None:
    with pytest.raises(ContextFailed, match="larger files than are allowed"):
        fetched(f"{server.url}/app.git", bounds=Bounds(unpacked=200_000))


def test_a_server_that_sends_us_to_a_private_address_is_refused(large: str, server: GitServer, fetched: Fetch) -> None:
    server.large_at = f"http://{PRIVATE}:{server.port}"
    with pytest.raises(ContextFailed, match=r"error fetching large files: private\.example: its address is not public"):
        fetched(f"{server.url}/app.git")


def test_a_link_is_no_pointer(app: Repository, server: GitServer, fetched: Fetch, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text(pointer(CONTENT))
    (app.work / "link.bin").symlink_to(outside)
    app.commit("link", ATTRIBUTES)
    server.large[hashlib.sha256(CONTENT).hexdigest()] = CONTENT
    fetched(f"{server.url}/app.git")
    assert outside.read_text() == pointer(CONTENT)
