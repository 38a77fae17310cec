"""Conditions of the common shape, as sets: these operations, in these repositories only.

What the portal, az and Terraform write differs in its texts alone. So the shape of a condition is read once, with
numbers in the place of its texts, and thousands of conditions cost no more than splitting each at its quotes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from entrepot.access.alike import columns, part, part_closely, template_of
from entrepot.access.conditions import (
    CONDITION_LIMIT,
    ActionMatches,
    Both,
    Compares,
    Comparison,
    Condition,
    Either,
    Not,
    Quantifier,
)
from entrepot.access.skeletons import parse_skeleton, piece_of, skeleton_of

# So many templates are looked for, as long as so many conditions are left.
_TEMPLATES: Final = 8
_WORTH_IT: Final = 16

# The operations of a condition that names none.
EVERY_OPERATION: Final = ("*",)


class Places:
    """Repositories by name and by prefix, in lower case, as repositories' names are (``parse_repository``)."""

    __slots__ = ("lengths", "names", "prefixes")

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.prefixes: set[str] = set()
        self.lengths: set[int] = set()

    def __contains__(self, repository: str) -> bool:
        return repository in self.names or any(repository[:length] in self.prefixes for length in self.lengths)


class Gathered(NamedTuple):
    """Conditions of which one must hold.

    ``restricted``: operations that these patterns name are permitted in these places, all others anywhere.
    ``others``: conditions of another shape, or that cannot be read.
    """

    restricted: dict[tuple[str, ...], Places]
    others: list[str]


class _Shape(NamedTuple):
    """Which piece of a condition, split at its quotes, is what; for places also whether case counts."""

    operations: tuple[int, ...]
    names: tuple[tuple[int, bool], ...]
    prefixes: tuple[tuple[int, bool], ...]
    patterns: tuple[tuple[int, bool], ...]


def gather(conditions: Iterable[str]) -> Gathered:
    """Half a microsecond for each condition that a few templates wrote, two for any other of the common shape."""
    gathered = Gathered(defaultdict(Places), [])
    texts = list(conditions)
    for _ in range(_TEMPLATES):
        if len(texts) < _WORTH_IT:
            break
        texts = _gather_alike(texts, gathered)
    for text in texts:
        _gather_one(text, gathered)
    for places in gathered.restricted.values():
        places.lengths.update(map(len, places.prefixes))
    return gathered


def _gather_alike(texts: list[str], gathered: Gathered) -> list[str]:
    """Of the first and all that are like it; the others."""
    pieces = texts[0].split("'")
    shape = _shape_of(texts[0], pieces)
    template = template_of(pieces, _place_pieces(shape)) if shape is not None and _ignores_case(shape) else None
    if shape is None or template is None:
        _gather_one(texts[0], gathered)
        return texts[1:]
    alike, rest = part(texts, template)
    found = columns(alike, template, CONDITION_LIMIT)
    if found is None:
        alike, others = part_closely(alike, template)
        rest += others
        found = columns(alike, template, CONDITION_LIMIT)
    if found is None:
        for text in alike:
            _gather_one(text, gathered)
        return rest
    places = gathered.restricted[tuple([pieces[at] for at in shape.operations]) or EVERY_OPERATION]
    prefixes = {at for at, _ in shape.prefixes}
    for at, column in zip(_place_pieces(shape), found, strict=True):
        (places.prefixes if at in prefixes else places.names).update(column)
    return rest


def _ignores_case(shape: _Shape) -> bool:
    """As the operators do that the portal, az and Terraform write."""
    return not shape.patterns and all(ignores for _, ignores in shape.names + shape.prefixes)


def _place_pieces(shape: _Shape) -> list[int]:
    return sorted(at for at, _ in shape.names + shape.prefixes)


def _shape_of(text: str, pieces: list[str]) -> _Shape | None:
    skeleton = skeleton_of(text, pieces)
    return None if skeleton is None else _shape(skeleton)


def _gather_one(text: str, gathered: Gathered) -> None:
    pieces = text.split("'")
    shape = _shape_of(text, pieces)
    if shape is None or (shape.patterns and _are_wild(shape, pieces)):
        gathered.others.append(text)
        return
    operations, names, prefixes, patterns = shape
    places = gathered.restricted[tuple([pieces[at] for at in operations]) or EVERY_OPERATION]
    for at, ignore_case in names:
        places.names.add(pieces[at].lower() if ignore_case else pieces[at])
    for at, ignore_case in prefixes:
        places.prefixes.add(pieces[at].lower() if ignore_case else pieces[at])
    for at, ignore_case in patterns:
        kind = places.prefixes if pieces[at].endswith("*") else places.names
        fixed = pieces[at].removesuffix("*")
        kind.add(fixed.lower() if ignore_case else fixed)


def _are_wild(shape: _Shape, pieces: list[str]) -> bool:
    """Whether one of the patterns is more than a name, or than a prefix with a star behind it."""
    return any(not {"*", "?", "\\"}.isdisjoint(pieces[at].removesuffix("*")) for at, _ in shape.patterns)


@lru_cache(maxsize=256)
def _shape(skeleton: str) -> _Shape | None:
    """Of a condition of the common shape; None of any other."""
    condition = parse_skeleton(skeleton)
    if condition is None:
        return None
    terms = list(_alternatives(condition))
    guards = [guarded for term in terms if (guarded := _guarded(term)) is not None]
    places = [term for term in terms if isinstance(term, Compares)]
    if len(guards) > 1 or len(guards) + len(places) != len(terms) or not all(map(_is_plain, places)):
        return None
    return _Shape(
        tuple(map(piece_of, guards[0] if guards else ())),
        _places(places, Comparison.EQUALS),
        _places(places, Comparison.STARTS_WITH),
        _places(places, Comparison.LIKE),
    )


def _alternatives(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, Either):
        for term in condition.terms:
            yield from _alternatives(term)
    else:
        yield condition


def _guarded(condition: Condition) -> tuple[str, ...] | None:
    """The patterns of operations that a guard leaves to the rest; None for what is no guard."""
    match condition:
        case Not(ActionMatches(pattern)):
            return (pattern,)
        case Not(Either(terms)) | Both(terms):
            inner = [Not(term) for term in terms] if isinstance(condition, Not) else terms
            found = [_guarded(term) for term in inner]
            return None if None in found else tuple(pattern for patterns in found for pattern in patterns or ())
        case _:
            return None


def _is_plain(place: Compares) -> bool:
    return not place.operator.negated and place.quantifier in {None, Quantifier.ANY_OF_ANY, Quantifier.ALL_OF_ANY}


def _places(found: list[Compares], comparison: Comparison) -> tuple[tuple[int, bool], ...]:
    return tuple(
        (piece_of(value), compares.operator.ignore_case)
        for compares in found
        if compares.operator.comparison is comparison
        for value in compares.values
    )
