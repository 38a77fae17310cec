import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Concatenate, Literal, ParamSpec, TypeVar

from sqlalchemy import Connection
from tests.integration.retention.world import CONFIG, WAITS, World, ignore, never
from tests.invariants import assert_consistent

from entrepot.db.database import Database
from entrepot.oci.digest import Digest
from entrepot.retention.collect import Collector

P = ParamSpec("P")
T = TypeVar("T")
Moment = Literal["before", "after"]


class Died(Exception):
    """The collector's process is gone."""


class MortalDoors:
    """The catalog's doors, of a process that dies before or after its Nth transaction has committed."""

    def __init__(self, database: Database, lives: int, moment: Moment) -> None:
        self._database = database
        self._left = lives
        self._moment = moment

    def read(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._database.read(work, *args, **kwargs)

    def write(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        self._left -= 1
        if self._left == 0 and self._moment == "before":
            raise Died
        answer = self._database.write(work, *args, **kwargs)
        if self._left == 0:
            raise Died
        return answer


def deaths() -> Iterator[tuple[int, Moment]]:
    return itertools.product(range(1, 12), ("before", "after"))


def test_whatever_moment_a_collector_dies_at_the_next_one_goes_on(world: World):
    world.push_image("kept", CONFIG, b"kept")
    image = world.push_image("app", *(f"layer {number}".encode() for number in range(3)))
    world.clock.advance(WAITS.unlinked)
    world.delete_manifest("app", image)
    for lives, moment in deaths():
        world.start_upload("app", b"abandoned")
        world.clock.advance(WAITS.retired)
        with suppress(Died):
            Collector(world.site(MortalDoors(world.database, lives, moment))).collect(never, ignore)
        assert world.get("kept", Digest.of(b"kept")) == b"kept"
    world.clock.advance(WAITS.upload * 2)
    world.collect_fully()
    assert len(world.files()) == 2
    assert_consistent(world.database, world.store)
