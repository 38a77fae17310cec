"""Git repositories as contexts, from a real git server: what each reference means, and what is refused."""

import os
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest
from tests.gits import GitServer, Repository, git, git_server, make_repository
from tests.integration.tasks.contexts.conftest import FORBIDDEN, PRIVATE, Fetch
from tests.outside import Authority, accepting

from entrepot.tasks.contexts.model import Bounds, ContextFailed
from entrepot.tasks.engines.model import Canceled


@pytest.fixture
def commits(app: Repository) -> dict[str, str]:
    """References and commits of each kind, by the fragment that names them."""
    old = app.git("rev-parse", "HEAD")
    light = app.commit("second", {"which": "v1"})
    app.git("tag", "v1")
    annotated = app.commit("third", {"which": "v2"})
    app.git("tag", "-a", "v2", "-m", "release")
    feature = app.commit("feature", {"which": "feature"}, "feature")
    slashed = app.commit("release", {"which": "release"}, "release/1.0")
    pull = app.commit("pull", {"which": "pull"}, "pull-7")
    app.git("checkout", "-q", "main")
    for what in ("v1", "v2", "pull-7:refs/pull/7/head", "pull-7:refs/pull/8/merge", ":refs/heads/pull-7"):
        app.push(what if ":" in what else f"refs/tags/{what}")
    head = app.commit("last", {"which": "main"})
    return {
        **dict.fromkeys(["", "main", "refs/heads/main", "heads/main", "HEAD", "origin/main"], head),
        **dict.fromkeys(["v1", "refs/tags/v1", "tags/v1"], light),
        **dict.fromkeys(["v2", "refs/tags/v2"], annotated),
        **dict.fromkeys(["pull/7/head", "refs/pull/7/head", "refs/pull/8/merge"], pull),
        "feature": feature,
        "release/1.0": slashed,
        "FULL": old,
        "SHORT": old,
    }


@pytest.mark.parametrize(
    ("fragment", "branch"),
    [
        ("", "main"),
        ("main", "main"),
        ("origin/main", "main"),
        ("refs/heads/main", "main"),
        ("heads/main", "main"),
        ("HEAD", "main"),
        ("feature", "feature"),
        ("release/1.0", "release/1.0"),
        ("v1", "HEAD"),
        ("refs/tags/v1", "HEAD"),
        ("tags/v1", "HEAD"),
        ("v2", "HEAD"),
        ("refs/tags/v2", "HEAD"),
        ("pull/7/head", "HEAD"),
        ("refs/pull/7/head", "HEAD"),
        ("refs/pull/8/merge", "HEAD"),
        ("FULL", "HEAD"),
        ("SHORT", "HEAD"),
    ],
)
def test_each_kind_of_reference_is_checked_out(
    fragment: str, branch: str, commits: dict[str, str], server: GitServer, fetched: Fetch, workspace: Path
) -> None:
    commit = commits[fragment]
    written = {"FULL": commit, "SHORT": commit[:8]}.get(fragment, fragment)
    got = fetched(f"{server.url}/app.git" + (f"#{written}" if written else ""))
    assert (got.commit, got.branch, got.root) == (commit, branch, workspace)
    assert git(workspace, "rev-parse", "HEAD") == commit
    assert git(workspace, "status", "--porcelain") == ""
    assert git(workspace, "remote", "get-url", "origin") == f"{server.url}/app.git"
    is_shallow = git(workspace, "rev-parse", "--is-shallow-repository") == "true"
    assert is_shallow == (fragment != "SHORT")


def test_of_a_branch_and_a_tag_of_one_name_the_branch_counts(
    app: Repository, server: GitServer, fetched: Fetch
) -> None:
    app.push("HEAD:refs/tags/both")
    commit = app.commit("branch", {"which": "branch"}, "both")
    assert (fetched(f"{server.url}/app.git#both").commit, commit) == (commit, commit)


def test_a_folder_of_the_repository_is_the_root_and_all_of_it_is_there(
    app: Repository, server: GitServer, fetched: Fetch, workspace: Path
) -> None:
    got = fetched(f"{server.url}/app.git#main:src")
    assert (got.root, got.branch) == (workspace / "src", "main")
    assert (workspace / "Dockerfile").exists()


def test_a_link_to_a_folder_is_followed_within_the_repository(
    app: Repository, server: GitServer, fetched: Fetch, workspace: Path
) -> None:
    (app.work / "link").symlink_to("/src")
    (app.work / "out").symlink_to("../../..")
    (app.work / "lib").symlink_to("/usr/lib")
    app.commit("links", {})
    assert fetched(f"{server.url}/app.git#:link").root == workspace / "src"
    for name in ("lib", "none", "out/usr"):
        with pytest.raises(ContextFailed, match=f"error setting git context: stat {name}: No such file"):
            fetched(f"{server.url}/app.git#:{name}")


