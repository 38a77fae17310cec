"""Files of a machine, read and written by its worker while steps put links in the way."""

import os
from pathlib import Path

import pytest

from entrepot.tasks.engines.docker.folders import Folders
from entrepot.tasks.engines.model import EngineFailed

LIMIT = 100


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("of the worker")
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return made(tmp_path / "work")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return made(tmp_path / "home")


@pytest.fixture
def folders(work: Path, home: Path) -> Folders:
    return Folders({"/workspace": work, "/acb/home": home})


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "path",
    [
        *("/workspace/a/b", "/workspace//./a/b", "/workspace/a/../a/b", "/acb/home/../../workspace/a/b"),
        *("/workspace/near", "/workspace/absolute", "/workspace/folder/b", "/workspace/up", "/acb/home/over"),
    ],
)
def test_a_name_means_what_it_means_in_the_machine(folders: Folders, work: Path, home: Path, path: str) -> None:
    made(work / "a")
    (work / "a" / "b").write_text("found")
    (work / "near").symlink_to("a/b")
    (work / "absolute").symlink_to("/workspace/a/b")
    (work / "folder").symlink_to("a")
    (work / "up").symlink_to("../../../workspace/a/b")
    (home / "over").symlink_to("/workspace/folder/b")
    assert folders.read(path, LIMIT) == b"found"
    assert folders.read(path, 2) == b"fo"


@pytest.mark.parametrize("link", ["{outside}/secret", "../outside/secret", "/proc/self/environ", "loop"])
def test_no_link_leads_to_the_workers_own_files(folders: Folders, work: Path, outside: Path, link: str) -> None:
    (work / "loop").symlink_to("loop")
    if link != "loop":
        (work / "file").symlink_to(link.format(outside=outside))
        (work / "folder").symlink_to(os.path.dirname(link.format(outside=outside)))  # noqa: PTH120  a text
    assert folders.read("/workspace/loop", LIMIT) is None
    assert folders.read("/workspace/file", LIMIT) is None
    assert folders.read("/workspace/folder/secret", LIMIT) is None


def test_only_plain_files_are_opened(folders: Folders, work: Path) -> None:
    os.mkfifo(work / "pipe")
    made(work / "folder")
    (work / "device").symlink_to("/dev/zero")
    for name in ("pipe", "folder", "device", "absent", "folder/..", "."):
        assert folders.read(f"/workspace/{name}", LIMIT) is None
    assert folders.read("/etc/passwd", LIMIT) is None


def test_a_path_has_an_end(folders: Folders, work: Path) -> None:
    (work / "x").write_text("x")
    (work / "again").symlink_to(".")
    assert folders.read(f"/workspace/{'again/' * 50}x", LIMIT) == b"x"
    assert folders.read(f"/workspace/{'again/' * 5000}x", LIMIT) is None


def test_a_file_is_written_for_its_owner_alone(folders: Folders, home: Path) -> None:
    folders.write("/acb/home/.docker/config.json", b"one")
    folders.write("/acb/home/.docker/config.json", b"two")
    written = home / ".docker" / "config.json"
    assert (written.read_bytes(), written.stat().st_mode & 0o777) == (b"two", 0o600)
    assert (home / ".docker").stat().st_mode & 0o777 == 0o700
    assert [each.name for each in written.parent.iterdir()] == ["config.json"]


def test_nothing_is_written_through_a_link(folders: Folders, home: Path, outside: Path) -> None:
    (home / ".docker").symlink_to(outside)
    with pytest.raises(EngineFailed, match=r"/acb/home/\.docker/config\.json could not be written"):
        folders.write("/acb/home/.docker/config.json", b"x")
    (home / "secret").symlink_to(outside / "secret")
    folders.write("/acb/home/secret", b"x")
    assert [(each.name, each.read_text()) for each in outside.iterdir()] == [("secret", "of the worker")]


@pytest.mark.parametrize("path", ["/etc/passwd", "/workspace", "/workspace/../x", "workspace/x", "/workspacex/y"])
def test_nothing_is_written_elsewhere(folders: Folders, path: str) -> None:
    with pytest.raises(EngineFailed, match="is not below /workspace or /acb/home"):
        folders.write(path, b"x")
