"""The look before a run: whether it would delete so much of a repository that somebody should say that they mean it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from entrepot.errors import Kind, Problem
from entrepot.retention.purging.model import Position
from entrepot.retention.purging.walk import Judged, Walk

_TOLD: Final = 10


@dataclass(slots=True)
class _Counted:
    """Tags of one repository."""

    repository: str = ""
    due: int = 0
    all: int = 0


@dataclass(slots=True)
class _Shares:
    """Of the repositories that were counted so far."""

    limit: int
    exceeded: list[_Counted] = field(default_factory=list[_Counted])
    current: _Counted = field(default_factory=_Counted)

    def add(self, tag: Judged) -> None:
        if tag.repository != self.current.repository:
            self.close()
            self.current = _Counted(tag.repository)
        self.current.all += 1
        self.current.due += tag.is_due

    def close(self) -> None:
        if self.current.due * 100 > self.limit * self.current.all:
            self.exceeded.append(self.current)


def expect_share(next_page: Callable[[Walk], list[Judged] | None], walk: Walk, limit: int) -> None:
    """Raises RESOURCE_EXISTS when more than so many percent of the tags of a repository would go.

    Walks over all of it in pages, and deletes nothing.
    """
    shares = _Shares(limit)
    counting = Walk(walk.registry, replace(walk.terms, untagged=False), Position())
    while (page := next_page(counting)) is not None:
        for tag in page:
            shares.add(tag)
    shares.close()
    if shares.exceeded:
        raise _too_much(shares)


def _too_much(shares: _Shares) -> Problem:
    told = ", ".join(f"{each.repository} ({each.due} of {each.all})" for each in shares.exceeded[:_TOLD])
    more = len(shares.exceeded) - _TOLD
    reason = (
        f"Nothing was deleted: more than {shares.limit} % of the tags would go in {told}"
        f"{f' and {more} more' if more > 0 else ''}. Look at the preview; to do it all the same, run it with "
        '"confirm": true, or raise maxShare.'
    )
    return Problem(Kind.RESOURCE_EXISTS, code="PurgeShareExceeded", reason=reason)
