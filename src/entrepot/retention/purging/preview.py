"""The preview: what would go, what would stay, and why; in pages, all of them as of the time of the first."""

import base64
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.catalog.model import RegistryId
from entrepot.db.columns import instant_of, number_of
from entrepot.errors import Kind, Problem
from entrepot.retention.purging.model import (
    Position,
    PreviewAnswer,
    PreviewItem,
    PreviewQuestion,
    Selection,
    moment,
)
from entrepot.retention.purging.rules import terms_of
from entrepot.retention.purging.walk import Judged, Walk

# Of one request: what is not concerned is passed over in it.
_STEPS: Final = 20
_INSTANTS: Final = range(2**53)


class _Place(msgspec.Struct, forbid_unknown_fields=True):
    """Where a page begins, and the time that the first one was looked up at."""

    now: int
    position: Position


def preview(
    tx: Connection, registry: RegistryId, selection: Selection, question: PreviewQuestion, now: datetime
) -> PreviewAnswer:
    """Raises PAGE_INVALID."""
    place = _Place(number_of(now), Position()) if not question.after else _read(question.after)
    walk = Walk(registry, terms_of(selection, instant_of(place.now)), place.position)
    found: list[PreviewItem] = []
    for _ in range(_STEPS):
        page = walk.step(tx, question.limit - len(found))
        if page is None:
            return PreviewAnswer(found)
        found += map(_item, page)
        if len(found) == question.limit:
            break
    return PreviewAnswer(found, _written(_Place(place.now, walk.position)))


def _item(judged: Judged) -> PreviewItem:
    return PreviewItem(
        repository=judged.repository,
        digest=judged.digest,
        delete=judged.is_due,
        reason=judged.reason,
        last_update_time=moment(judged.updated_at),
        tag=judged.tag,
        last_pulled_time=None if judged.last_pulled_at is None else moment(judged.last_pulled_at),
    )


def _written(place: _Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def _read(text: str) -> _Place:
    try:
        raw = base64.b64decode(text, b"-_", validate=True)
        place = msgspec.json.decode(raw, type=_Place)
    except (ValueError, RecursionError):
        raise _invalid() from None
    position = place.position
    moments = (place.now, position.at or 0, (position.oldest_kept or (0, ""))[0])
    if "\0" in position.repository + position.name or any(each not in _INSTANTS for each in moments):
        raise _invalid()
    return place


def _invalid() -> Problem:
    return Problem(Kind.PAGE_INVALID, reason="'after' is what the answer before said.")
