"""Conditions without their texts. What people and programs write differs in its texts alone, so thousands of conditions
have few skeletons, and each is parsed once: with numbers in the place of its texts.
"""

from functools import lru_cache

from entrepot.access.conditions import CONDITION_LIMIT, Condition, parse_condition
from entrepot.errors import Problem


def skeleton_of(text: str, pieces: list[str]) -> str | None:
    """Of a condition split at its quotes; one quote stands for each text. None for one whose case or whose ends are not
    as plain as they look.
    """
    is_plain = text.isascii() and "\0" not in text and len(text) <= CONDITION_LIMIT
    return "'".join(pieces[::2]) if is_plain else None


@lru_cache(maxsize=256)
def parse_skeleton(skeleton: str) -> Condition | None:
    """The condition with the numbers of its texts, from 0 on, in their place. None for what cannot be read."""
    *before, end = skeleton.split("'")
    numbered = "".join(f"{piece}'{number}'" for number, piece in enumerate(before)) + end
    try:
        return parse_condition(numbered)
    except Problem:
        return None


def piece_of(number: str) -> int:
    """Text 0 stands between the first quote and the second: it is piece 1."""
    return 2 * int(number) + 1
