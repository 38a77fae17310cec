"""Deliveries of each git server: what is read of them, and when they are signed. Bodies: tests/githooks.py."""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from tests import githooks
from tests.githooks import NONE, Delivery, Json, commit, files

from entrepot.errors import Problem
from entrepot.tasks.resource.model import SourceEvent
from entrepot.tasks.sources.deliveries import read_delivery
from entrepot.tasks.sources.model import Change
from entrepot.tasks.sources.signatures import Header, Server, is_signed, sender_of

SECRET = "whsec_c2VjcmV0IG9mIHRoZSBob29rIG9mIHRoZSB0YXNrIQ=="
OTHER = "whsec_b3RoZXIgc2VjcmV0"
HEAD = commit(1)


def header_of(headers: dict[str, str]) -> Header:
    return lambda name: headers.get(name.decode())


def read(delivery: Delivery) -> list[Change]:
    headers, body = delivery
    sender = sender_of(header_of(headers))
    assert sender is not None
    return read_delivery(*sender, header_of(headers), body)


def change(delivery: Delivery) -> Change:
    (one,) = read(delivery)
    return one


SIGNED: dict[str, tuple[Server, Callable[[str], Delivery]]] = {
    "github": (Server.GITHUB, lambda secret: githooks.github(secret, githooks.push(HEAD))),
    "gitea": (Server.GITEA, lambda secret: githooks.gitea(secret, githooks.push(HEAD))),
    "gogs": (Server.GOGS, lambda secret: githooks.gogs(secret, githooks.push(HEAD))),
    "gitlab": (Server.GITLAB, lambda secret: githooks.gitlab(secret, githooks.gitlab_push(HEAD))),
    "gitlab signed": (Server.GITLAB, lambda secret: githooks.gitlab_signed(secret, githooks.gitlab_push(HEAD))),
    "azure": (
        Server.AZURE_DEVOPS,
        lambda secret: githooks.azure_devops(secret, githooks.azure_push(("refs/heads/main", HEAD))),
    ),
}


@pytest.mark.parametrize("name", SIGNED)
def test_a_server_is_known_by_its_headers_and_a_delivery_by_its_secret(name: str) -> None:
    server, signed = SIGNED[name]
    headers, body = signed(SECRET)
    sender = sender_of(header_of(headers))
    assert sender is not None
    assert sender[0] is server
    assert is_signed(server, header_of(headers), body, SECRET)


@pytest.mark.parametrize("name", SIGNED)
def test_what_another_secret_signed_is_not(name: str) -> None:
    server, signed = SIGNED[name]
    headers, body = signed(OTHER)
    assert not is_signed(server, header_of(headers), body, SECRET)


@pytest.mark.parametrize("name", ["github", "gitea", "gogs", "gitlab signed"])
def test_a_body_that_was_changed_is_not_signed(name: str) -> None:
    server, signed = SIGNED[name]
    headers, body = signed(SECRET)
    assert not is_signed(server, header_of(headers), body + b" ", SECRET)


@pytest.mark.parametrize("name", SIGNED)
def test_what_has_no_signature_is_not_signed(name: str) -> None:
    server, signed = SIGNED[name]
    headers, body = signed(SECRET)
    bare = {
        each: value
        for each, value in headers.items()
        if "signature" not in each and "token" not in each and each != "authorization"
    }
    assert not is_signed(server, header_of(bare), body, SECRET)


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer x"}, {"x-hub-signature-256": "sha256="}], ids=["none", "bearer", "event"]
)
def test_a_sender_that_says_nothing_of_itself_is_none(headers: dict[str, str]) -> None:
    assert sender_of(header_of(headers)) is None


@pytest.mark.parametrize("given", ["", "sha1=abc", "sha256=", "sha256=\xff", "sha256=" + "0" * 64])
def test_a_signature_of_any_text_is_none_of_ours(given: str) -> None:
    headers = {"x-github-event": "push", "x-hub-signature-256": given}
    assert not is_signed(Server.GITHUB, header_of(headers), b"{}", SECRET)


# --- pushes -----------------------------------------------------------------------------------------------------------

PUSHES: dict[str, Delivery] = {
    "github": githooks.github(SECRET, githooks.push(HEAD)),
    "gitea": githooks.gitea(SECRET, githooks.push(HEAD, total_commits=1)),
    "gitlab": githooks.gitlab(SECRET, githooks.gitlab_push(HEAD)),
    "azure": githooks.azure_devops(SECRET, githooks.azure_push(("refs/heads/main", HEAD))),
}


