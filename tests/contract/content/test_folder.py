"""What the folder store does beyond the contract: order of durability, failing disks, files of its own only."""

import os
import re
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract.content.backends import Upload, committed, content, joined
from tests.contract.content.processes import writer

from entrepot.content.folder import SMALL, FolderStore
from entrepot.content.stores import open_store
from entrepot.errors import Kind, Problem
from entrepot.oci.digest import Digest

KIB = 1024
HELLO = Digest.of(b"hello")
# Without the right to mount, a namespace of one's own gives it.
UNSHARED = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> FolderStore:
    return FolderStore(root)


def strace(trace: Path, *options: str) -> tuple[str, ...]:
    """A command before another: what it asks of the kernel, with paths for file numbers."""
    return ("strace", "-f", "-y", "-qq", "-o", str(trace), *options)


def calls(trace: Path) -> list[tuple[str, tuple[str, ...]]]:
    """What was traced: each call's name and the paths it names."""
    found = (re.match(r"\d+\s+(\w+)\((.*)\)\s+= 0$", line) for line in trace.read_text().splitlines())
    return [(call[1], tuple(re.findall(r'[<"](/[^>"]+)[>"]', call[2]))) for call in found if call]


def test_a_commit_syncs_the_file_then_renames_it_then_syncs_its_folder(root: Path, tmp_path: Path):
    upload = Upload(FolderStore(root))
    with writer(f"file://{root}", strace(tmp_path / "trace", "-e", "trace=fsync,fdatasync,/^rename")) as process:
        process.append(upload, 0, 100)
        (piece,) = process.ask("commit", upload)["pieces"]
        process.finish()
    source, target = root / "staging" / upload.session, root / piece["key"]
    traced = [(name, paths) for name, paths in calls(tmp_path / "trace") if paths[0] not in {str(root), str(tmp_path)}]
    assert [(name.removesuffix("at").removesuffix("at2"), paths) for name, paths in traced[-4:]] == [
        ("fsync", (str(target.parent.parent),)),
        ("fsync", (str(source),)),
        ("rename", (str(source), str(target))),
        ("fsync", (str(target.parent),)),
    ]


def test_a_later_commit_into_the_same_folder_syncs_only_file_and_folder(root: Path, tmp_path: Path):
    first, second = Upload(FolderStore(root)), Upload(FolderStore(root))
    with writer(f"file://{root}", strace(tmp_path / "trace", "-e", "trace=fsync,fdatasync")) as process:
        for upload in (first, second):
            process.append(upload, 0, 100)
            process.ask("commit", upload)
        process.finish()
    (*_, before, file, folder) = [paths[0] for _, paths in calls(tmp_path / "trace")]
    assert (before, file) == (folder, str(root / "staging" / second.session))


def test_a_disk_that_loses_bytes_at_the_sync_never_gets_a_second_chance(root: Path, tmp_path: Path):
    """Linux reports a failed write-back once and drops the pages; the next fsync of the same file succeeds."""
    upload = Upload(FolderStore(root))
    path = f"{root}/staging/{upload.session}"
    with writer(f"file://{root}", strace(tmp_path / "trace", "-P", path, "-e", "inject=fsync:error=EIO")) as process:
        process.append(upload, 0, 100)
        assert process.ask("commit", upload) == {"problem": "STORAGE_UNAVAILABLE", "errno": "EIO"}
        process.finish()
    with pytest.raises(Problem) as refused:
        upload.store.commit(upload.session, Digest.of(content(0, 100)), 100, ())
    assert (refused.value.kind, refused.value.detail) == (Kind.UPLOAD_OUT_OF_ORDER, {"offset": 0})
    assert list(upload.store.walk()) == []


