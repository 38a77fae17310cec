"""Deliveries of GitLab. Source: GitLab, "Webhook events" (push, tag and merge request events)."""

from typing import TypeAlias

from msgspec import Struct

from entrepot.tasks.resource.model import SourceEvent
from entrepot.tasks.sources.github import Commit, all_paths, why_quiet
from entrepot.tasks.sources.model import BRANCH, Change, Number, parse_commit, parse_ref, word


class Project(Struct):
    path_with_namespace: str
    default_branch: str | None = None


class Push(Struct, tag_field="object_kind", tag="push"):
    """GitLab lists at most 20 commits of a push."""

    ref: str
    before: str
    after: str
    project: Project
    commits: list[Commit] = []
    total_commits_count: int = 0


class TagPush(Push, tag_field="object_kind", tag="tag_push"):
    pass


class LastCommit(Struct):
    id: str


class Attributes(Struct):
    """``oldrev``: where new commits came, and nowhere else."""

    iid: Number
    target_branch: str
    last_commit: LastCommit
    action: str = ""
    oldrev: str | None = None

    @property
    def changes_code(self) -> bool:
        return self.action in {"open", "reopen"} or (self.action == "update" and self.oldrev is not None)


class MergeRequest(Struct, tag_field="object_kind", tag="merge_request"):
    project: Project
    object_attributes: Attributes


Payload: TypeAlias = Push | TagPush | MergeRequest


def change_of(payload: Payload, told_by: str) -> Change:
    """Raises REQUEST_INVALID."""
    return _merge_request(payload, told_by) if isinstance(payload, MergeRequest) else _push(payload, told_by)


def _push(push: Push, told_by: str) -> Change:
    ref, commit = parse_ref(push.ref), parse_commit(push.after)
    is_whole = len(push.commits) == push.total_commits_count and bool(parse_commit(push.before))
    return Change(
        event=SourceEvent.COMMIT,
        ref=ref,
        commit=commit,
        branch=ref.removeprefix(BRANCH) if ref.startswith(BRANCH) else None,
        default_branch=push.project.default_branch or "",
        told_by=told_by,
        repository=push.project.path_with_namespace,
        paths=all_paths([each.paths for each in push.commits]) if is_whole else None,
        quiet=why_quiet(ref, commit),
    )


def _merge_request(payload: MergeRequest, told_by: str) -> Change:
    request = payload.object_attributes
    return Change(
        event=SourceEvent.PULL_REQUEST,
        ref=f"refs/merge-requests/{request.iid}/head",
        commit=parse_commit(request.last_commit.id),
        branch=parse_ref(BRANCH + request.target_branch).removeprefix(BRANCH),
        default_branch=payload.project.default_branch or "",
        pull_request=str(request.iid),
        told_by=told_by,
        repository=payload.project.path_with_namespace,
        quiet="" if request.changes_code else f"what happened to it ({word(request.action)}) changes no code",
    )