@pytest.mark.parametrize("ref", ["none", "v9", "pull/9/head", "abcdef1", "0" * 40, "origin/--upload-pack=touch"])
def test_a_reference_that_is_not_there_is_told_in_git_s_words(
    ref: str, app: Repository, server: GitServer, fetched: Fetch
) -> None:
    with pytest.raises(ContextFailed) as failed:
        fetched(f"{server.url}/app.git#{ref}")
    assert str(failed.value) == (
        "failed to download source code: unable to git clone to /workspace: "
        f"error checking out {ref}: error: pathspec '{ref}' did not match any file(s) known to git"
    )


def test_a_repository_that_is_not_there_is_told_with_the_answer(server: GitServer, fetched: Fetch) -> None:
    with pytest.raises(ContextFailed) as failed:
        fetched(f"{server.url}/none.git")
    told = str(failed.value)
    assert f"error fetching: fatal: repository '{server.url}/none.git/' not found" in told
    assert f"{server.url}/none.git answered 404 Not Found" in told


def test_a_repository_without_a_commit_is_told(repositories: Path, server: GitServer, fetched: Fetch) -> None:
    make_repository(repositories / "empty.git")
    with pytest.raises(ContextFailed, match="couldn't find remote ref HEAD"):
        fetched(f"{server.url}/empty.git")


def test_a_server_of_plain_files_is_fetched_from_in_full(
    app: Repository, server: GitServer, fetched: Fetch, workspace: Path
) -> None:
    commit = app.commit("second", {"more": "x"})
    git(app.bare, "update-server-info")
    server.is_smart = False
    assert fetched(f"{server.url}/app.git#main").commit == commit
    assert (workspace / "more").read_text() == "x"


def test_https_is_verified_as_every_call_out_is(
    repositories: Path, app: Repository, ca: Authority, fetched: Fetch, workspace: Path
) -> None:
    with git_server(repositories, ca.server) as server:
        assert fetched(f"https://git.example:{server.port}/app.git").branch == "main"
    assert (workspace / "Dockerfile").exists()


# --- credentials ------------------------------------------------------------------------------------------------------


def everything_below(path: Path) -> bytes:
    return b"\n".join(
        each.read_bytes() if each.is_file() else each.name.encode() for each in path.rglob("*") if not each.is_symlink()
    )


def test_a_token_opens_the_repository_and_is_nowhere_afterwards(
    app: Repository, server: GitServer, fetched: Fetch, workspace: Path, tmp_path: Path
) -> None:
    server.password = "s3cret-token"
    fetched(f"http://reader:{server.password}@127.0.0.1:{server.port}/app.git")
    assert server.asked[0][1] is None
    assert {sent for _, sent in server.asked[1:]} == {server.authorization}
    for folder in (workspace, tmp_path / "scratch"):
        assert server.password.encode() not in everything_below(folder)


def test_a_token_that_does_not_open_it_is_told_without_the_token(
    app: Repository, server: GitServer, fetched: Fetch
) -> None:
    server.password = "s3cret-token"
    with pytest.raises(ContextFailed) as failed:
        fetched(f"http://reader:wr0ng-token@127.0.0.1:{server.port}/app.git")
    told = str(failed.value)
    assert "answered 401 Unauthorized: it is private or not there, and the token is missing, wrong, expired" in told
    assert "wr0ng" not in told
    with pytest.raises(ContextFailed, match="answered 401 Unauthorized"):
        fetched(f"{server.url}/none.git")


def test_the_token_of_one_fetch_is_not_there_for_another(
    app: Repository, server: GitServer, fetched: Fetch, workspace: Path, tmp_path: Path
) -> None:
    server.password = "s3cret-token"
    fetched(f"http://reader:{server.password}@127.0.0.1:{server.port}/app.git")
    with pytest.raises(ContextFailed, match="401"):
        fetched(f"{server.url}/app.git")


def test_nothing_of_the_token_is_on_a_command_line_or_in_an_environment(
    app: Repository, server: GitServer, fetched: Fetch
) -> None:
    server.password = "s3cret-token"
    seen: list[bytes] = []
    over = Event()

    def look() -> None:
        while not over.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        found = (process / name).read_bytes()
                    except OSError:
                        continue
                    if process.name != str(os.getpid()) and b"git" in found:
                        seen.append(found)

    looking = Thread(target=look)
    looking.start()
    try:
        fetched(f"http://reader:{server.password}@127.0.0.1:{server.port}/app.git")
    finally:
        over.set()
        looking.join()
    assert any(b"GIT_TERMINAL_PROMPT" in found for found in seen)
    assert not any(b"s3cret-token" in found for found in seen)


