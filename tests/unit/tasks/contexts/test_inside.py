"""Names below a folder that somebody else filled."""

from pathlib import Path

import pytest

from entrepot.tasks.contexts.inside import resolve


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    made = tmp_path / "workspace"
    (made / "app/etc").mkdir(parents=True)
    (made / "app/file").write_bytes(b"x")
    (made / "etc").mkdir()
    for name, target in {
        "app/up": "..",
        "app/out": "../../..",
        "root": "/",
        "passwd": "/etc/passwd",
        "alias": "app",
        "loop": "loop",
        "chain": "alias/up/alias/file",
    }.items():
        (made / name).symlink_to(target)
    return made


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("", ""),
        ("app", "app"),
        ("./app//etc/", "app/etc"),
        ("alias/file", "app/file"),
        ("chain", "app/file"),
        ("app/up", ""),
        ("app/out", ""),
        ("../../../app", "app"),
        ("root/app", "app"),
        ("app/out/etc", "etc"),
    ],
)
def test_links_are_followed_as_if_the_folder_were_all_there_is(name: str, found: str, workspace: Path) -> None:
    assert resolve(workspace, name) == workspace / found


@pytest.mark.parametrize("name", ["none", "passwd", "root/etc/passwd", "app/out/usr", "app/../../../etc/passwd"])
def test_what_is_not_in_the_folder_is_not_there(name: str, workspace: Path) -> None:
    with pytest.raises(FileNotFoundError):
        resolve(workspace, name)


def test_links_that_go_round_end(workspace: Path) -> None:
    with pytest.raises(OSError, match="too many links"):
        resolve(workspace, "loop")
