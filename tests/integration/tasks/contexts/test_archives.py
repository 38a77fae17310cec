"""Uploads and archives at an address as contexts, from a real web server."""

import gzip
import io
import os
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from tests.integration.tasks.contexts.conftest import PRIVATE, Fetch
from tests.outside import Asked, answer, redirect, serving

from entrepot.tasks.contexts import archives
from entrepot.tasks.contexts.model import Bounds, ContextFailed
from entrepot.tasks.engines.model import Canceled

SAID = "failed to download source code: unable to download remote context: failed to GET "


def tar_of(**files: bytes) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, content in files.items():
            made = tarfile.TarInfo(name)
            made.size = len(content)
            archive.addfile(made, io.BytesIO(content))
    return held.getvalue()


TAR = tar_of(Dockerfile=b"FROM scratch\n")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_PAUSES", (0.0, 0.0))


def in_order(*answers: Iterable[bytes]) -> Callable[[Asked], Iterable[bytes]]:
    """One after the other; the last one stays."""
    left = list(answers)
    return lambda _asked: left.pop(0) if len(left) > 1 else left[0]


def test_an_upload_is_unpacked(fetched: Fetch, workspace: Path) -> None:
    asked: list[str] = []

    def upload(path: str) -> Iterator[bytes]:
        asked.append(path)
        yield from (TAR[:50], TAR[50:])

    assert fetched("source/2026/abc.tar.gz", upload=upload).root == workspace
    assert (workspace / "Dockerfile").read_bytes() == b"FROM scratch\n"
    assert asked == ["source/2026/abc.tar.gz"]


def test_a_hundred_thousand_small_files_are_unpacked_and_memory_stays_flat(fetched: Fetch, workspace: Path) -> None:
    used: list[int] = []

    def upload(_path: str) -> Iterator[bytes]:
        packing = zlib.compressobj(1, wbits=31)
        for folder in range(FOLDERS):
            used.append(_memory())
            yield packing.compress(b"".join(small_files(f"folder-{folder}")))
        yield packing.compress(bytes(1024)) + packing.flush()

    fetched("source/many.tar.gz", bounds=Bounds(seconds=240), upload=upload)
    assert sum(len(list(folder.iterdir())) for folder in workspace.iterdir()) == FOLDERS * FILES
    assert (workspace / "folder-7" / "file-999").read_bytes() == b"x"
    assert max(used) - used[1] < 16 * 1024 * 1024
    assert Bounds().entries >= FOLDERS * FILES + FOLDERS


FOLDERS, FILES = 100, 1000


def small_files(folder: str) -> Iterator[bytes]:
    """Of one byte each, as they stand in an archive."""
    for number in range(FILES):
        made = tarfile.TarInfo(f"{folder}/file-{number}")
        made.size = 1
        yield made.tobuf(tarfile.USTAR_FORMAT) + b"x".ljust(512, b"\0")


