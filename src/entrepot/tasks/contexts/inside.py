"""Names below a folder whose files are somebody else's: a link in it never leads out."""

import os
from pathlib import Path
from typing import Final

_LINKS: Final = 40


def resolve(folder: Path, name: str) -> Path:
    """What the name means to whoever has the folder as the root of everything: links are followed in there alone.

    Raises OSError: FileNotFoundError as a rule. Nobody else may write into the folder meanwhile.
    """
    at, links = folder, 0
    parts = [part for part in reversed(name.split("/")) if part not in {"", "."}]
    while parts:
        part = parts.pop()
        if part == "..":
            at = at if at == folder else at.parent
            continue
        below = at / part
        if not below.is_symlink():
            os.lstat(below)
            at = below
            continue
        links += 1
        if links > _LINKS:
            raise OSError(f"{name!r} has too many links")
        target = str(below.readlink())
        at = folder if target.startswith("/") else at
        parts += [part for part in reversed(target.split("/")) if part not in {"", "."}]
    return at