@pytest.mark.parametrize("name", PUSHES)
def test_a_push_tells_of_the_commit_that_the_branch_has_now(name: str) -> None:
    found = change(PUSHES[name])
    assert (found.event, found.ref, found.commit, found.branch) == (
        SourceEvent.COMMIT,
        "refs/heads/main",
        HEAD,
        "main",
    )
    assert (found.default_branch, found.quiet) == ("main", "")
    assert "team/app".endswith(found.repository)
    assert found.paths == (None if name == "azure" else {"src/main.c"})


def test_the_files_of_all_commits_of_a_push_count() -> None:
    payload = githooks.push(HEAD, commits=[files("a"), {**files("b"), "added": ["c"], "removed": ["d"]}])
    assert change(githooks.github(SECRET, payload)).paths == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    "delivery",
    [
        githooks.github(SECRET, githooks.push(HEAD, forced=True)),
        githooks.github(SECRET, githooks.push(HEAD, before=NONE)),
        githooks.github(SECRET, githooks.push(HEAD, commits=[])),
        githooks.github(SECRET, githooks.push(HEAD, commits=[files("a")] * 2048)),
        githooks.github(SECRET, githooks.push(HEAD, commits=[files(*map(str, range(3001)))])),
        githooks.github(SECRET, githooks.push(HEAD, commits=[{"id": HEAD}])),
        githooks.gitea(SECRET, githooks.push(HEAD, total_commits=40)),
        githooks.gitlab(SECRET, githooks.gitlab_push(HEAD, total_commits_count=21)),
        githooks.gitlab(SECRET, githooks.gitlab_push(HEAD, before=NONE)),
    ],
    ids=["forced", "new branch", "no commits", "too many", "many files", "untold", "gitea's", "gitlab's", "new there"],
)
def test_files_that_are_not_all_told_are_not_known(delivery: Delivery) -> None:
    assert change(delivery).paths is None


@pytest.mark.parametrize(
    ("delivery", "why"),
    [
        (githooks.github(SECRET, githooks.push(NONE)), "deleted"),
        (githooks.gitlab(SECRET, githooks.gitlab_push(NONE)), "deleted"),
        (githooks.azure_devops(SECRET, githooks.azure_push(("refs/heads/main", NONE))), "deleted"),
        (githooks.github(SECRET, githooks.push(HEAD, "refs/tags/v1")), "tag"),
        (githooks.gitlab(SECRET, githooks.gitlab_push(HEAD, "refs/tags/v1", "tag_push"), "Tag Push Hook"), "tag"),
        (githooks.azure_devops(SECRET, githooks.azure_push(("refs/tags/v1", HEAD))), "tag"),
        (githooks.github(SECRET, githooks.push(HEAD, "refs/notes/commits")), "no branch"),
    ],
)
def test_deletions_and_tags_change_no_code_of_a_branch(delivery: Delivery, why: str) -> None:
    assert why in change(delivery).quiet


def test_a_push_of_several_branches_is_a_change_each() -> None:
    payload = githooks.azure_push(("refs/heads/main", HEAD), ("refs/heads/other", commit(2)))
    assert [each.branch for each in read(githooks.azure_devops(SECRET, payload))] == ["main", "other"]


def test_the_payload_may_be_a_field_of_a_form() -> None:
    headers, body = githooks.github(SECRET, githooks.push(HEAD))
    form = urlencode({"payload": body.decode()}).encode()
    assert change(({**headers, "content-type": "application/x-www-form-urlencoded"}, form)).commit == HEAD


def test_a_delivery_tells_its_id() -> None:
    assert change(PUSHES["github"]).id == "72d3162e"


# --- pull requests ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "delivery",
    [
        githooks.github(SECRET, githooks.pull_request("opened", HEAD), "pull_request"),
        githooks.github(SECRET, githooks.pull_request("synchronize", HEAD), "pull_request"),
        githooks.github(SECRET, githooks.pull_request("reopened", HEAD), "pull_request"),
        githooks.gitea(SECRET, githooks.pull_request("synchronized", HEAD), "pull_request_sync"),
        githooks.gitlab(SECRET, githooks.merge_request("open", HEAD), "Merge Request Hook"),
        githooks.gitlab(SECRET, githooks.merge_request("update", HEAD, oldrev=commit(0)), "Merge Request Hook"),
        githooks.azure_devops(SECRET, githooks.azure_pull_request("git.pullrequest.created", HEAD)),
        githooks.azure_devops(SECRET, githooks.azure_pull_request("git.pullrequest.updated", HEAD)),
    ],
)
def test_new_commits_of_a_pull_request_are_a_change(delivery: Delivery) -> None:
    found = change(delivery)
    assert (found.event, found.commit, found.branch, found.pull_request) == (
        SourceEvent.PULL_REQUEST,
        HEAD,
        "main",
        "5",
    )
    assert found.quiet == ""


