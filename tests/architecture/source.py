"""Our own source, read once: what the tests in this folder look at."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "entrepot"


@dataclass(frozen=True)
class Source:
    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Relative to the repository, as exceptions name it."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def in_package(self) -> Path:
        return self.path.relative_to(PACKAGE)


@cache
def sources(folder: Path = PACKAGE) -> tuple[Source, ...]:
    return tuple(_read(path) for path in sorted(folder.rglob("*.py")))


def _read(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path, text, ast.parse(text, str(path)))
