"""What is wrong with a task file, and where."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """In the text that was read: lines and columns from 1 on."""

    line: int
    column: int = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """``message`` is ACR's own text where that is known; ``hint`` says what was expected, or the nearest name."""

    message: str
    place: Place | None = None
    hint: str = ""
    is_error: bool = True

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class TaskInvalid(Exception):
    """A task that cannot be run; at least one finding is an error."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("; ".join(str(finding) for finding in findings if finding.is_error))
        self.findings = tuple(findings)
