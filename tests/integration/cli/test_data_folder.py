"""Who may serve from a data folder."""

import os
import stat
from pathlib import Path

import pytest

from entrepot.cli.data_folder import LOCK_FILE, RUN_FOLDER, hold
from entrepot.settings import SettingError


def test_the_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = hold(tmp_path / "new" / "data")
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert (folder.path / LOCK_FILE).read_text() == f"{os.getpid()}\n"


def test_files_of_an_earlier_run_are_gone(tmp_path: Path) -> None:
    left = tmp_path / RUN_FOLDER / "metrics" / "counter_7.db"
    left.parent.mkdir(parents=True)
    left.touch()
    assert list(hold(tmp_path).run.iterdir()) == []


def test_a_second_server_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    first = hold(tmp_path)
    (first.run / "serving.pem").touch()
    with pytest.raises(SettingError, match=rf"another server \(process {os.getpid()}\) uses {tmp_path}"):
        hold(tmp_path)
    assert (first.run / "serving.pem").exists(), "the first one's files are left alone"


def test_the_folder_is_free_when_the_holder_has_gone(tmp_path: Path) -> None:
    os.close(hold(tmp_path).lock)
    hold(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match=r"cannot use the folder .*: Not a directory"):
        hold(tmp_path / "file" / "data")
