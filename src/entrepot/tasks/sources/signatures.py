"""Who sends a delivery, and whether it proves to know the hook's secret. Each comparison takes constant time.

Sources: GitHub, "Validating webhook deliveries"; Gitea, "Webhooks"; GitLab, "Webhooks" (secret token, signing token);
Standard Webhooks, "Signature scheme"; Azure DevOps, "Webhooks with Azure DevOps" (basic authentication).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from entrepot.tasks.triggers.sources import SECRET_PREFIX

_SHA256: Final = "sha256="
_VERSION: Final = "v1,"
# A header's value by its name.
Header = Callable[[bytes], str | None]


class Server(StrEnum):
    """A kind of git server, by its name."""

    GITHUB = "GitHub"
    GITLAB = "GitLab"
    GITEA = "Gitea"
    GOGS = "Gogs"
    AZURE_DEVOPS = "Azure DevOps"


# Gitea (and Forgejo, which sends its headers too) also sends those of Gogs and of GitHub, so the order matters.
_EVENTS: Final = (
    (b"x-gitea-event", Server.GITEA),
    (b"x-gogs-event", Server.GOGS),
    (b"x-github-event", Server.GITHUB),
    (b"x-gitlab-event", Server.GITLAB),
)


def sender_of(header: Header) -> tuple[Server, str] | None:
    """Who sends it, and what the event is called. Azure DevOps says nothing of itself, and the event in the body."""
    for name, server in _EVENTS:
        event = header(name)
        if event is not None:
            return server, event
    return (Server.AZURE_DEVOPS, "") if (header(b"authorization") or "").lower().startswith("basic ") else None


def is_signed(server: Server, header: Header, body: bytes, secret: str) -> bool:
    """Whether whoever sent it has the secret."""
    match server:
        case Server.GITHUB:
            given = header(b"x-hub-signature-256") or ""
            return given.startswith(_SHA256) and _is_same(given.removeprefix(_SHA256), _hex(body, secret))
        case Server.GITEA | Server.GOGS:
            return _is_same(header(f"x-{server.lower()}-signature".encode()) or "", _hex(body, secret))
        case Server.GITLAB:
            return _is_gitlabs(header, body, secret)
        case Server.AZURE_DEVOPS:
            return _is_same(_password(header(b"authorization") or ""), secret)


def _is_gitlabs(header: Header, body: bytes, secret: str) -> bool:
    """By its signing token where it has one, which is newer; else by its secret token.

    How old the delivery is does not matter: one commit begins one run.
    """
    signatures = header(b"webhook-signature")
    if signatures is None:
        return _is_same(header(b"x-gitlab-token") or "", secret)
    signed = f"{header(b'webhook-id')}.{header(b'webhook-timestamp')}.".encode("latin-1") + body
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    # Several while a token is being replaced.
    found = [
        _is_same(each.removeprefix(_VERSION), expected) for each in signatures.split() if each.startswith(_VERSION)
    ]
    return any(found)


def _hex(body: bytes, secret: str) -> str:
    return hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def _is_same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("latin-1", "replace"), expected.encode())


def _password(authorization: str) -> str:
    """Whatever the user's name is."""
    try:
        pair = base64.b64decode(authorization.partition(" ")[2].strip(), validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""
    return pair.partition(":")[2]
