"""How a condition came to its answer: each of its comparisons with the values that it had."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from entrepot.access.candidates import read_condition
from entrepot.access.conditions import (
    ActionMatches,
    Both,
    Compares,
    Condition,
    Either,
    Exists,
    Not,
    SubOperationMatches,
    permits,
)

_LIMIT: Final = 20


def outcomes_of(text: str, operation: str, repository: str | None) -> list[str]:
    """The first few comparisons. Nothing of a condition that cannot be read."""
    condition = read_condition(text)
    return [] if condition is None else list(islice(_outcomes(condition, operation, repository), _LIMIT))


def _outcomes(condition: Condition, operation: str, repository: str | None) -> Iterator[str]:
    match condition:
        case ActionMatches() | SubOperationMatches():
            yield f"{condition} is {_told(permits(condition, operation, repository))} of {operation}"
        case Exists():
            yield f"a repository's name exists: {_told(repository is not None)}"
        case Compares():
            values = ", ".join(f"'{value}'" for value in condition.values)
            how = str(condition.operator)
            if condition.quantifier is not None:
                how = f"{condition.quantifier.value}:{how}"
            answer = "unknown" if repository is None else _told(condition.holds(repository))
            yield f"{'no repository' if repository is None else repr(repository)} {how} {values}: {answer}"
        case Not(term):
            yield from _outcomes(term, operation, repository)
        case Both(terms) | Either(terms):
            for term in terms:
                yield from _outcomes(term, operation, repository)


def _told(answer: bool) -> str:  # noqa: FBT001  it is told, it switches nothing
    return "true" if answer else "false"
