"""A tag's history as lists tell of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

# Of the entry that tells what the tag points to now: it comes before every row of the history.
NOW: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Pointed:
    """What a tag pointed to for a while. ``until``, ``ended_by`` None: it still does.

    ``set_by`` None: by whom was not written down then. ``exists``: the manifest is still in the repository.
    """

    id: int
    digest: str
    since: datetime
    until: datetime | None
    set_by: str | None
    ended_by: str | None
    exists: bool
