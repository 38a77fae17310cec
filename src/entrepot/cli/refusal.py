"""How a command says no: lines for a person on standard error, and an exit code. Never a traceback."""

from collections.abc import Sequence
from typing import Final

from entrepot.errors import Problem

FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130  # as a shell tells of SIGINT


class Refusal(Exception):
    """What the user asked for cannot be done; each line says what and why."""

    def __init__(self, lines: Sequence[str], exit_code: int = FAILED) -> None:
        super().__init__(*lines)
        self.lines = tuple(lines)
        self.exit_code = exit_code


def told(problem: Problem) -> list[str]:
    """A line for a person: the kind of failure and what is known of it."""
    return [": ".join((problem.kind.name, *map(str, problem.detail.values())))]
