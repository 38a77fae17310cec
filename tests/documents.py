"""The README and the pages of docs/, as far as tests read them: their fenced blocks, each with its language.

A ``console`` block is run as it stands there (tests/e2e/docker/test_pages.py), and a file whose language ends in
``pipeline`` as its platform runs it (tests/e2e/docker/test_federation.py). A ``diff`` is compared with the files that
it names (tests/architecture/test_documents.py). Whatever else is fenced says that it is a ``sketch``: a drawing, a
file, commands for a machine that no test has.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "changes" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)

_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,})(?P<language>.*)\n(?P<text>(?:.*\n)*?)(?P=fence)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command of a ``console`` block, and what the page says that it prints; None when it does not say."""

    text: str
    shown: str | None

    def prints(self, output: str) -> bool:
        """``...`` on a page stands for anything. Lines of a run's log end with CRLF."""
        if self.shown is None:
            return True
        pattern = ".*".join(map(re.escape, self.shown.split("...")))
        return re.fullmatch(pattern, output.replace("\r\n", "\n").strip("\n"), re.DOTALL) is not None


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        yield Block(page, text.count("\n", 0, found.start()) + 1, found["language"].strip(), found["text"])


def commands_of(page: Path) -> list[Command]:
    """The commands of its ``console`` blocks, in order."""
    shells = [block.text for block in blocks_of(page) if block.language == "console"]
    return [_command(part) for shell in shells for part in re.split(r"^\$ ", shell, flags=re.MULTILINE) if part.strip()]


def _command(part: str) -> Command:
    """Lines that begin with ``> `` continue a command; what follows is what it prints."""
    first, *rest = part.splitlines()
    more = [line[2:] for line in rest if line.startswith("> ")]
    shown = [line for line in rest if not line.startswith("> ")]
    return Command("\n".join([first, *more]), "\n".join(shown).strip("\n") if shown else None)