def test_a_repository_that_has_moved_is_found_and_another_server_gets_no_token(
    repositories: Path, app: Repository, server: GitServer, fetched: Fetch, workspace: Path
) -> None:
    with git_server(repositories) as old:
        old.moved = {"/old.git": f"{server.url}/app.git"}
        fetched(f"http://reader:s3cret@127.0.0.1:{old.port}/old.git")
    assert (workspace / "Dockerfile").exists()
    assert {sent for _, sent in server.asked} == {None}


def test_a_redirect_to_a_private_address_is_refused(app: Repository, server: GitServer, fetched: Fetch) -> None:
    server.moved = {"/app.git": f"http://{PRIVATE}:{server.port}/app.git"}
    with pytest.raises(ContextFailed, match=r"private\.example: its address is not public"):
        fetched(f"{server.url}/app.git")


# --- submodules -------------------------------------------------------------------------------------------------------


def add_module(repository: Repository, url: str, commit: str, path: str = "lib") -> None:
    (repository.work / ".gitmodules").write_text(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n')
    repository.git("add", ".gitmodules")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    repository.git("commit", "-q", "-m", "module")
    repository.push("HEAD:refs/heads/main")


def a_library(repositories: Path, name: str = "lib") -> tuple[Repository, str]:
    made = make_repository(repositories / f"{name}.git")
    commit = made.commit("library", {"lib.txt": name})
    made.commit("later", {"lib.txt": "later"})
    return made, commit


@pytest.mark.parametrize("url", ["../lib.git", "./../lib.git", "{server}/lib.git"])
def test_submodules_come_with_it_and_theirs_too(
    url: str, repositories: Path, app: Repository, server: GitServer, fetched: Fetch, workspace: Path
) -> None:
    _, inner_commit = a_library(repositories, "inner")
    library, _ = a_library(repositories)
    add_module(library, "../inner.git", inner_commit, "deep/inner")
    add_module(app, url.format(server=server.url), library.git("rev-parse", "HEAD"))
    fetched(f"{server.url}/app.git")
    assert (workspace / "lib/lib.txt").read_text() == "later"
    assert (workspace / "lib/deep/inner/lib.txt").read_text() == "inner"
    assert git(workspace, "status", "--porcelain") == ""


def test_the_token_is_for_submodules_of_the_same_server_alone(
    repositories: Path, app: Repository, server: GitServer, fetched: Fetch
) -> None:
    _, commit = a_library(repositories)
    server.password = "s3cret-token"
    with git_server(repositories) as other:
        other.password = server.password
        add_module(app, f"http://127.0.0.1:{other.port}/lib.git", commit)
        with pytest.raises(ContextFailed, match=f"{other.port}/lib.git answered 401"):
            fetched(f"http://reader:{server.password}@127.0.0.1:{server.port}/app.git")
        assert {sent for _, sent in other.asked} == {None}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://private.example:{port}/lib.git", "its address is not public"),
        ("http://127.0.0.2:{port}/lib.git", "its address is not public"),
        ("http://169.254.169.254/latest/meta-data", "its address is not public"),
        ("file:///etc", "not fetched from"),
        ("/etc", "not fetched from"),
        ("ext::sh -c touch% {marker}", "not fetched from"),
        ("http::http://127.0.0.2:{port}/lib.git", "not fetched from"),
        ("HTTP://127.0.0.2:{port}/lib.git", "not fetched from"),
        ("ssh://127.0.0.2/lib.git", "not fetched from"),
        ("git@127.0.0.2:lib.git", "not fetched from"),
        ("git://127.0.0.2/lib.git", "not fetched from"),
        ("--upload-pack=touch {marker}", "not fetched from"),
        ("http://--upload-pack=touch/lib.git", "its address is not public|names no host|is no address"),
        ("../../../../../etc", "error fetching submodule lib|not fetched from"),
        ("", "not fetched from"),
    ],
)
def test_a_submodule_leads_nowhere_else(
    url: str, told: str, repositories: Path, app: Repository, server: GitServer, fetched: Fetch, tmp_path: Path
) -> None:
    _, commit = a_library(repositories)
    marker = tmp_path / "marker"
    connections = 0

    def count(_connection: object) -> None:
        nonlocal connections
        connections += 1

    with accepting(count, FORBIDDEN) as private:
        add_module(app, url.format(port=private.port, marker=marker), commit)
        with pytest.raises(ContextFailed, match=told):
            fetched(f"{server.url}/app.git")
    assert connections == 0
    assert not marker.exists()


