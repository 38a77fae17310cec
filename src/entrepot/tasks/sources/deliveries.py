"""A delivery, read: which changes it tells of. What it does not need of a payload may be anything."""

from dataclasses import replace
from typing import Final, TypeVar, cast
from urllib.parse import parse_qs

import msgspec

from entrepot.errors import Kind, Problem
from entrepot.tasks.sources import azure_devops, github, gitlab
from entrepot.tasks.sources.model import Change
from entrepot.tasks.sources.signatures import Header, Server

T = TypeVar("T")

# Of one delivery: who pushes more branches at once is told of the first.
_CHANGES: Final = 100
_FORM: Final = "application/x-www-form-urlencoded"
_IDS: Final = (b"x-github-delivery", b"x-gitea-delivery", b"x-gogs-delivery", b"webhook-id", b"x-gitlab-event-uuid")
_ID_LENGTH: Final = 128


class _Named(msgspec.Struct, rename="camel"):
    """What payloads of Azure DevOps and of GitLab call themselves."""

    event_type: str = ""
    object_kind: str = msgspec.field(default="", name="object_kind")


_AZURE: Final = frozenset({"git.push", "git.pullrequest.created", "git.pullrequest.updated"})
_GITLAB: Final = frozenset({"push", "tag_push", "merge_request"})


def read_delivery(server: Server, event: str, header: Header, body: bytes) -> list[Change]:
    """Empty, where it is of something else than pushes and pull requests. Raises REQUEST_INVALID."""
    payload = _payload(header, body)
    told = next((value for name in _IDS if (value := header(name))), "")
    return [replace(each, id=_plain(told)) for each in _changes(server, event, payload)[:_CHANGES]]


def _changes(server: Server, event: str, payload: bytes) -> list[Change]:
    match server:
        case Server.AZURE_DEVOPS if _decoded(payload, _Named).event_type in _AZURE:
            read = _decoded(payload, cast("type[azure_devops.Payload]", azure_devops.Payload))
            return azure_devops.changes_of(read, server)
        case Server.GITLAB if _decoded(payload, _Named).object_kind in _GITLAB:
            return [gitlab.change_of(_decoded(payload, cast("type[gitlab.Payload]", gitlab.Payload)), server)]
        case Server.GITHUB | Server.GITEA | Server.GOGS if event in github.PUSH:
            return [github.change_of_push(_decoded(payload, github.Push), server)]
        case Server.GITHUB | Server.GITEA | Server.GOGS if event in github.PULL_REQUEST:
            return [github.change_of_pull_request(_decoded(payload, github.PullRequestEvent), server)]
        case _:
            return []


def _payload(header: Header, body: bytes) -> bytes:
    """GitHub and Gitea can send it as a field of a form, and GitHub does unless it is told otherwise."""
    if not (header(b"content-type") or "").lower().startswith(_FORM):
        return body
    try:
        fields = parse_qs(body.decode("ascii"), strict_parsing=True, errors="strict", max_num_fields=8)
    except ValueError:
        raise Problem(Kind.REQUEST_INVALID, reason="the body is no form with the field payload") from None
    return fields.get("payload", [""])[0].encode()


def _decoded(payload: bytes, kind: type[T]) -> T:
    """``kind``: may be a union, which is a type to msgspec. Raises REQUEST_INVALID."""
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Problem(Kind.REQUEST_INVALID, reason=f"the payload cannot be read: {error}") from None


def _plain(text: str) -> str:
    return "".join(each for each in text[:_ID_LENGTH] if each.isprintable())
