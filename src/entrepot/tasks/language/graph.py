"""Which step waits for which (ACR-TASKS 2.1)."""

from collections.abc import Sequence
from typing import Final

from entrepot.tasks.language.model import Step

ROOT: Final = "acb_root"
AT_ONCE: Final = "-"


def step_id(step: Step, at: int) -> str:
    """Its own, or one by its place in the file."""
    return step.id or f"acb_step_{at}"


def parents(steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
    """For each step in file order those that it waits for; none for one that starts at once.

    Without ``when`` that is the step above, whatever it is. All of them stand above (``checks``): there is no circle.
    """
    found: dict[str, tuple[str, ...]] = {}
    before: tuple[str, ...] = ()
    for at, step in enumerate(steps):
        own = step_id(step, at)
        # A name that stands twice counts once: ACR's engine waits for ever there.
        found[own] = before if not step.when else tuple(dict.fromkeys(each for each in step.when if each != AT_ONCE))
        before = (own,)
    return found
