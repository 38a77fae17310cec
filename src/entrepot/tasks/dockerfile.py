"""What a Dockerfile builds on, before anything is built (Dockerfile reference of BuildKit; ACR-TASKS 4.5 says what the
line scanner of ACR's engine misses or fails on).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

TEXT_LIMIT: Final = 1024 * 1024
STAGES_LIMIT: Final = 1000
# Of an image's name, with what variables put in.
NAME_LIMIT: Final = 4096

SCRATCH: Final = "scratch"
_DIRECTIVE: Final = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*")
_HEREDOC: Final = re.compile(r"<<(-?)(['\"]?)([a-zA-Z_][a-zA-Z0-9_]*)\2")
_HAS_HEREDOCS: Final = frozenset({"run", "copy", "add"})
_FLAG: Final = re.compile(r"--([a-z][a-z0-9-]*)(?:=(\S*))?\s*")
_VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)(:?[-+?])?)", re.ASCII)


class DockerfileInvalid(Exception):
    """What is wrong, and in which line."""


class Bases(NamedTuple):
    """Images as they are written, with variables put in; ``scratch`` is none.

    ``runtime``: what the built image stands on, None where that is scratch. ``buildtime``: what else its stages need.
    """

    runtime: str | None
    buildtime: tuple[str, ...]


class _Instruction(NamedTuple):
    line: int
    word: str
    flags: Mapping[str, str]
    rest: str


@dataclass(frozen=True, slots=True)
class _Stage:
    image: str
    name: str
    # What COPY --from and RUN --mount=from name.
    used: list[str] = field(default_factory=list[str])


def bases(text: str, arguments: Mapping[str, str] | None = None, target: str = "") -> Bases:
    """Of a Dockerfile built with these arguments for this target: of the stages that it needs, as BuildKit builds it.

    Raises DockerfileInvalid.
    """
    stages = _read(text, arguments)
    last = _target(stages, target)
    images: dict[str, None] = {}
    for at in _needed(stages, last):
        names = (stages[at].image, *stages[at].used)
        images |= {name: None for name in names if _stage_named(stages[:at], name) is None}
    runtime = _origin(stages, last)
    others = sorted(name for name in images if name not in {runtime, SCRATCH, ""})
    return Bases(None if runtime == SCRATCH else runtime, tuple(others))


def side_stages(text: str, arguments: Mapping[str, str] | None = None, target: str = "") -> tuple[str, ...]:
    """Names of the stages whose layers the built image has not, though it needs them: others copy from them, or mount
    them. A stage that another of them begins with is left out, as its layers are in that one; so is one without a name.

    Raises DockerfileInvalid.
    """
    stages = _read(text, arguments)
    last = _target(stages, target)
    needed = _needed(stages, last)
    begun_with = {_stage_named(stages[:at], stages[at].image) for at in needed}
    named = (at for at in sorted(needed) if stages[at].name and at != last and at not in begun_with)
    return tuple(stages[at].name for at in named if _stage_named(stages, stages[at].name) == at)


def _read(text: str, arguments: Mapping[str, str] | None) -> list[_Stage]:
    try:
        return _stages(text, arguments or {})
    except RecursionError as error:
        raise DockerfileInvalid("variables are nested too deep") from error


def _needed(stages: Sequence[_Stage], last: int) -> set[int]:
    """The stage and all that it stands on or takes from."""
    needed = [last]
    seen: set[int] = set()
    while needed:
        at = needed.pop()
        if at in seen:
            continue
        seen.add(at)
        found = (_stage_named(stages[:at], name) for name in (stages[at].image, *stages[at].used))
        needed += [stage for stage in found if stage is not None]
    return seen


def _target(stages: Sequence[_Stage], target: str) -> int:
    if not target:
        return len(stages) - 1
    found = _stage_named(stages, target)
    if found is None:
        raise DockerfileInvalid(f"target stage {target!r} could not be found")
    return found


def _stage_named(before: Sequence[_Stage], name: str) -> int | None:
    """By its name, whose case does not count, or by its number; the last of a name counts."""
    for at in reversed(range(len(before))):
        if before[at].name and before[at].name == name.lower():
            return at
    return int(name) if name.isascii() and name.isdigit() and int(name) < len(before) else None


def _origin(stages: Sequence[_Stage], at: int) -> str:
    """Numbers are no names here: ``FROM 0`` is an image."""
    while True:
        image = stages[at].image.lower()
        found = next(
            (above for above in reversed(range(at)) if stages[above].name and stages[above].name == image), None
        )
        if found is None:
            return stages[at].image
        at = found


def _stages(text: str, arguments: Mapping[str, str]) -> list[_Stage]:
    stages: list[_Stage] = []
    # FROM sees what stands before the first of them, and the platforms.
    known = {**_PLATFORM, **arguments}
    declared = dict(_PLATFORM)
    for each in _instructions(text):
        match each.word:
            case "arg" if not stages:
                declared |= _defaults(each.rest, known, declared)
            case "from":
                stages.append(_from(each, declared))
                if len(stages) > STAGES_LIMIT:
                    raise DockerfileInvalid(f"line {each.line}: more than {STAGES_LIMIT} stages")
            case "copy" | "add" | "run" if stages:
                stages[-1].used.extend(_used(each))
            case _:
                pass
    if not stages:
        raise DockerfileInvalid("no FROM: the file has no build stage")
    return stages


_PLATFORM: Final[Mapping[str, str]] = {
    "TARGETPLATFORM": "linux/amd64",
    "TARGETOS": "linux",
    "TARGETARCH": "amd64",
    "TARGETVARIANT": "",
    "BUILDPLATFORM": "linux/amd64",
    "BUILDOS": "linux",
    "BUILDARCH": "amd64",
    "BUILDVARIANT": "",
}


def _defaults(rest: str, given: Mapping[str, str], declared: Mapping[str, str]) -> dict[str, str]:
    """Several in one line are fine; what the build was given counts most."""
    found: dict[str, str] = {}
    for word in _words(rest):
        name, equals, value = word.partition("=")
        if name in given:
            found[name] = given[name]
        elif equals:
            found[name] = _substituted(_unquoted(value), {**declared, **found})
    return found


def _from(each: _Instruction, variables: Mapping[str, str]) -> _Stage:
    words = _words(each.rest)
    if len(words) not in {1, 3} or (len(words) > 1 and words[1].lower() != "as"):
        raise DockerfileInvalid(f"line {each.line}: FROM requires an image, or an image AS a name")
    image = _substituted(_unquoted(words[0]), variables)
    if not image:
        raise DockerfileInvalid(f"line {each.line}: base name ({words[0]}) should not be blank")
    return _Stage(image, words[2].lower() if len(words) > 1 else "")


def _used(each: _Instruction) -> Iterator[str]:
    if each.word == "run":
        for options in each.flags.get("mount", "").split("\n"):
            for option in options.split(","):
                name, _, image = option.partition("=")
                if name == "from" and image:
                    yield image
    elif each.flags.get("from"):
        yield each.flags["from"]


def _substituted(text: str, variables: Mapping[str, str]) -> str:
    r"""``$x``, ``${x}`` and ``${x:-word}`` with its kin, words within words too; ``\$`` is the sign itself."""
    if len(text) > NAME_LIMIT:
        raise _too_long()
    made: list[str] = []
    at = 0
    while at < len(text):
        found = _VARIABLE.match(text, at)
        if found is None:
            at += text[at] == "\\"
            made.append(text[at : at + 1])
            at += 1
        elif found[1]:
            made.append(variables.get(found[1], ""))
            at = found.end()
        else:
            end = _closing(text, found.end())
            made.append(_chosen(found[2], found[3] or "", text[found.end() : end], variables))
            at = end + 1
    if sum(map(len, made)) > NAME_LIMIT:
        raise _too_long()
    return "".join(made)


def _too_long() -> DockerfileInvalid:
    return DockerfileInvalid(f"a name is longer than {NAME_LIMIT} characters")


def _closing(text: str, at: int) -> int:
    """Where the bracket is closed that was opened before."""
    depth = 1
    for end in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return end
    raise DockerfileInvalid(f"{text[:40]}: a bracket is not closed")


def _chosen(name: str, operator: str, word: str, variables: Mapping[str, str]) -> str:
    known = variables.get(name)
    is_there = bool(known) if operator.startswith(":") else known is not None
    match operator[-1:]:
        case "-" if not is_there:
            return _substituted(word, variables)
        case "+":
            return _substituted(word, variables) if is_there else ""
        case "?" if not is_there:
            raise DockerfileInvalid(f"{name}: {word or 'is not set'}")
        case "" if word:
            raise DockerfileInvalid(f"${{{name}{word}}}: unsupported modifier in substitution")
        case _:
            return known or ""


def _unquoted(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in {"'", '"'} else word


def _words(text: str) -> list[str]:
    """At blanks outside quotes."""
    return re.findall(r"""(?:"[^"]*"|'[^']*'|\S)+""", text)


