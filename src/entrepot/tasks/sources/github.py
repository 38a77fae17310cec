"""Deliveries of GitHub, and of Gitea, Forgejo and Gogs, whose payloads are like GitHub's.

Sources: GitHub, "Webhook events and payloads" (push, pull_request); Gitea, "Webhooks", and its structs of payloads.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from entrepot.tasks.resource.model import SourceEvent
from entrepot.tasks.sources.model import BRANCH, TAG, Change, Number, parse_commit, parse_ref, word

PUSH: Final = frozenset({"push"})
# Gitea has a name of its own for new commits of a pull request.
PULL_REQUEST: Final = frozenset({"pull_request", "pull_request_sync"})
# GitHub's, and how Gitea and Gogs write the second.
_CHANGING: Final = frozenset({"opened", "synchronize", "synchronized", "reopened"})
# GitHub lists no more commits of one push.
_LISTED: Final = 2048
# To be compared with patterns while others wait for the catalog.
_PATHS: Final = 1000


class Repository(Struct):
    full_name: str
    default_branch: str = ""


class Commit(Struct):
    """The files that it touched; Gitea may leave them out."""

    added: list[str] | None = None
    removed: list[str] | None = None
    modified: list[str] | None = None

    @property
    def paths(self) -> list[str] | None:
        """None: not told."""
        kinds = (self.added, self.removed, self.modified)
        return None if None in kinds else [path for kind in kinds for path in kind or ()]


class Push(Struct):
    """``total_commits``: of Gitea, which lists some of them; None elsewhere."""

    ref: str
    before: str
    after: str
    repository: Repository
    commits: list[Commit] = []
    forced: bool = False
    total_commits: int | None = None


class Head(Struct):
    sha: str


class Base(Struct):
    ref: str


class PullRequest(Struct):
    number: Number
    head: Head
    base: Base


class PullRequestEvent(Struct):
    action: str
    pull_request: PullRequest
    repository: Repository


def change_of_push(push: Push, told_by: str) -> Change:
    """Raises REQUEST_INVALID."""
    ref, commit = parse_ref(push.ref), parse_commit(push.after)
    is_new = not parse_commit(push.before)
    is_whole = len(push.commits) == (push.total_commits or len(push.commits)) and len(push.commits) < _LISTED
    return Change(
        event=SourceEvent.COMMIT,
        ref=ref,
        commit=commit,
        branch=ref.removeprefix(BRANCH) if ref.startswith(BRANCH) else None,
        default_branch=push.repository.default_branch,
        told_by=told_by,
        repository=push.repository.full_name,
        paths=all_paths([each.paths for each in push.commits]) if is_whole and not (is_new or push.forced) else None,
        quiet=why_quiet(ref, commit),
    )


def change_of_pull_request(event: PullRequestEvent, told_by: str) -> Change:
    """Raises REQUEST_INVALID."""
    request = event.pull_request
    return Change(
        event=SourceEvent.PULL_REQUEST,
        ref=f"refs/pull/{request.number}/head",
        commit=parse_commit(request.head.sha),
        branch=parse_ref(BRANCH + request.base.ref).removeprefix(BRANCH),
        default_branch=event.repository.default_branch,
        pull_request=str(request.number),
        told_by=told_by,
        repository=event.repository.full_name,
        quiet="" if event.action in _CHANGING else f"what happened to it ({word(event.action)}) changes no code",
    )


def why_quiet(ref: str, commit: str) -> str:
    """Of a push to this reference."""
    if not commit:
        return "it was deleted"
    if ref.startswith(TAG):
        return "it is a tag, and source triggers watch branches"
    return "" if ref.startswith(BRANCH) else "it is no branch"


def all_paths(told: Sequence[list[str] | None]) -> frozenset[str] | None:
    """Of all commits; None where one does not tell, where there is none, and where there are very many."""
    found: set[str] = set()
    for paths in told:
        if paths is None:
            return None
        found.update(paths)
    return frozenset(found) if 0 < len(found) <= _PATHS else None