def test_bytes_that_the_system_gives_up_on_when_the_file_is_closed_are_not_staged(root: Path, tmp_path: Path):
    """Network file systems write, and fail, as late as that."""
    upload = Upload(FolderStore(root))
    path = f"{root}/staging/{upload.session}"
    with writer(f"file://{root}", strace(tmp_path / "trace", "-P", path, "-e", "inject=close:error=EDQUOT")) as process:
        assert process.ask("append", upload, 0, 100) == {"problem": "STORAGE_FULL", "errno": "EDQUOT"}
        process.finish()
    assert upload.offset == 0


@pytest.mark.parametrize(
    ("error", "kind"), (("ENOSPC", "STORAGE_FULL"), ("EDQUOT", "STORAGE_FULL"), ("EROFS", "STORAGE_UNAVAILABLE"))
)
def test_a_commit_whose_rename_fails_can_be_tried_again(root: Path, tmp_path: Path, error: str, kind: str):
    upload = Upload(FolderStore(root))
    with writer(f"file://{root}", strace(tmp_path / "trace", "-e", f"inject=/^rename:error={error}:when=1")) as process:
        process.append(upload, 0, 100)
        assert process.ask("commit", upload) == {"problem": kind, "errno": error}
        assert len(process.ask("commit", upload)["pieces"]) == 1
        process.finish()


def test_a_full_disk_refuses_the_append_and_leaves_the_session_as_it_was(root: Path):
    root.mkdir()
    mounted = 'mount -t tmpfs -o size=1m none "$1" && shift && exec "$@"'
    upload = Upload(FolderStore(root))
    with writer(f"file://{root}", (*UNSHARED, "sh", "-c", mounted, "sh", str(root))) as process:
        process.append(upload, 0, 512 * KIB)
        for _ in range(2):
            answer = process.ask("append", upload, 512 * KIB, 2048 * KIB)
            assert answer == {"problem": "STORAGE_FULL", "errno": "ENOSPC"}
        process.append(upload, 512 * KIB, 600 * KIB)
        (piece,) = process.ask("commit", upload)["pieces"]
    assert piece["length"] == 600 * KIB


def test_a_store_on_a_read_only_file_system_reads_and_refuses_to_write(root: Path):
    upload, (piece,) = Upload(FolderStore(root)), committed(FolderStore(root), b"hello")
    mounted = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    with writer(f"file://{root}", (*UNSHARED, "sh", "-c", mounted, "sh", str(root))) as process:
        assert process.ask("append", upload, 0, 10) == {"problem": "STORAGE_UNAVAILABLE", "errno": "EROFS"}
        upload.sealed.append(piece)
    assert joined(upload.store, (piece,)) == b"hello"


def test_a_writer_that_was_overtaken_by_the_commit_cannot_touch_the_blob(root: Path, tmp_path: Path):
    """It has the staging file open, but not yet locked, when another process commits it."""
    upload = Upload(FolderStore(root))
    upload.append(b"hello")
    delayed = strace(tmp_path / "trace", "-e", "inject=flock:delay_enter=3000000")
    with writer(f"file://{root}", delayed) as process:
        process.tell("append", upload, 5, 10)
        wait_until_open(Path(f"/proc/{process.pid}/task/{process.pid}/children"), root / "staging" / upload.session)
        pieces = upload.store.commit(upload.session, HELLO, 5, ())
        assert process.answer() == {"problem": "UPLOAD_BUSY"}
        process.finish()
    assert joined(upload.store, pieces) == b"hello"
    assert upload.store.local_path(pieces) is not None


def wait_until_open(children: Path, path: Path) -> None:
    """Until one of the processes has the file open."""
    deadline = time.monotonic() + 30
    while not any(str(path) == opened for pid in children.read_text().split() for opened in open_files(pid)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def open_files(pid: str) -> list[str]:
    """The paths behind a process's file numbers; they come and go while one looks."""
    found: list[str] = []
    for number in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(number.readlink()))
        except FileNotFoundError:
            continue
    return found