def _instructions(text: str) -> Iterator[_Instruction]:
    """Comments gone, continued lines joined, the texts of heredocs skipped."""
    if len(text) > TEXT_LIMIT:
        raise DockerfileInvalid(f"the file is longer than {TEXT_LIMIT} characters")
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    escape = _escape(lines)
    at = 0
    while at < len(lines):
        first = at + 1
        joined: list[str] = []
        while at < len(lines):
            line = lines[at]
            at += 1
            if line.strip().startswith("#") or (joined and not line.strip()):
                continue
            body = line.rstrip()
            if not body.endswith(escape):
                joined.append(line)
                break
            joined.append(body[: -len(escape)])
        word, _, rest = "".join(joined).strip().partition(" ")
        if not word:
            continue
        instruction = _instruction(first, word.lower(), rest.strip())
        if instruction.word in _HAS_HEREDOCS:
            at = _behind_heredocs(lines, at, instruction.rest)
        yield instruction


def _escape(lines: Sequence[str]) -> str:
    """Directives stand above everything else."""
    for line in lines:
        found = _DIRECTIVE.fullmatch(line.strip())
        if found is None:
            break
        if found[1].lower() == "escape" and found[2] in {"\\", "`"}:
            return found[2]
    return "\\"


def _instruction(line: int, word: str, rest: str) -> _Instruction:
    flags: dict[str, str] = {}
    while found := _FLAG.match(rest):
        # There may be several mounts.
        flags[found[1]] = "\n".join(filter(None, (flags.get(found[1], ""), found[2] or "")))
        rest = rest[found.end() :]
    return _Instruction(line, word, flags, rest)


def _behind_heredocs(lines: Sequence[str], at: int, rest: str) -> int:
    for dash, _, name in _HEREDOC.findall(rest):
        while at < len(lines):
            line = lines[at].lstrip("\t") if dash else lines[at]
            at += 1
            if line == name:
                break
    return at
