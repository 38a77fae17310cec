"""The command line of the bench."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.contenders import custom
from bench.contenders.custom import Recipe
from bench.model import (
    DISTRIBUTION_2,
    DISTRIBUTION_3,
    NGINX,
    OURS,
    OURS_BUILDING,
    OURS_COLLECTING,
    OURS_ON_POSTGRESQL,
    OURS_TELLING,
    Plan,
)
from bench.rows import ROWS

BUILT_IN: Final = (
    OURS,
    OURS_ON_POSTGRESQL,
    OURS_COLLECTING,
    OURS_TELLING,
    OURS_BUILDING,
    DISTRIBUTION_3,
    DISTRIBUTION_2,
    NGINX,
)
USUAL: Final = Plan(repeat=5, seconds=5, large=500_000_000, huge=1_000_000_000, scale=1_000_000)
QUICK: Final = Plan(repeat=4, seconds=2, large=500_000_000, huge=500_000_000, scale=10_000)
LONG_HUGE: Final = 10_000_000_000


@dataclass(frozen=True, slots=True)
class Arguments:
    """What to measure, against whom, and where to write it."""

    plan: Plan
    rows: tuple[str, ...]
    contenders: tuple[str, ...]
    recipes: tuple[Recipe, ...]
    json: Path | None
    folder: Path | None


def parse(words: Sequence[str]) -> Arguments:
    """Exits with a usage message when it cannot."""
    parser = _parser()
    given = parser.parse_args(words, namespace=_Given())
    usual = QUICK if given.quick else USUAL
    plan = Plan(
        repeat=given.repeat or usual.repeat,
        seconds=given.seconds or usual.seconds,
        large=usual.large,
        huge=LONG_HUGE if given.long else usual.huge,
        scale=given.scale or usual.scale,
    )
    peers = given.peers or tuple(name for name in BUILT_IN if not name.startswith(OURS))
    known = (*(name for name in BUILT_IN if name.startswith(OURS)), *peers)
    return Arguments(
        plan, given.rows or tuple(row.name for row in ROWS), known, tuple(given.peer), given.json, given.folder
    )


class _Given(argparse.Namespace):
    rows: tuple[str, ...] | None
    peers: tuple[str, ...] | None
    peer: list[Recipe]
    repeat: int | None
    seconds: float | None
    scale: int | None
    quick: bool
    long: bool
    json: Path | None
    folder: Path | None


def _parser() -> argparse.ArgumentParser:
    names = ", ".join(row.name for row in ROWS)
    parser = argparse.ArgumentParser(
        prog="bench",
        description="Measure Entrepot beside other registries. Exits with 1 when a target is missed.",
        epilog=custom.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--rows", type=_one_of([row.name for row in ROWS]), metavar="A,B", help=f"only these rows; of {names}")
    add("--peers", type=_one_of(list(BUILT_IN)), metavar="A,B", help=f"only these of {', '.join(BUILT_IN[4:])}")
    add(
        "--peer",
        type=_recipe,
        action="append",
        default=[],
        metavar="NAME=[URL] COMMAND",
        help="another registry (below)",
    )
    add("--repeat", type=_count, metavar="N", help=f"rounds ({USUAL.repeat})")
    add("--seconds", type=float, metavar="S", help=f"length of a sample under load ({USUAL.seconds:g})")
    add(
        "--scale",
        type=_count,
        metavar="N",
        help=f"tags in the listing rows ({USUAL.scale:,}); repositories a tenth of it",
    )
    add("--quick", action="store_true", help="short samples, few rounds: for tuning, not for publishing")
    add("--long", action="store_true", help="the huge blob has 10 GB, not 1")
    add("--json", type=Path, metavar="FILE", help="also write raw samples, versions and machine there")
    add("--folder", type=Path, metavar="DIR", help="keep data below this folder (else the temporary one, if on a disk)")
    return parser


def _one_of(known: list[str]) -> "_Chosen":
    return _Chosen(known)


class _Chosen:
    """A list of known names, separated by commas."""

    def __init__(self, known: list[str]) -> None:
        self._known = known

    def __call__(self, text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        unknown = [name for name in names if name not in self._known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(self._known)}")
        return names


def _recipe(text: str) -> Recipe:
    try:
        return Recipe.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
