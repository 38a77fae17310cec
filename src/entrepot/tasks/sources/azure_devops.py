"""Deliveries of Azure DevOps. Source: Azure DevOps, "Service hooks events" (git.push, git.pullrequest.*).

Its payloads do not tell which files changed, nor what was changed of a pull request: the commit tells that.
"""

from typing import TypeAlias

from msgspec import Struct

from entrepot.tasks.resource.model import SourceEvent
from entrepot.tasks.sources.github import why_quiet
from entrepot.tasks.sources.model import BRANCH, Change, Number, parse_commit, parse_ref, word


class Repository(Struct, rename="camel"):
    name: str
    default_branch: str = ""


class RefUpdate(Struct, rename="camel"):
    name: str
    new_object_id: str


class PushResource(Struct, rename="camel"):
    ref_updates: list[RefUpdate]
    repository: Repository


class Push(Struct, rename="camel", tag_field="eventType", tag="git.push"):
    resource: PushResource


class CommitRef(Struct, rename="camel"):
    commit_id: str


class PullRequestResource(Struct, rename="camel"):
    pull_request_id: Number
    status: str
    target_ref_name: str
    last_merge_source_commit: CommitRef
    repository: Repository


class Created(Struct, rename="camel", tag_field="eventType", tag="git.pullrequest.created"):
    resource: PullRequestResource


class Updated(Struct, rename="camel", tag_field="eventType", tag="git.pullrequest.updated"):
    resource: PullRequestResource


Payload: TypeAlias = Push | Created | Updated


def changes_of(payload: Payload, told_by: str) -> list[Change]:
    """One push may move several references. Raises REQUEST_INVALID."""
    if isinstance(payload, Push):
        return [_push(each, payload.resource.repository, told_by) for each in payload.resource.ref_updates]
    return [_pull_request(payload.resource, told_by)]


def _push(update: RefUpdate, repository: Repository, told_by: str) -> Change:
    ref, commit = parse_ref(update.name), parse_commit(update.new_object_id)
    return Change(
        event=SourceEvent.COMMIT,
        ref=ref,
        commit=commit,
        branch=ref.removeprefix(BRANCH) if ref.startswith(BRANCH) else None,
        default_branch=repository.default_branch.removeprefix(BRANCH),
        told_by=told_by,
        repository=repository.name,
        quiet=why_quiet(ref, commit),
    )


def _pull_request(request: PullRequestResource, told_by: str) -> Change:
    return Change(
        event=SourceEvent.PULL_REQUEST,
        ref=f"refs/pull/{request.pull_request_id}/merge",
        commit=parse_commit(request.last_merge_source_commit.commit_id),
        branch=parse_ref(request.target_ref_name).removeprefix(BRANCH),
        default_branch=request.repository.default_branch.removeprefix(BRANCH),
        pull_request=str(request.pull_request_id),
        told_by=told_by,
        repository=request.repository.name,
        quiet="" if request.status == "active" else f"it is {word(request.status)}",
    )
