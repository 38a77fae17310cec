"""Health on every host. ``/livez``: the process answers. ``/readyz``: it can serve, catalog and storage included."""

from typing import Final

from sqlalchemy import Connection

from entrepot.access import queries as access
from entrepot.content.model import ContentStore
from entrepot.errors import Problem
from entrepot.gate.doors import Doors
from entrepot.web.answer import Answer

_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_UNCACHED: Final = (b"cache-control", b"no-store")
# A session that never exists: asking for it reaches the store and changes nothing.
_NOBODY: Final = "0" * 32


def livez() -> Answer:
    return Answer(200, [_TEXT, _UNCACHED], b"ok\n")


async def readyz(doors: Doors, store: ContentStore) -> Answer:
    """503 with the part that does not answer."""
    checks = (("catalog", lambda: doors.database.read(_look)), ("content", lambda: store.staged(_NOBODY, ())))
    for name, check in checks:
        try:
            await doors.run(check)
        except Problem as problem:
            return Answer(503, [_TEXT, _UNCACHED], f"{name}: {problem.kind.name}\n".encode())
    return Answer(200, [_TEXT, _UNCACHED], b"ok\n")


def _look(tx: Connection) -> int:
    return access.epoch(tx)
