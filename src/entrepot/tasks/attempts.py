"""How often a run may begin. One whose worker is lost begins again, which not every task can bear: a tag says less."""

from collections.abc import Iterable, Mapping
from typing import Final

TAG: Final = "entrepot.attempts"
# A run whose workers die with it may be what they die of.
MOST: Final = 3

_ALLOWED: Final = {str(number): number for number in range(1, MOST + 1)}


class AttemptsUnknown(Exception):
    """What a tag says that is no number of attempts."""


def attempts_of(tags: Iterable[Mapping[str, str]]) -> int:
    """By the last that has the tag: the task's own after its registry's. Raises AttemptsUnknown."""
    said = [each[TAG].strip() for each in tags if TAG in each]
    if not said:
        return MOST
    if said[-1] not in _ALLOWED:
        raise AttemptsUnknown(f"the tag {TAG} is {said[-1][:80]!r}, and can be 1 to {MOST}")
    return _ALLOWED[said[-1]]


def lost(attempts: int) -> str:
    """Why a run ends that may not begin again."""
    if attempts == 1:
        return f"its worker was lost, and the tag {TAG} lets it begin once"
    return f"{attempts} workers were lost while they ran it"