@pytest.mark.parametrize(
    "delivery",
    [
        *(
            githooks.github(SECRET, githooks.pull_request(action, HEAD), "pull_request")
            for action in ("labeled", "assigned", "edited", "closed", "ready_for_review", "review_requested", "x y")
        ),
        githooks.gitea(SECRET, githooks.pull_request("label_updated", HEAD), "pull_request"),
        githooks.gitlab(SECRET, githooks.merge_request("update", HEAD), "Merge Request Hook"),
        githooks.gitlab(SECRET, githooks.merge_request("merge", HEAD), "Merge Request Hook"),
        githooks.azure_devops(SECRET, githooks.azure_pull_request("git.pullrequest.updated", HEAD, "completed")),
        githooks.azure_devops(SECRET, githooks.azure_pull_request("git.pullrequest.updated", HEAD, "abandoned")),
    ],
)
def test_what_else_happens_to_a_pull_request_changes_no_code(delivery: Delivery) -> None:
    assert change(delivery).quiet


@pytest.mark.parametrize(
    "delivery",
    [
        githooks.github(SECRET, {"zen": "Keep it logically awesome."}, "ping"),
        githooks.github(SECRET, {"action": "opened"}, "issues"),
        githooks.gitlab(SECRET, {"object_kind": "pipeline"}, "Pipeline Hook"),
        githooks.azure_devops(SECRET, {"eventType": "build.complete"}),
        githooks.azure_devops(SECRET, githooks.azure_pull_request("git.pullrequest.merged", HEAD)),
    ],
)
def test_events_of_other_kinds_tell_of_no_change(delivery: Delivery) -> None:
    assert read(delivery) == []


# --- bad input --------------------------------------------------------------------------------------------------------

BAD_REFS = [
    "main",
    "refs/heads/" + "a" * 300,
    "refs/heads/a b",
    "refs/heads/a\nb",
    "refs/heads/\0",
    "refs/heads/../../etc",
    "refs/-heads/x",
    "refs/heads/x@{1}",
    "refs/heads/\x85",
    "refs/heads/a:b",
    "--upload-pack=x",
]


@pytest.mark.parametrize("ref", BAD_REFS)
def test_a_reference_that_is_none_is_refused(ref: str) -> None:
    with pytest.raises(Problem, match="REQUEST_INVALID"):
        read(githooks.github(SECRET, githooks.push(HEAD, ref)))


@pytest.mark.parametrize("text", ["", "HEAD", "abc", HEAD.upper(), HEAD + "0", "main", "--option", "$(id)", "{{.ID}}"])
def test_a_commit_that_is_none_is_refused(text: str) -> None:
    for delivery in (
        githooks.github(SECRET, githooks.push(text)),
        githooks.github(SECRET, githooks.pull_request("opened", text), "pull_request"),
        githooks.gitlab(SECRET, githooks.merge_request("open", text), "Merge Request Hook"),
        githooks.azure_devops(SECRET, githooks.azure_push(("refs/heads/main", text))),
    ):
        with pytest.raises(Problem, match="REQUEST_INVALID"):
            read(delivery)


@pytest.mark.parametrize(
    "payload",
    [
        [],
        None,
        {},
        {"ref": 1},
        githooks.push(HEAD, repository=None),
        githooks.push(HEAD, commits="all"),
        githooks.push(HEAD, commits=[{"added": [1]}]),
    ],
)
def test_a_payload_that_is_none_is_refused(payload: Json) -> None:
    with pytest.raises(Problem, match="REQUEST_INVALID"):
        read(githooks.github(SECRET, payload))


@pytest.mark.parametrize("number", [0, -1, 2**40, 10**400, "5", 1.5])
def test_a_pull_request_of_any_number_is_refused(number: Json) -> None:
    with pytest.raises(Problem, match="REQUEST_INVALID"):
        read(githooks.github(SECRET, githooks.pull_request("opened", HEAD, number), "pull_request"))


@pytest.mark.parametrize("body", [b"", b"\xff", b"{" * 100_000, b"[" * 100_000, b'{"ref": "\\ud800"}'])
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    for server, event in ((Server.GITHUB, "push"), (Server.GITLAB, "Push Hook"), (Server.AZURE_DEVOPS, "")):
        with pytest.raises(Problem, match="REQUEST_INVALID"):
            read_delivery(server, event, header_of({}), body)
