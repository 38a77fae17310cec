"""Filters as ``acr purge`` writes them: REPOSITORY:TAG, each part a regular expression."""

import re
from typing import Final

# Colons of (?:...) and (?i:...) are part of an expression.
_COLON: Final = re.compile(r"(?<!\?)(?<!\?[imsU-])(?<!\?[imsU-]{2}):")


def split_filter(text: str) -> tuple[str, str] | None:
    """None for what has another number of parts, or an empty one."""
    parts = _COLON.split(text)
    if len(parts) != 2 or not all(parts):  # noqa: PLR2004  a repository and a tag
        return None
    return parts[0], parts[1]
