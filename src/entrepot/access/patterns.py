"""Patterns with wildcards, matched in time that grows with the text and not with the number of wildcards."""

import re
from collections.abc import Sequence
from functools import lru_cache


def between_wildcards(pieces: Sequence[str]) -> re.Pattern[str]:
    """Expressions of fixed length with any text between them.

    Each piece but the last is taken where it first occurs and never again elsewhere (an atomic group): a later place
    permits nothing that the first does not, and going back over them would take exponential time.
    """
    first, *middle = pieces
    if not middle:
        return re.compile(first, re.DOTALL)
    *middle, last = middle
    return re.compile(first + "".join(f"(?>.*?{piece})" for piece in middle) + f".*{last}", re.DOTALL)


@lru_cache(maxsize=1024)
def operations_like(pattern: str) -> re.Pattern[str]:
    """Azure's pattern of operations, to be matched in full with an operation in lower case.

    ``*`` stands for any text, slashes too, as often as it is written. Spec: Azure RBAC, "Actions format".
    """
    return between_wildcards([re.escape(piece) for piece in pattern.lower().split("*")])


def names_operation(pattern: str, operation: str) -> bool:
    """Whether the pattern names the operation, whose case does not count."""
    return operations_like(pattern).fullmatch(operation.lower()) is not None
