"""What runs are called: two letters and a number of a registry's own, in letters and digits (ACR-TASKS 6.2)."""

import re
from typing import Final

PREFIX: Final = "ca"
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_NAME: Final = re.compile(rf"{PREFIX}([1-9a-z][0-9a-z]{{0,11}})")


def run_name(number: int) -> str:
    """``ca1``, ``caz``, ``ca10``: lower-case, so that it can be a tag."""
    digits = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return PREFIX + digits


def run_number(name: str) -> int | None:
    """Of a name in whatever case; None for what names no run."""
    found = _NAME.fullmatch(name.lower())
    return None if found is None else int(found[1], len(_DIGITS))