def _memory() -> int:
    """Bytes that the process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_an_upload_that_is_no_archive_is_told(fetched: Fetch) -> None:
    with pytest.raises(
        ContextFailed, match=r"failed to download source code: the archive is broken, or is no tar file"
    ):
        fetched("source/x.tar.gz", upload=lambda _path: [b"<html>" * 100])


def test_no_context_is_an_empty_folder(fetched: Fetch, workspace: Path) -> None:
    assert fetched("/dev/null").root == workspace
    assert list(workspace.iterdir()) == []


@pytest.mark.parametrize("body", [TAR, gzip.decompress(TAR)], ids=["gzip", "plain"])
def test_an_archive_at_an_address_is_unpacked(body: bytes, fetched: Fetch, workspace: Path) -> None:
    with serving(in_order(answer(200, body))) as server:
        fetched(f"http://{server.place}/context.tar?sig=x#ignored:too")
    assert (workspace / "Dockerfile").exists()
    assert [asked.target for asked in server.asked] == ["/context.tar?sig=x"]


def test_what_may_pass_is_tried_three_times(fetched: Fetch, workspace: Path) -> None:
    cut = [b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n", TAR[:60]]
    with serving(in_order(answer(503), cut, answer(200, TAR))) as server:
        fetched(f"http://{server.place}/context.tar.gz")
    assert len(server.asked) == 3
    assert [path.name for path in workspace.iterdir()] == ["Dockerfile"]


def test_a_server_that_fails_three_times_is_told(fetched: Fetch) -> None:
    with serving(in_order(answer(500, b"out of order"))) as server, pytest.raises(ContextFailed) as failed:
        fetched(f"http://{server.place}/context.tar.gz?sig=secret")
    assert str(failed.value) == (
        f"{SAID}http://{server.place}/context.tar.gz with status 500 Internal Server Error: out of order"
    )
    assert len(server.asked) == 3


def test_a_refusal_is_final_and_told_with_the_beginning_of_its_body(fetched: Fetch) -> None:
    with serving(in_order(answer(403, b"no\r\n" + b"x" * 10_000))) as server, pytest.raises(ContextFailed) as failed:
        fetched(f"http://{server.place}/context.tar.gz")
    told = str(failed.value)
    assert told.startswith(f"{SAID}http://{server.place}/context.tar.gz with status 403 Forbidden: no  xxx")
    assert len(told) < 800
    assert len(server.asked) == 1


def test_credentials_are_basic_and_do_not_follow_a_redirect(fetched: Fetch, workspace: Path) -> None:
    with (
        serving(in_order(answer(200, TAR))) as other,
        serving(in_order(redirect(f"http://{other.place}/there.tar"))) as server,
    ):
        fetched(f"http://me:s3cret@{server.place}/context.tar")
    assert server.asked[0].headers["authorization"] == "Basic bWU6czNjcmV0"
    assert "authorization" not in other.asked[0].headers
    assert (workspace / "Dockerfile").exists()


@pytest.mark.parametrize("place", [PRIVATE, "127.0.0.2", "169.254.169.254", "[::1]", "localhost"])
def test_an_address_that_is_not_public_is_refused_also_behind_a_redirect(place: str, fetched: Fetch) -> None:
    with pytest.raises(ContextFailed, match="its address is not public"):
        fetched(f"http://{place}/context.tar")
    with (
        serving(in_order(redirect(f"http://{place}/context.tar"))) as server,
        pytest.raises(ContextFailed, match="its address is not public"),
    ):
        fetched(f"http://{server.place}/context.tar")
    assert len(server.asked) == 1


def test_more_bytes_than_are_allowed_end_it_at_once(fetched: Fetch) -> None:
    with (
        serving(in_order(answer(200, TAR + bytes(100_000)))) as server,
        pytest.raises(ContextFailed, match="larger than is accepted"),
    ):
        fetched(f"http://{server.place}/context.tar", bounds=Bounds(packed=50_000))
    assert len(server.asked) == 1


def test_a_bomb_ends_it_at_once(fetched: Fetch) -> None:
    with (
        serving(in_order(answer(200, tar_of(zeros=bytes(10**7))))) as server,
        pytest.raises(ContextFailed, match="larger than is allowed"),
    ):
        fetched(f"http://{server.place}/context.tar", bounds=Bounds(unpacked=10**6))
    assert len(server.asked) == 1


def test_a_cancel_ends_it_between_two_pieces(fetched: Fetch) -> None:
    canceled = Event()

    def dripping(_asked: Asked) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n" + TAR[:20]
        while not server.over.wait(0.05):
            canceled.set()
            yield b"x"

    with serving(dripping) as server, pytest.raises(Canceled):
        fetched(f"http://{server.place}/context.tar", canceled=canceled)


def test_a_cancel_ends_the_wait_for_a_silent_server(fetched: Fetch) -> None:
    canceled = Event()

    def silent(_asked: Asked) -> Iterator[bytes]:
        canceled.set()
        server.over.wait(60)
        yield b""

    with serving(silent) as server:
        started = monotonic()
        with pytest.raises(Canceled):
            fetched(f"http://{server.place}/context.tar", canceled=canceled)
        assert monotonic() - started < 30
