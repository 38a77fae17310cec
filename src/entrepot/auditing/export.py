"""Chained entries out to where somebody else keeps them, at least once each and in order.

A destination that is slow or down holds nobody up: its export waits alone, and goes on from its last entry later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Protocol, Self

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from entrepot.auditing.chaining import Doors
from entrepot.events import queries
from entrepot.events.queries import Filter

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.auditing")

_BATCH: Final = 500
_BATCHES: Final = 20
_EVERYTHING: Final = Filter()

Row = Mapping[str, Any]  # an entry as ``chained_after`` gives it


class Destination(Protocol):
    """Where entries go."""

    def deliver(self, entries: Sequence[Row]) -> None:
        """Hand all of them over, in order. Raises OSError."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Export:
    """``name`` is under which the catalog remembers how far it has come."""

    name: str
    destination: Destination


class Exporter:
    """One export's work within one run."""

    def __init__(self, doors: Doors, export: Export) -> None:
        self._doors = doors
        self._export = export
        self._is_down = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._export.destination.close()

    def send(self) -> int:
        """Send what is new, some batches at most. Answers how many entries; what cannot be sent waits."""
        sent = 0
        for _ in range(_BATCHES):
            batch = self._send_batch()
            sent += batch
            if batch < _BATCH:
                break
        return sent

    def _send_batch(self) -> int:
        name, destination = self._export.name, self._export.destination
        after = self._doors.read(queries.exported_to, name)
        entries = self._doors.read(queries.chained_after, _EVERYTHING, after, _BATCH)
        if not entries:
            return 0
        try:
            destination.deliver(entries)
        except OSError as error:
            destination.close()
            if not self._is_down:
                log.warning("audit_export_waits", export=name, after=after, reason=str(error))
            self._is_down = True
            return 0
        self._is_down = False
        self._doors.write(queries.set_exported, name, entries[-1]["sequence"])
        return len(entries)


_encode: Final = msgspec.json.Encoder().encode


def shown(row: Row) -> dict[str, object]:
    """An entry as everybody outside sees it; ``detail`` is a document again."""
    members = {_camel(name): value for name, value in row.items() if name not in {"detail", "id"}}
    return {**members, "detail": msgspec.json.decode(row["detail"])}


def line_of(row: Row) -> bytes:
    """An entry as one line of JSON, without the line's end."""
    return _encode(shown(row))


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)