def test_a_submodule_without_an_address_is_told(app: Repository, server: GitServer, fetched: Fetch) -> None:
    app.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},lib")
    app.git("commit", "-q", "-m", "module")
    app.push("HEAD:refs/heads/main")
    with pytest.raises(ContextFailed, match=r"No url found for submodule path 'lib' in \.gitmodules"):
        fetched(f"{server.url}/app.git")


def test_submodules_in_each_other_end(repositories: Path, app: Repository, server: GitServer, fetched: Fetch) -> None:
    _, commit = a_library(repositories, "m0")
    for number in range(1, 5):
        made = make_repository(repositories / f"m{number}.git")
        made.commit("first", {"x": "x"})
        add_module(made, f"../m{number - 1}.git", commit)
        commit = made.git("rev-parse", "HEAD")
    add_module(app, "../m4.git", commit)
    with pytest.raises(ContextFailed, match="deeper in each other than 3"):
        fetched(f"{server.url}/app.git", bounds=Bounds(modules=3))


# --- bad repositories -------------------------------------------------------------------------------------------------


def test_a_small_pack_of_a_huge_tree_is_refused_before_it_is_checked_out(
    app: Repository, server: GitServer, fetched: Fetch, workspace: Path
) -> None:
    blob = app.git("hash-object", "-w", "Dockerfile")
    tree = git(app.work, "mktree", text="".join(f"100644 blob {blob}\tf{at}\n" for at in range(10)))
    for _ in range(9):
        tree = git(app.work, "mktree", text="".join(f"040000 tree {tree}\td{at}\n" for at in range(10)))
    app.push(f"{app.git('commit-tree', tree, '-m', 'bomb')}:refs/heads/bomb")
    with pytest.raises(ContextFailed, match="more or larger files than are allowed"):
        fetched(f"{server.url}/app.git#bomb", bounds=Bounds(entries=10_000))
    assert [path.name for path in workspace.iterdir()] == [".git"]


def test_files_larger_than_is_allowed_are_refused_before_they_are_checked_out(
    app: Repository, server: GitServer, fetched: Fetch, workspace: Path
) -> None:
    app.commit("large", {"zeros": "0" * 10**6})
    with pytest.raises(ContextFailed, match="more or larger files than are allowed"):
        fetched(f"{server.url}/app.git", bounds=Bounds(unpacked=10**5 * 5))
    assert [path.name for path in workspace.iterdir()] == [".git"]


def test_a_pack_larger_than_is_allowed_is_cut_off(app: Repository, server: GitServer, fetched: Fetch) -> None:
    (app.work / "random").write_bytes(os.urandom(500_000))
    app.commit("large", {})
    with pytest.raises(ContextFailed, match="larger than is allowed for a context"):
        fetched(f"{server.url}/app.git", bounds=Bounds(packed=100_000))


def test_hooks_and_settings_of_the_machine_do_not_count(
    app: Repository, server: GitServer, fetched: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    hook = tmp_path / "hooks/post-checkout"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
    hook.chmod(0o755)
    (tmp_path / ".gitconfig").write_text(
        f'[core]\n\thooksPath = {hook.parent}\n[url "http://x/"]\n\tinsteadOf = http://\n'
    )
    for name, value in {
        "HOME": str(tmp_path),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(hook.parent),
        "GIT_DIR": "/nowhere",
        "http_proxy": "http://127.0.0.2:9",
    }.items():
        monkeypatch.setenv(name, value)
    fetched(f"{server.url}/app.git")
    assert not marker.exists()


def test_an_address_that_is_not_public_is_not_called(server: GitServer, fetched: Fetch) -> None:
    with pytest.raises(ContextFailed, match=r"private\.example: its address is not public"):
        fetched(f"http://{PRIVATE}:{server.port}/app.git")


def test_git_without_http_is_refused_and_says_what_to_do(fetched: Fetch) -> None:
    with pytest.raises(ContextFailed, match=r"git:// is not fetched from: name the repository by https"):
        fetched("git://127.0.0.1/app.git")


def test_a_server_that_is_silent_ends_with_the_time_and_with_a_cancel(fetched: Fetch, workspace: Path) -> None:
    over = Event()

    def keep(_connection: object) -> None:
        over.wait(30)

    with accepting(keep) as silent:
        url = f"http://127.0.0.1:{silent.port}/app.git"
        with pytest.raises(ContextFailed, match=r"took longer than is allowed|did not come in time"):
            fetched(url, bounds=Bounds(seconds=2))
        told = Event()
        waiting = Thread(target=lambda: (silent.over.wait(1), told.set()))
        waiting.start()
        started = monotonic()
        with pytest.raises(Canceled):
            fetched(url, canceled=told)
        assert monotonic() - started < 20
        waiting.join()
        over.set()
