"""Archives of contexts: what good ones become, and that bad ones do no harm."""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.tasks.contexts.model import Bounds, ContextFailed, Watch
from entrepot.tasks.contexts.unpack import unpack
from entrepot.tasks.engines.model import Canceled

DEVICE = {"chr": tarfile.CHRTYPE, "blk": tarfile.BLKTYPE, "fifo": tarfile.FIFOTYPE}


def entry(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.size = len(content)
    for field, value in fields.items():
        setattr(made, field, value)
    return made, content


def folder(name: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=tarfile.DIRTYPE, mode=mode)


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=tarfile.SYMTYPE, linkname=target)


def second_name(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=tarfile.LNKTYPE, linkname=target)


def tar(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=form) as archive:
        for made, content in entries:
            archive.addfile(made, io.BytesIO(content))
    return held.getvalue()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The folder to fill, in one where nothing may appear."""
    made = tmp_path / "around" / "workspace"
    made.mkdir(parents=True)
    return made


def put(archive: bytes, target: Path, piece: int = 1000, bounds: Bounds | None = None) -> None:
    pieces: Iterable[bytes] = (archive[at : at + piece] for at in range(0, len(archive), piece))
    unpack(pieces, target, bounds or Bounds(), Watch(monotonic() + 60, Event()))


def tree(target: Path) -> dict[str, str | bytes | None]:
    """Files with their content, links with their text, folders with nothing."""
    found: dict[str, str | bytes | None] = {}
    for path in sorted(target.rglob("*")):
        name = path.relative_to(target).as_posix()
        found[name] = str(path.readlink()) if path.is_symlink() else None if path.is_dir() else path.read_bytes()
    return found


GOOD = tar(folder(""), folder("app"), entry("app/main.py", b"print()" * 500), entry("./Dockerfile", b"FROM scratch"))
GOOD_TREE = {"app": None, "app/main.py": b"print()" * 500, "Dockerfile": b"FROM scratch"}


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["plain", "gzip", "bzip2", "xz"]
)
@pytest.mark.parametrize("piece", [1, 999, 10**6])
def test_an_archive_is_unpacked_whatever_packed_it(pack: Callable[[bytes], bytes], piece: int, target: Path) -> None:
    put(pack(GOOD), target, piece)
    assert tree(target) == GOOD_TREE


def test_packed_archives_may_have_several_parts_and_padding(target: Path) -> None:
    put(gzip.compress(GOOD[:700]) + gzip.compress(GOOD[700:]) + bytes(1024), target, 37)
    assert tree(target) == GOOD_TREE


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_read_in_each_format(form: int, target: Path) -> None:
    name = "/".join(["folder" * 5] * 6) + "/file"
    put(tar(entry(name, b"x"), form=form), target)
    assert (target / name).read_bytes() == b"x"


def test_files_are_ours_and_keep_permissions_and_times(target: Path) -> None:
    put(
        tar(
            folder("closed", mode=0o555),
            entry("closed/run.sh", b"#!", mode=0o750, mtime=1_600_000_000, uid=12345, gid=54321, uname="root"),
            entry("closed/none", mode=0),
        ),
        target,
    )
    run = (target / "closed/run.sh").stat()
    assert (stat.S_IMODE(run.st_mode), run.st_mtime, run.st_uid) == (0o750, 1_600_000_000, os.getuid())
    # Whoever fetched it can read it all, and remove it.
    assert stat.S_IMODE((target / "closed").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "closed/none").stat().st_mode) == 0o400


def test_setuid_setgid_and_sticky_bits_are_dropped(target: Path) -> None:
    put(tar(entry("su", mode=0o6755), folder("shared", mode=0o3777)), target)
    assert stat.S_IMODE((target / "su").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "shared").stat().st_mode) == 0o777


def test_links_within_the_folder_stay_as_they_are(target: Path) -> None:
    put(
        tar(
            entry("a/file", b"x"),
            link("a/same", "file"),
            link("up", "a/../a/file"),
            link("root/etc/mtab", "/proc/mounts"),  # means the container's root, wherever it is copied to
            second_name("b/twin", "a/file"),
        ),
        target,
    )
    links = {"a/same": "file", "up": "a/../a/file", "root/etc/mtab": "/proc/mounts"}
    folders = {"a": None, "b": None, "root": None, "root/etc": None}
    assert tree(target) == {"a/file": b"x", "b/twin": b"x", **links, **folders}
    assert (target / "b/twin").samefile(target / "a/file")


def test_the_last_entry_of_a_name_counts(target: Path) -> None:
    put(tar(entry("a", b"1"), second_name("b", "a"), entry("b", b"2"), folder("c"), folder("c", mode=0o700)), target)
    assert tree(target) == {"a": b"1", "b": b"2", "c": None}


def test_a_file_replaces_a_link_of_its_name_and_writes_nothing_through_it(target: Path) -> None:
    outside = target.parent / "outside"
    outside.write_bytes(b"mine")
    put(tar(link("x", str(outside)), entry("x", b"yours")), target)
    assert outside.read_bytes() == b"mine"
    assert tree(target) == {"x": b"yours"}


def test_a_name_from_the_root_is_one_of_the_folder(target: Path) -> None:
    put(tar(entry("//etc/passwd", b"x")), target)
    assert tree(target) == {"etc": None, "etc/passwd": b"x"}


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([entry("../evil")], "leads out"),
        ([entry("a/../../evil")], "leads out"),
        ([entry("a/..")], "leads out"),
        ([link("out", "../../evil")], "out of the folder"),
        ([link("a/out", "../../evil")], "out of the folder"),
        ([link("l", "/tmp"), entry("l/evil")], "Not a directory"),
        ([link("l", "."), entry("l/evil")], "Not a directory"),
        ([folder("d"), link("d/l", ".."), entry("d/l/d/evil")], "Not a directory"),
        ([second_name("evil", "../outside")], "leads out"),
        ([second_name("evil", "/etc/passwd")], "No such file"),
        ([link("l", "/etc/passwd"), second_name("evil", "l")], "no file of the archive"),
        ([link("l", "/etc"), second_name("evil", "l/passwd")], "Not a directory"),
        ([folder("d"), second_name("evil", "d")], "no file of the archive"),
        ([second_name("evil", "")], "no file of the archive"),
        ([entry("device", type=DEVICE["chr"], devmajor=1, devminor=1)], "neither"),
        ([entry("device", type=DEVICE["blk"], devmajor=8)], "neither"),
        ([entry("pipe", type=DEVICE["fifo"])], "neither"),
        ([entry("odd", type=b"Z")], "neither"),
        ([entry("f"), entry("f/below")], "Not a directory"),
        ([folder("d"), entry("d")], "Is a directory"),
        ([entry("n" * 300)], "File name too long"),
        ([entry("/".join(["d"] * 300))], "deeper"),
        ([entry("/".join(["d" * 250] * 20))], "too long"),
        ([entry("x", pax_headers={"path": "a\0b"})], "leads out"),
        ([entry("x", pax_headers={"comment": "c" * 100_000})], "names or properties"),
        ([entry("x" * 100_000)], "names or properties"),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(made.name[:20] for made, _ in value),
)
def test_what_could_do_harm_is_refused(
    entries: list[tuple[tarfile.TarInfo, bytes]], told: str, target: Path, tmp_path: Path
) -> None:
    outside = target.parent / "outside"
    outside.write_bytes(b"mine")
    before = [path.name for path in target.parent.iterdir()]
    with pytest.raises(ContextFailed, match=told):
        put(tar(*entries), target)
    assert [path.name for path in target.parent.iterdir()] == before
    assert outside.stat().st_nlink == 1


def test_sparse_files_are_refused(target: Path) -> None:
    made, _ = entry("sparse", size=2**40)
    header = bytearray(made.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[257:265] = b"ustar  \0"
    header[386:410] = b"%011o\0%011o\0" % (0, 0)
    header[483:495] = b"%011o\0" % (2**33 - 1)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    with pytest.raises(ContextFailed, match="neither"):
        put(bytes(header) + bytes(1024), target)
    assert all(path.stat().st_blocks == 0 for path in target.iterdir())


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"PK\x03\x04" + bytes(100),
        b"<html>not found</html>" * 100,
        b"short",
        gzip.compress(b"<html>"),
        gzip.compress(GOOD)[:-4],
        gzip.compress(GOOD)[:-8] + b"12345678",
        bz2.compress(GOOD)[:-4],
        lzma.compress(GOOD)[:-4],
        GOOD[:3000],
        GOOD[:512] + b"junk" * 128 + GOOD[1024:],
        b"\x1f\x8b",
        gzip.compress(GOOD) + b"junk",
    ],
    ids=range(13),
)
def test_what_is_no_whole_archive_is_refused(archive: bytes, target: Path) -> None:
    with pytest.raises(ContextFailed):
        put(archive, target)


def test_a_bomb_is_cut_off_at_the_limit(target: Path) -> None:
    bomb = gzip.compress(tar(*(entry(f"zeros{number}", bytes(1024**2)) for number in range(20))))
    assert len(bomb) < 40_000
    with pytest.raises(ContextFailed, match="larger than is allowed"):
        put(bomb, target, bounds=Bounds(unpacked=5 * 1024**2))
    assert sum(path.stat().st_size for path in target.iterdir()) <= 5 * 1024**2


def test_a_size_beyond_the_limit_is_refused_before_a_byte_is_written(target: Path) -> None:
    made, _ = entry("huge", size=2**50)
    with pytest.raises(ContextFailed, match="larger than is allowed"):
        put(made.tobuf(tarfile.GNU_FORMAT) + bytes(1024), target)
    assert list(target.iterdir()) == []


def test_zeros_without_end_behind_the_archive_are_counted(target: Path) -> None:
    with pytest.raises(ContextFailed, match="larger than is allowed"):
        put(gzip.compress(GOOD + bytes(10 * 1024**2)), target, bounds=Bounds(unpacked=1024**2))


@pytest.mark.parametrize("number", [100, 101])
def test_entries_are_counted(number: int, target: Path) -> None:
    archive = tar(*(entry(f"file{at}") for at in range(number)))
    if number == 100:
        put(archive, target, bounds=Bounds(entries=100))
        return
    with pytest.raises(ContextFailed, match="more files and folders"):
        put(archive, target, bounds=Bounds(entries=100))
    assert len(list(target.iterdir())) == 100


def test_folders_that_only_names_imply_are_counted(target: Path) -> None:
    archive = tar(*(entry("/".join([f"{at}", *["d"] * 50]) + "/file") for at in range(10)))
    with pytest.raises(ContextFailed, match="more files and folders"):
        put(archive, target, bounds=Bounds(entries=100))


def test_the_same_name_again_and_again_is_counted(target: Path) -> None:
    with pytest.raises(ContextFailed, match="more files and folders"):
        put(tar(*(folder("d") for _ in range(101))), target, bounds=Bounds(entries=100))


def test_time_and_cancelling_end_it(target: Path) -> None:
    told = Event()
    told.set()
    with pytest.raises(Canceled):
        unpack([GOOD], target, Bounds(), Watch(monotonic() + 60, told))
    with pytest.raises(ContextFailed, match="took longer"):
        unpack([GOOD], target, Bounds(), Watch(monotonic() - 1, Event()))


NAMES = st.lists(st.sampled_from(["a", "b", "..", ".", "", "ü", "\\"]), min_size=1, max_size=4).map("/".join)
ENTRIES = st.lists(
    st.one_of(
        st.builds(entry, NAMES, st.binary(max_size=700)),
        st.builds(folder, NAMES),
        st.builds(link, NAMES, NAMES),
        st.builds(second_name, NAMES, NAMES),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=200)
@given(entries=ENTRIES, form=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_whatever_the_names_nothing_appears_outside(
    entries: list[tuple[tarfile.TarInfo, bytes]], form: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    around = tmp_path_factory.mktemp("around")
    (around / "outside").write_bytes(b"mine")
    target = around / "workspace"
    target.mkdir()
    with suppress(ContextFailed):
        put(tar(*entries, form=form), target)
    assert sorted(path.name for path in around.iterdir()) == ["outside", "workspace"]
    assert (around / "outside").read_bytes() == b"mine"
    for path in target.rglob("*"):
        if path.is_symlink() and not str(path.readlink()).startswith("/"):
            assert path.parent.joinpath(os.path.normpath(path.readlink())).is_relative_to(target)


@settings(deadline=None, max_examples=300)
@given(changes=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=20))
def test_bytes_changed_at_will_are_read_or_refused(
    changes: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    archive = bytearray(GOOD)
    for at, value in changes:
        archive[at] = value
        block = at // 512 * 512
        if at < 1536:  # a checksum that fits, or nothing behind it would ever be looked at
            archive[block + 148 : block + 156] = b" " * 8
            archive[block + 148 : block + 156] = b"%06o\0 " % sum(archive[block : block + 512])
    around = tmp_path_factory.mktemp("around")
    target = around / "workspace"
    target.mkdir()
    with suppress(ContextFailed):
        put(bytes(archive), target, bounds=Bounds(unpacked=10**6, entries=100))
    assert [path.name for path in around.iterdir()] == ["workspace"]
    assert sum(path.lstat().st_size for path in target.rglob("*") if path.is_file()) <= 10**6
