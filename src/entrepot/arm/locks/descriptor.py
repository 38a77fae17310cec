"""Locks as resources that extend others. Spec: Azure REST, "Management Locks"."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.arm.authorization.scopes import PROVIDER, scope_of
from entrepot.arm.descriptor import AnyResource, Ask, Listing, Page, ResourceType, name_of
from entrepot.arm.locks import queries
from entrepot.arm.locks.queries import LockRow
from entrepot.arm.locks.rules import LOCK_TYPE, Level
from entrepot.arm.versions import LOCKS
from entrepot.errors import Kind, Problem

_NAME_LENGTH: Final = 255
_NOTES_LENGTH: Final = 512


class LockSettings(msgspec.Struct):
    level: Level
    notes: str | None = None


class LockBody(msgspec.Struct):
    properties: LockSettings


class LockDocument(msgspec.Struct):
    properties: LockSettings
    id: str
    name: str
    type: str = LOCK_TYPE


def locks(scopes: Sequence[AnyResource]) -> ResourceType[LockDocument, LockBody]:
    """As an extension of these resources."""
    places = [scope.paths[0] for scope in scopes]
    return ResourceType(
        name=LOCK_TYPE,
        paths=tuple(f"{place}{PROVIDER}/locks/{{lock}}" for place in places),
        versions=LOCKS,
        document=LockDocument,
        get=partial(_find, scopes),
        body=LockBody,
        lists=tuple(
            Listing(f"{place}{PROVIDER}/locks", place, partial(_rows, scopes), order=_order) for place in places
        ),
        put=partial(_write, scopes),
        delete=_delete,
        parents=tuple(scopes),
        not_found="LockNotFound",
    )


def _find(scopes: Sequence[AnyResource], tx: Connection, ask: Ask) -> LockDocument | None:
    row = queries.find_lock(tx, scope_of(tx, ask, scopes), ask["lock"])
    return None if row is None else _document(row)


def _rows(scopes: Sequence[AnyResource], tx: Connection, ask: Ask, page: Page) -> Sequence[LockDocument]:
    """At the scope and above it, as they all hold there."""
    parts = scope_of(tx, ask, scopes).split("/")
    at = ["/".join(parts[:end]) for end in range(2, len(parts) + 1)]
    found = sorted((_document(row) for row in queries.locks_at(tx, at)), key=_order)
    return [document for document in found if _order(document) > page.after][: page.limit]


def _order(document: LockDocument) -> str:
    """By names, of which each scope may have the same."""
    return f"{name_of(document)}/{document.id.lower()}"


def _document(row: LockRow) -> LockDocument:
    shown = LockSettings(Level(row.level), row.notes or None)
    return LockDocument(shown, f"{row.scope}{PROVIDER}/locks/{row.name}", row.name)


def _write(
    scopes: Sequence[AnyResource], tx: Connection, ask: Ask, body: LockBody, current: LockDocument | None
) -> LockDocument:
    """Raises NAME_INVALID, RESOURCE_INVALID."""
    name, notes = ask["lock"] if current is None else current.name, body.properties.notes or ""
    if len(name) > _NAME_LENGTH or name.endswith(".") or any(letter in "<>%&\\?/" for letter in name):
        reason = f"It has at most {_NAME_LENGTH} characters, none of <>%&\\?/, and no period last."
        raise Problem(Kind.NAME_INVALID, name=name[:64], reason=reason)
    if len(notes) > _NOTES_LENGTH or "\0" in notes:
        reason = f"they have at most {_NOTES_LENGTH} characters"
        raise Problem(Kind.RESOURCE_INVALID, target="properties.notes", reason=reason)
    row = LockRow(name, scope_of(tx, ask, scopes), body.properties.level.value, notes)
    queries.put_lock(tx, row)
    return _document(row)


def _delete(tx: Connection, ask: Ask, current: LockDocument) -> None:  # noqa: ARG001  handlers have one shape
    queries.delete_lock(tx, current.id.rpartition(f"{PROVIDER}/locks/")[0], current.name)