def test_a_file_url_opens_the_folder_and_makes_it_where_it_is_missing(tmp_path: Path):
    store = open_store(f"file://{tmp_path}/a%20b/c", "here")
    assert {piece.store for piece in committed(store, b"hello")} == {"here"}
    assert (tmp_path / "a b" / "c" / "blobs").is_dir()


def test_a_commit_is_refused_while_a_writer_is_at_it(store: FolderStore):
    upload = Upload(store)
    upload.append(b"hello")
    appender = store.appender(upload.session, (), 5)
    with pytest.raises(Problem, match="UPLOAD_BUSY"):
        store.commit(upload.session, HELLO, 5, ())
    appender.abandon()
    assert joined(store, store.commit(upload.session, HELLO, 5, ())) == b"hello"


def test_a_session_starts_over_after_its_commit_without_touching_the_blob(store: FolderStore):
    upload = Upload(store)
    upload.append(b"hello")
    pieces = store.commit(upload.session, HELLO, 5, ())
    with pytest.raises(Problem) as refused:
        store.appender(upload.session, (), 5)
    assert refused.value.detail == {"offset": 0}
    assert [stored.key for stored in store.walk()] == [pieces[0].key]
    upload.append(b"other")
    store.discard(upload.session, ())
    assert joined(store, pieces) == b"hello"


def test_the_local_file_of_a_blob_is_its_bytes(store: FolderStore):
    pieces = committed(store, b"hel", b"lo")
    path = store.local_path(pieces)
    assert path is not None
    assert path.read_bytes() == b"hello"
    store.delete(pieces[0].key)
    assert store.local_path(pieces) is None
    assert store.local_path((*pieces, *pieces)) is None


def test_a_small_blob_is_read_at_once_and_a_large_one_is_not(store: FolderStore):
    (piece,) = committed(store, b"hello")
    assert store.small((piece,)) == b"hello"
    assert store.small((piece, piece)) is None
    assert store.small((replace(piece, length=6),)) is None
    assert store.small(committed(store, bytes(SMALL + 1))) is None
    store.delete(piece.key)
    assert store.small((piece,)) is None


def test_nobody_else_on_the_machine_may_read_the_store(root: Path, store: FolderStore):
    committed(store, b"hello")
    Upload(store).append(b"staged")
    modes = {stat.filemode(path.stat().st_mode) for path in (root, *root.rglob("*"))}
    assert modes == {"drwx------", "-rw-------"}


def test_files_that_the_store_did_not_name_are_left_alone(root: Path, store: FolderStore):
    pieces = committed(store, b"hello")
    (root / "staging" / "notes.txt").write_text("mine")
    (root / "blobs" / "sha256" / "lost+found").mkdir()
    (root / "blobs" / "README").write_text("mine")
    assert [stored.key for stored in store.walk()] == [pieces[0].key]


def test_a_link_in_place_of_a_staging_file_is_not_followed(root: Path, store: FolderStore, tmp_path: Path):
    upload, victim = Upload(store), tmp_path / "victim"
    victim.write_bytes(b"")
    (root / "staging" / upload.session).symlink_to(victim)
    with pytest.raises(Problem) as refused:
        store.appender(upload.session, (), 0)
    assert (refused.value.kind, refused.value.detail) == (Kind.STORAGE_UNAVAILABLE, {"errno": "ELOOP"})
    assert victim.read_bytes() == b""


def test_a_root_that_went_away_fails_the_probe(root: Path, store: FolderStore):
    root.rename(root.with_name("unmounted"))
    with pytest.raises(Problem) as failed:
        store.probe()
    assert (failed.value.kind, failed.value.detail) == (Kind.STORAGE_UNAVAILABLE, {"errno": "ENOENT"})


def test_a_file_in_place_of_the_root_is_refused_without_its_path(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem) as refused:
        FolderStore(tmp_path / "file")
    assert (refused.value.kind, refused.value.detail) == (Kind.STORAGE_UNAVAILABLE, {"errno": "ENOTDIR"})
