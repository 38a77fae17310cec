"""A process of its own that works on a store: orders come in as JSON lines, answers go out the same way.

python writer.py SPEC
"""

import json
import resource
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from tests.contract.content.backends import content, joined, open_backend

from entrepot.content.model import Appender, ContentStore, Piece
from entrepot.errors import Problem
from entrepot.oci.digest import Digest

CHUNK = 1024 * 1024

Order = dict[str, Any]  # JSON; each order's function says what it takes
Answer = dict[str, Any]  # the same


def append(store: ContentStore, order: Order) -> Answer:
    """Append [start, stop) of the endless blob and seal."""
    appender = _written(store, order)
    piece = appender.seal()
    return {"piece": None if piece is None else asdict(piece)}


def hold(store: ContentStore, order: Order) -> Answer:
    """Append and neither seal nor abandon: the process is killed, or ends, with the session in hand."""
    _held.append(_written(store, order))
    return {}


def write_on(store: ContentStore, order: Order) -> Answer:
    """Answer as soon as the first chunk is written and go on writing, to be killed in the middle of it."""
    appender = store.appender(order["session"], _pieces(order), order["start"])
    for start in range(order["start"], order["stop"], CHUNK):
        appender.write(content(start, start + CHUNK))
        if start == order["start"]:
            _answer({})
    _held.append(appender)
    return {}


def commit(store: ContentStore, order: Order) -> Answer:
    """Commit what is staged under its digest."""
    staged = joined(store, store.staged_pieces(order["session"], _pieces(order)))
    pieces = store.commit(order["session"], Digest.of(staged), len(staged), _pieces(order))
    return {"pieces": [asdict(piece) for piece in pieces]}


def weigh(store: ContentStore, order: Order) -> Answer:
    """Append and read back [start, stop); by how many bytes the process has grown at its largest."""
    content(0, CHUNK)
    before = _peak()
    sealed = _written(store, order).seal()
    pieces = store.staged_pieces(order["session"], () if sealed is None else (sealed,))
    read = sum(len(chunk) for chunk in store.read(pieces, 0, order["stop"]))
    return {"read": read, "grown": _peak() - before}


_held: list[Appender] = []
ORDERS: dict[str, Callable[[ContentStore, Order], Answer]] = {
    order.__name__: order for order in (append, hold, write_on, commit, weigh)
}


def _written(store: ContentStore, order: Order) -> Appender:
    appender = store.appender(order["session"], _pieces(order), order["start"])
    try:
        for start in range(order["start"], order["stop"], CHUNK):
            appender.write(content(start, min(start + CHUNK, order["stop"])))
    except Problem:
        appender.abandon()
        raise
    return appender


def _pieces(order: Order) -> list[Piece]:
    return [Piece(**piece) for piece in order["sealed"]]


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _answer(answer: Answer) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201  the pipe is how this process speaks


def _main() -> None:
    store = open_backend(sys.argv[1])
    _answer({})
    for line in sys.stdin:
        order = json.loads(line)
        try:
            _answer(ORDERS[order["do"]](store, order))
        except Problem as problem:
            _answer({"problem": problem.kind.name} | problem.detail)


if __name__ == "__main__":
    _main()
