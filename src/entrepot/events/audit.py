"""The audit log: who did what, from where, and how it ended. What is written, and what is not: docs/concepts/audit.md.

A change's entry commits with the change (``record_change``). What changes nothing, such as a sign-in, is gathered and
written a moment later (``gathering``). Either way an entry waits to be numbered and chained (``chain``).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

import msgspec
from sqlalchemy import Connection

from entrepot.events import queries

Told: TypeAlias = "bool | int | float | str | datetime | Sequence[Told] | Mapping[str, Told] | None"
Detail: TypeAlias = Mapping[str, Told]

MASK: Final = "***"
DETAIL_LIMIT: Final = 16 * 1024
# Of members whose values are secrets, wherever they stand: in a webhook's headers, a credential, a form.
_SECRET: Final = re.compile(
    r"\w*passwords?\d*|passphrase|\w*secret(_?(text|key|value))?|\w*token|\w*assertion|authorization|private_?key|totp|seed"
    r"|cookie|connection_?string|custom_?headers|code",
    re.IGNORECASE,
)
# What stands before the host of an address: a name and a password, or a token alone.
_IN_ADDRESS: Final = re.compile(r"//[^/@\s]+@")
_encode: Final = msgspec.json.Encoder(order="sorted").encode


class Act(StrEnum):
    """What is written down of the data plane. Management has the names of its operations."""

    ATTRIBUTES = "attributes.update"
    BLOB_DELETE = "blob.delete"
    DENIED = "denied"
    KEYS_REPLACE = "keys.replace"
    KEYS_ROTATE = "keys.rotate"
    LOST = "audit.lost"
    MANIFEST_DELETE = "manifest.delete"
    MANIFEST_PUSH = "manifest.push"
    MANIFEST_RESTORE = "manifest.restore"
    OWNER_SECRET = "owner.secret"  # noqa: S105  an act's name
    REPOSITORY_DELETE = "repository.delete"
    REPOSITORY_RESTORE = "repository.restore"
    REGISTRY_SETTING = "registry.setting"
    SIGN_IN = "sign_in"
    STORAGE_WARNING = "registry.storage_warning"
    TAG_DELETE = "tag.delete"
    TAG_ROLLBACK = "tag.rollback"
    TOKEN_ISSUE = "token.issue"  # noqa: S105  an act's name
    TOKEN_REFUSE = "token.refuse"  # noqa: S105  the same
    UPLOAD_CANCEL = "upload.cancel"


class Result(StrEnum):
    """How it ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, which registry it asked, and how its caller proved who it is.

    ``credential`` is the id of what they signed in with, never the secret.
    """

    method: str = ""
    credential: str = ""
    registry: str = ""
    address: str = ""
    user_agent: str = ""
    request_id: str = ""


# Of what no request caused: a command on the data folder, a job.
NOWHERE: Final = Origin()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. ``detail`` is JSON without secrets; ``target`` what it was done to."""

    at: datetime
    action: str
    result: str
    principal: str
    target: str
    origin: Origin
    detail: str = "{}"


class Cause(Protocol):
    """Who changes something, when, from where: ``catalog.model.Change`` is one."""

    @property
    def principal(self) -> str: ...
    @property
    def now(self) -> datetime: ...
    @property
    def origin(self) -> Origin: ...


def record_change(tx: Connection, cause: Cause, action: str, target: str, detail: Detail) -> None:
    """Write the entry of a change in the change's own transaction. What ``detail`` tells before and after is masked."""
    entry = Entry(cause.now, action, Result.SUCCESS, cause.principal, target, cause.origin, told(detail))
    queries.insert_entry(tx, row_of(entry))


def record_entries(tx: Connection, entries: list[Entry]) -> None:
    """Write entries of what changed nothing."""
    queries.insert_entries(tx, [row_of(entry) for entry in entries])


def told(detail: Detail) -> str:
    """The detail as JSON, with MASK for whatever is a secret by its name; of one that is too long only its length."""
    text = _encode(_masked(detail))
    return text.decode() if len(text) <= DETAIL_LIMIT else _encode({"tooLong": len(text)}).decode()


def _masked(value: Told) -> Told:
    if isinstance(value, Mapping):
        is_secret = value.get("isSecret") is True
        return {
            name: MASK if _is_secret(name, member) or (is_secret and name == "value") else _masked(member)
            for name, member in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(element) for element in value]
    return _IN_ADDRESS.sub(f"//{MASK}@", value) if isinstance(value, str) else value


def _is_secret(name: str, member: Told) -> bool:
    """Whether something is secret is none itself."""
    return _SECRET.fullmatch(name) is not None and not isinstance(member, bool)


def row_of(entry: Entry) -> dict[str, object]:
    """The entry's columns, cut to what they hold: names, paths and headers are as long as a client likes."""
    origin = entry.origin
    return {
        "at": entry.at,
        "action": _cut(entry.action, 128),
        "result": _cut(entry.result, 32),
        "principal": _cut(entry.principal, 64),
        "method": _cut(origin.method, 32),
        "credential": _cut(origin.credential, 64),
        "registry": _cut(origin.registry, 255),
        "target": _cut(entry.target, 1024),
        "address": _cut(origin.address, 64),
        "user_agent": _cut(origin.user_agent, 256),
        "request_id": _cut(origin.request_id, 64),
        "detail": entry.detail,
    }


def _cut(text: str, length: int) -> str:
    """PostgreSQL takes no NUL."""
    return text[:length].replace("\0", "\ufffd")
