"""What of a folder belongs to a build, as docker has it."""

import io
import tarfile
from pathlib import Path

import pytest

from entrepot.cli.online.packing import files_of, is_ignored, pack, rules_of


@pytest.mark.parametrize(
    ("text", "name", "ignored"),
    [
        ("", "a", False),
        ("# a\n\n", "a", False),
        ("a", "a", True),
        ("/a/", "a/b/c", True),
        ("a", "b/a", False),
        ("**/a", "a", True),
        ("**/a", "b/c/a", True),
        ("*.log", "x.log", True),
        ("*.log", "b/x.log", False),
        ("a/**", "a/b/c", True),
        ("a?c", "abc", True),
        ("a[bc]", "ac", True),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("*\n!keep.me", "keep.me", False),
        ("!a\na", "a", True),
        ("a.b", "axb", False),
        (".", "a", False),
    ],
)
def test_a_line_of_dockerignore_means_what_docker_says(text: str, name: str, ignored: bool) -> None:
    assert is_ignored(name, rules_of(text)) is ignored


def a_folder(tmp_path: Path, *names: str, ignore: str = "") -> Path:
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / ".dockerignore").write_text(ignore)
    return tmp_path


def test_what_is_left_out_is_not_sent_but_the_dockerfile_is(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "Dockerfile", "node/x", "src/a.py", "src/a.pyc", ignore="Dockerfile\nnode\n**/*.pyc\n")
    assert set(files_of(folder, "Dockerfile")) == {"Dockerfile", ".dockerignore", "src", "src/a.py"}


def test_a_dockerfile_below_a_folder_that_is_left_out_is_sent(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "docker/Dockerfile", "a", ignore="docker\n")
    assert set(files_of(folder, "docker/Dockerfile")) == {"docker/Dockerfile", ".dockerignore", "a"}


def test_what_is_kept_below_a_folder_that_is_left_out_is_sent(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "Dockerfile", "a/b", "a/c", ignore="a\n!a/b\n")
    assert set(files_of(folder, "Dockerfile")) == {"Dockerfile", ".dockerignore", "a/b"}


def test_an_archive_has_modes_and_links_and_nobodys_names(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "Dockerfile", "run.sh")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("/etc/passwd")
    packed = io.BytesIO()
    assert pack(folder, "Dockerfile", packed) == 4
    packed.seek(0)
    with tarfile.open(fileobj=packed) as archive:
        members = {each.name: each for each in archive.getmembers()}
    assert members["run.sh"].mode & 0o777 == 0o755
    assert (members["link"].issym(), members["link"].linkname) == (True, "/etc/passwd")
    assert {(each.uid, each.uname) for each in members.values()} == {(0, "")}
