"""Source triggers: rows with the address that a git server calls, its secret, and when the repository is looked at."""

import base64
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from entrepot.access.sealing import Sealer
from entrepot.errors import Kind, Problem
from entrepot.tasks.triggers import queries
from entrepot.tasks.triggers.queries import Source

# Below it are the addresses that git servers call.
FOLDER: Final = "/hooks"
# The form of Standard Webhooks, which GitLab wants for a signing token; the others take any text.
SECRET_PREFIX: Final = "whsec_"  # noqa: S105  a prefix
_SECRET_BYTES: Final = 32


class Seen(Struct, frozen=True):
    """What a look at a repository has found, as its row keeps it: ``commits`` by the references that were watched for
    these ``events``.
    """

    events: list[str]
    commits: dict[str, str]


class Watched(NamedTuple):
    """A source trigger as a task has it. ``branch``: empty for the default one. ``is_on``: it may begin runs."""

    name: str
    repository: str
    branch: str
    is_on: bool


class Keys(NamedTuple):
    """What new rows are made with. ``new_id``: 32 hex digits that nobody can guess."""

    sealer: Sealer
    new_id: Callable[[], str]


def set_sources(tx: Connection, task_id: int, wanted: Iterable[Watched], keys: Keys, now: datetime) -> None:
    """The task's source triggers from now on: one that stays keeps its address and its secret, and what was seen while
    it means the same branch.
    """
    before = {each.name: each for each in queries.sources_of(tx, task_id)}
    for each in wanted:
        was = before.pop(each.name, None)
        if was is None:
            _insert(tx, task_id, each, keys, now)
        else:
            _update(tx, was, each, now)
    for gone in before.values():
        queries.delete_source(tx, gone.id)


def _insert(tx: Connection, task_id: int, each: Watched, keys: Keys, now: datetime) -> None:
    hook = keys.new_id()
    values: dict[str, object] = {
        "task_id": task_id,
        "name": each.name,
        "hook": hook,
        "secret": _new_secret(keys.sealer, hook),
        "repository": each.repository,
        "branch": each.branch,
        "due_at": now if each.is_on else None,
    }
    queries.insert_source(tx, values)


def _update(tx: Connection, was: Source, each: Watched, now: datetime) -> None:
    is_same = (was.repository, was.branch) == (each.repository, each.branch)
    is_kept = is_same and was.due_at is not None and each.is_on
    values: dict[str, object] = {"repository": each.repository, "branch": each.branch}
    if not is_kept:
        # What came while nobody looked begins nothing: the next look is a first one.
        values |= {"seen": None, "failures": 0, "problem": None, "due_at": now if each.is_on else None}
    queries.update_source(tx, was.id, values)


def seen_of(source: Source) -> Seen | None:
    """None before the first look."""
    return None if source.seen is None else msgspec.json.decode(source.seen, type=Seen)


def secret_of(sealer: Sealer, source: Source) -> str:
    """Raises SealBrokenError."""
    return sealer.open(source.secret, _purpose_of(source.hook))


def renew_secret(tx: Connection, task_id: int, name: str, sealer: Sealer) -> Source:
    """The trigger with another secret. Raises RESOURCE_UNKNOWN."""
    for source in queries.sources_of(tx, task_id):
        if source.name.lower() == name.lower():
            made = source._replace(secret=_new_secret(sealer, source.hook))
            queries.update_source(tx, source.id, {"secret": made.secret})
            return made
    raise Problem(
        Kind.RESOURCE_UNKNOWN, code="TriggerNotFound", reason=f"The task has no source trigger '{name[:128]}'."
    )


def _new_secret(sealer: Sealer, hook: str) -> str:
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    return sealer.seal(secret, _purpose_of(hook))


def _purpose_of(hook: str) -> str:
    return f"hook {hook}"
