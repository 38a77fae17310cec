"""Deliveries as git servers send them, built by their documentation: bodies, and how each server signs."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

Json = Any
Delivery = tuple[dict[str, str], bytes]
NONE = "0" * 40
REPOSITORY = "team/app"


def commit(number: int) -> str:
    """A commit's id."""
    return hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()


# --- bodies -----------------------------------------------------------------------------------------------------------


def files(*paths: str) -> Json:
    return {"id": commit(99), "message": "m", "added": [], "removed": [], "modified": list(paths)}


def push(after: str, ref: str = "refs/heads/main", commits: Sequence[Json] | None = None, **more: Json) -> Json:
    """GitHub's, and with ``total_commits`` Gitea's."""
    listed = [files("src/main.c")] if commits is None else list(commits)
    return {
        "ref": ref,
        "before": commit(0),
        "after": after,
        "created": False,
        "deleted": after == NONE,
        "forced": False,
        "commits": listed,
        "head_commit": {"id": after} if after != NONE else None,
        "repository": {"id": 1, "name": "app", "full_name": REPOSITORY, "default_branch": "main"},
        "pusher": {"name": "somebody"},
        **more,
    }


def pull_request(action: str, head: str, number: int = 5, base: str = "main") -> Json:
    """GitHub's and Gitea's."""
    return {
        "action": action,
        "number": number,
        "pull_request": {"number": number, "head": {"ref": "topic", "sha": head}, "base": {"ref": base, "sha": NONE}},
        "repository": {"full_name": REPOSITORY, "default_branch": "main"},
    }


def gitlab_push(after: str, ref: str = "refs/heads/main", kind: str = "push", **more: Json) -> Json:
    return {
        "object_kind": kind,
        "event_name": kind,
        "before": commit(0),
        "after": after,
        "ref": ref,
        "checkout_sha": after,
        "project": {"id": 15, "path_with_namespace": REPOSITORY, "default_branch": "main"},
        "commits": [files("src/main.c")],
        "total_commits_count": 1,
        **more,
    }


def merge_request(action: str, head: str, target: str = "main", **attributes: Json) -> Json:
    return {
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "project": {"path_with_namespace": REPOSITORY, "default_branch": "main"},
        "object_attributes": {
            "iid": 5,
            "target_branch": target,
            "source_branch": "topic",
            "last_commit": {"id": head, "message": "m"},
            "action": action,
            **attributes,
        },
    }


def azure_push(*updates: tuple[str, str]) -> Json:
    """References with their new commits."""
    told = [{"name": ref, "oldObjectId": commit(0), "newObjectId": new} for ref, new in updates]
    repository = {"id": "278d", "name": "app", "defaultBranch": "refs/heads/main", "remoteUrl": "https://a.example/app"}
    return {
        "subscriptionId": "00000000-0000-0000-0000-000000000000",
        "id": "03c164c2-8912-4d5e-8009-3707d5f83734",
        "eventType": "git.push",
        "publisherId": "tfs",
        "resource": {"commits": [], "refUpdates": told, "repository": repository, "pushId": 14},
    }


def azure_pull_request(event: str, head: str, status: str = "active", target: str = "refs/heads/main") -> Json:
    return {
        "id": "2ab4e3d3-b7a6-425e-92b1-5a9982c1269e",
        "eventType": event,
        "resource": {
            "pullRequestId": 5,
            "status": status,
            "sourceRefName": "refs/heads/topic",
            "targetRefName": target,
            "lastMergeSourceCommit": {"commitId": head},
            "repository": {"name": "app", "defaultBranch": "refs/heads/main"},
        },
    }


# --- how each server signs --------------------------------------------------------------------------------------------


def github(secret: str, payload: Json, event: str = "push", identifier: str = "72d3162e") -> Delivery:
    body = json.dumps(payload).encode()
    headers = {"x-github-event": event, "x-github-delivery": identifier, "content-type": "application/json"}
    return {**headers, "x-hub-signature-256": f"sha256={_hex(secret, body)}"}, body


def gitea(secret: str, payload: Json, event: str = "push") -> Delivery:
    """With the headers of the servers that it is like, as Gitea and Forgejo send them."""
    body = json.dumps(payload).encode()
    signature = _hex(secret, body)
    names = {f"x-{name}-event": event for name in ("gitea", "gogs", "github")}
    signatures = {"x-gitea-signature": signature, "x-gogs-signature": signature, "x-hub-signature-256": "sha256=1"}
    return {**names, **signatures, "x-gitea-delivery": "f6266f16", "content-type": "application/json"}, body


def gogs(secret: str, payload: Json, event: str = "push") -> Delivery:
    body = json.dumps(payload).encode()
    return {"x-gogs-event": event, "x-gogs-signature": _hex(secret, body)}, body


def gitlab(secret: str, payload: Json, event: str = "Push Hook") -> Delivery:
    """With a secret token."""
    headers = {"x-gitlab-event": event, "x-gitlab-token": secret, "content-type": "application/json"}
    return headers, json.dumps(payload).encode()


def gitlab_signed(secret: str, payload: Json, event: str = "Push Hook") -> Delivery:
    """With a signing token."""
    body = json.dumps(payload).encode()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.digest(key, b"msg_1.1712345678." + body, hashlib.sha256)
    signature = "v1,AAAA v1," + base64.b64encode(mac).decode()
    signed = {"webhook-id": "msg_1", "webhook-timestamp": "1712345678", "webhook-signature": signature}
    return {"x-gitlab-event": event, **signed}, body


def azure_devops(secret: str, payload: Json) -> Delivery:
    pair = base64.b64encode(f"entrepot:{secret}".encode()).decode()
    headers = {"authorization": f"Basic {pair}", "content-type": "application/json; charset=utf-8"}
    return headers, json.dumps(payload).encode()


def _hex(secret: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}
