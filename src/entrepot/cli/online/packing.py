"""A folder as the archive that a build works on, without what .dockerignore leaves out. Spec: docker build."""

import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

_PARTS: Final = re.compile(r"\*\*/?|\*|\?|\[\^?[^\]/]+\]|\\.|[^\\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of .dockerignore. ``is_kept``: it begins with !."""

    pattern: re.Pattern[str]
    is_kept: bool


def rules_of(text: str) -> list[Rule]:
    """Raises ValueError for a line that is no pattern."""
    found: list[Rule] = []
    for line in text.removeprefix("\ufeff").splitlines():
        written = line.strip()
        if not written or line.startswith("#"):
            continue
        is_kept = written.startswith("!")
        path = os.path.normpath(written.removeprefix("!").strip().lstrip("/") or ".")
        if path != ".":
            found.append(Rule(re.compile("".join(map(_part, _PARTS.findall(path))) + "(/.*)?"), is_kept))
    return found


def _part(written: str) -> str:
    match written:
        case "**/":
            return "(.*/)?"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case _ if written[0] == "[" and len(written) > 1:
            return written
        case _:
            return re.escape(written[-1])


def is_ignored(name: str, rules: Sequence[Rule]) -> bool:
    """The last rule that fits counts. ``name``: relative, with slashes."""
    ignored = False
    for rule in rules:
        if rule.pattern.fullmatch(name):
            ignored = not rule.is_kept
    return ignored


def files_of(folder: Path, dockerfile: str) -> Iterator[str]:
    """Everything that belongs to the archive, folders before what is in them; the Dockerfile always."""
    rules = _rules(folder, dockerfile)
    prunes = not any(rule.is_kept for rule in rules)
    kept = {dockerfile, ".dockerignore"}
    for place, folders, files in os.walk(folder):
        below = os.path.relpath(place, folder)
        prefix = "" if below == "." else f"{below}/"
        # A folder that is left out is still looked through where a later rule may keep something in it.
        folders[:] = sorted(each for each in folders if not prunes or not is_ignored(prefix + each, rules))
        yield from (
            prefix + each
            for each in (*folders, *sorted(files))
            if prefix + each in kept or not is_ignored(prefix + each, rules)
        )
    if "/" in dockerfile and prunes and is_ignored(dockerfile, rules) and (folder / dockerfile).is_file():
        yield dockerfile


def _rules(folder: Path, dockerfile: str) -> list[Rule]:
    for name in (f"{dockerfile}.dockerignore", ".dockerignore"):
        if (folder / name).is_file():
            return rules_of((folder / name).read_text(encoding="utf-8"))
    return []


def pack(folder: Path, dockerfile: str, target: IO[bytes]) -> int:
    """Write the archive; how many files and folders are in it. Raises OSError, ValueError."""
    count = 0
    names = dict.fromkeys(files_of(folder, dockerfile))
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=6, format=tarfile.PAX_FORMAT) as archive:
        for name in names:
            member = archive.gettarinfo(folder / name, name)
            if not (member.isfile() or member.isdir() or member.issym()):
                continue
            # As docker sends it: whose it is here means nothing there.
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            if member.isfile():
                with (folder / name).open("rb") as content:
                    archive.addfile(member, content)
            else:
                archive.addfile(member)
            count += 1
    return count
