"""Conditions of any shape, found by what they need.

A condition that wants the repository's name to be like a text holds for no repository whose name is unlike every one of
its texts. So each is kept under these texts, and a question looks at the few that may hold, not at thousands.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from entrepot.access.conditions import (
    ActionMatches,
    Both,
    Compares,
    Comparison,
    Condition,
    Either,
    Exists,
    Not,
    SubOperationMatches,
    parse_condition,
    permits,
)
from entrepot.access.patterns import names_operation
from entrepot.access.skeletons import parse_skeleton, piece_of, skeleton_of
from entrepot.errors import Problem

_CONDITIONS_REMEMBERED: Final = 4096
_NEEDS_REMEMBERED: Final = 256
_WILD: Final = "*?\\"

# Pieces of a condition that are such texts, and whether each is a whole name; None where any repository will do.
_Need = frozenset[tuple[int, bool]] | None
_NEVER: Final[frozenset[tuple[int, bool]]] = frozenset()


class Candidates:
    """Conditions for one operation. Names of repositories are in lower case (``parse_repository``)."""

    def __init__(self, operation: str, texts: Iterable[str]) -> None:
        self._operation = operation
        self._always: list[str] = []
        self._names: defaultdict[str, list[str]] = defaultdict(list)
        self._beginnings: defaultdict[str, list[str]] = defaultdict(list)
        for text in texts:
            self._add(text)
        self._lengths = sorted({len(beginning) for beginning in self._beginnings})

    def hold(self, repository: str | None) -> bool:
        """Whether one of the conditions does."""
        return any(
            read is not None and permits(read, self._operation, repository)
            for read in map(read_condition, self._fitting(repository))
        )

    def _fitting(self, repository: str | None) -> Iterator[str]:
        yield from self._always
        if repository is not None:
            yield from self._names.get(repository, ())
            for length in self._lengths:
                yield from self._beginnings.get(repository[:length], ())

    def _add(self, text: str) -> None:
        pieces = text.split("'")
        skeleton = skeleton_of(text, pieces)
        if skeleton is None:
            self._always.append(text)
            return
        patterns = _patterns(skeleton)
        if patterns is None:
            return
        need = _need(skeleton, tuple([names_operation(pieces[at], self._operation) for at in patterns]))
        if need is None:
            self._always.append(text)
            return
        for at, is_whole in need:
            if is_whole:
                self._names[pieces[at].lower()].append(text)
            else:
                self._beginnings[_fixed(pieces[at].lower())].append(text)


@lru_cache(maxsize=_CONDITIONS_REMEMBERED)
def read_condition(text: str) -> Condition | None:
    """None for what cannot be read: it was written by something newer, or by hand."""
    try:
        return parse_condition(text)
    except Problem:
        return None


def _fixed(pattern: str) -> str:
    """What stands before the first wildcard."""
    return pattern[: min((at for sign in _WILD if (at := pattern.find(sign)) >= 0), default=len(pattern))]


@lru_cache(maxsize=_NEEDS_REMEMBERED)
def _patterns(skeleton: str) -> tuple[int, ...] | None:
    """The pieces that are patterns of operations; None for a condition that cannot be read."""
    condition = parse_skeleton(skeleton)
    return None if condition is None else tuple(_patterns_in(condition))


def _patterns_in(condition: Condition) -> Iterator[int]:
    match condition:
        case ActionMatches(pattern):
            yield piece_of(pattern)
        case Not(term):
            yield from _patterns_in(term)
        case Both(terms) | Either(terms):
            for each in terms:
                yield from _patterns_in(each)
        case _:
            pass


@lru_cache(maxsize=_NEEDS_REMEMBERED)
def _need(skeleton: str, named: tuple[bool, ...]) -> _Need:
    """What a condition needs to hold. ``named``: whether each of its patterns names the operation."""
    condition = parse_skeleton(skeleton)
    if condition is None:
        return _NEVER
    return _needed(condition, dict(zip(_patterns_in(condition), named, strict=True)), wanted=True)


def _needed(condition: Condition, named: dict[int, bool], *, wanted: bool) -> _Need:
    """What it takes for this to be so, or, where that is wanted, not to be so."""
    match condition:
        case ActionMatches(pattern):
            return None if named[piece_of(pattern)] is wanted else _NEVER
        case SubOperationMatches():
            return _NEVER if wanted else None
        case Exists():
            return None
        case Compares():
            is_whole = condition.operator.comparison is Comparison.EQUALS
            likeness = frozenset((piece_of(value), is_whole) for value in condition.values)
            return likeness if condition.operator.negated is not wanted else None
        case Not(term):
            return _needed(term, named, wanted=not wanted)
        case Both(terms) | Either(terms):
            found = [_needed(term, named, wanted=wanted) for term in terms]
            return _all_of(found) if isinstance(condition, Both) is wanted else _one_of(found)


def _all_of(needs: list[_Need]) -> _Need:
    """Each is needed: the least is enough to look at."""
    return min((need for need in needs if need is not None), key=len, default=None)


def _one_of(needs: list[_Need]) -> _Need:
    known = [need for need in needs if need is not None]
    return _NEVER.union(*known) if len(known) == len(needs) else None
