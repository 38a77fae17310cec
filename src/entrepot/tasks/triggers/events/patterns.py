"""Patterns that a trigger has for repositories and tags: ``*`` stands for any text, ``/`` too."""

import fnmatch
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

REPOSITORY: Final = re.compile(r"[a-z0-9._/*-]{1,255}")
TAG: Final = re.compile(r"[A-Za-z0-9._*-]{1,128}")


def first_like(names: Iterable[str], patterns: Iterable[str]) -> str | None:
    """The first of the names that one of the patterns fits."""
    known = list(patterns)
    return next((name for name in names if any(_like(each).match(name) for each in known)), None)


@lru_cache(1024)
def _like(pattern: str) -> re.Pattern[str]:
    """In time linear in the text: fnmatch uses atomic groups."""
    return re.compile(fnmatch.translate(pattern))
