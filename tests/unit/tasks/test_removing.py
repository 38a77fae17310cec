"""Folders of strangers go, whatever is in them."""

import os
from pathlib import Path

from entrepot.tasks.removing import remove_tree


def test_a_folder_goes_however_deep_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "-rf"
    folder.mkdir()
    at = os.open(folder, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    remove_tree(folder)
    assert not folder.exists()
    remove_tree(folder)


def test_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    for name in ("kept", "gone"):
        (tmp_path / name).mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "gone" / "link").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "gone")
    assert [each.name for each in (tmp_path / "kept").iterdir()] == ["file"]
