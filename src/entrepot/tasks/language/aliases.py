"""A task file before its template: comment lines go, and aliases are replaced (ACR-TASKS 1.1, 1.2, 3.3)."""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from entrepot.tasks.language.documents import read_document
from entrepot.tasks.language.findings import Finding, TaskInvalid
from entrepot.tasks.language.model import Alias, AliasBlock
from entrepot.tasks.language.templates import render

ALIASES_SINCE: Final = "v1.1.0"
DIRECTIVE: Final = "$"
# How long the text may get by what is put in.
EXPANDED_LIMIT: Final = 1024 * 1024

BUILT_IN: Final[Mapping[str, str]] = {
    name: f"{{{{.Run.{name}}}}}"
    for name in (
        *("ID", "SharedVolume", "Registry", "RegistryName", "Date"),
        *("OS", "Architecture", "Commit", "Branch"),
    )
}
_NAME: Final = re.compile(r"[a-zA-Z0-9]+", re.ASCII)
_TOP_LEVEL_KEY: Final = re.compile(r"[^\s#:][^:]*:")
_FAILED: Final = "unable to search/replace aliases in task: "

# The text of a further list of aliases: what stands at a path or an address. Raises OSError.
Load = Callable[[str], str]


class Kept(NamedTuple):
    """A text, and the line of the source that each of its lines is."""

    text: str
    lines: tuple[int, ...]


def without_comments(text: str) -> Kept:
    """Lines that begin with ``#`` go, in block scalars too."""
    kept = [(number, line) for number, line in enumerate(_lines(text), 1) if not line.lstrip().startswith("#")]
    return Kept("".join(line for _, line in kept), tuple(number for number, _ in kept))


def _lines(text: str) -> list[str]:
    """With their ends; unlike str.splitlines, at line feeds alone."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def version_of(text: str) -> str:
    """The version as the raw text says it, before there is any YAML: the first line that is one; empty without."""
    for line in _lines(text):
        key, colon, value = line.partition(":")
        if line.startswith(("version", "'version", '"version')) and colon and key.strip("'\" ") == "version":
            return value.partition(" #")[0].strip().strip("'\"")
    return ""


def has_aliases(text: str) -> bool:
    return version_of(text) >= ALIASES_SINCE


class Aliases(NamedTuple):
    """Names and what stands for them, those of images (``bash``) as well, and the sign before them."""

    values: Mapping[str, str]
    directive: str


def split(kept: Kept) -> tuple[Kept, Kept]:
    """The block ``alias`` and the rest. It reaches from a line that begins with it to the next key at the margin."""
    block: list[tuple[int, str]] = []
    rest: list[tuple[int, str]] = []
    inside = False
    for number, line in zip(kept.lines, _lines(kept.text), strict=True):
        if line.startswith("alias:"):
            inside = True
        elif inside and _TOP_LEVEL_KEY.match(line):
            inside = False
        (block if inside else rest).append((number, line))
    return _kept(block), _kept(rest)


def _kept(numbered: list[tuple[int, str]]) -> Kept:
    return Kept("".join(line for _, line in numbered), tuple(number for number, _ in numbered))


def read_aliases(block: str, root: Mapping[str, object], images: Mapping[str, str], load: Load) -> Aliases:
    """What the block says, over what is built in: variables of the run, and ``images``. Raises TaskInvalid."""
    read = read_document(render(block, root, "alias"), AliasBlock)[0].alias
    if len(read.directive) > 1:
        raise _failed("$ directive can only be overwritten by a single character")
    if _NAME.fullmatch(read.directive):
        raise _failed("overwritten directives may not be alphanumeric characters")
    values = {**BUILT_IN, **images}
    for source in read.src:
        values |= _checked(_load(source, load))
    return Aliases({**values, **_checked(read.values)}, read.directive or DIRECTIVE)


def _load(source: str, load: Load) -> Mapping[str, str]:
    # An address's query may be a signature that opens it.
    shown = source.partition("?")[0] if "://" in source else source
    try:
        text = load(source)
    except OSError as error:
        raise _failed(f"{shown}: {error.strerror or error}") from error
    try:
        return read_document(f"values:\n{_indented(text)}", Alias)[0].values
    except TaskInvalid as wrong:
        raise _failed(f"{shown}: {wrong}") from wrong


def _indented(text: str) -> str:
    return "".join(f"  {line}" for line in _lines(without_comments(text).text))


def _checked(values: Mapping[str, str]) -> Mapping[str, str]:
    for name in values:
        if _NAME.fullmatch(name) is None:
            raise _failed("alias key names only support alphanumeric characters", f"not {name[:40]!r}")
    return values


def replace(text: str, aliases: Aliases) -> str:
    """Once, from left to right; what is put in is not looked at again. ``$$`` is ``$``, an unknown name stays."""
    sign = re.escape(aliases.directive)
    found = re.compile(rf"{sign}({sign}|[a-zA-Z0-9]+)", re.ASCII)
    pieces: list[str] = []
    at = length = 0
    for each in found.finditer(text):
        name = each[1]
        value = aliases.directive if name == aliases.directive else aliases.values.get(name, each[0])
        pieces += (text[at : each.start()], value)
        length += each.start() - at + len(value)
        if length > EXPANDED_LIMIT:
            raise _failed(f"the task gets longer than {EXPANDED_LIMIT} characters")
        at = each.end()
    return "".join(pieces) + text[at:]


def expand_first_word(command: str, aliases: Aliases) -> str:
    """The first word of a ``cmd`` may be an alias without a sign: ``bash``, ``acr``."""
    command = command.strip()
    word, space, arguments = command.partition(" ")
    return aliases.values.get(word, word) + space + arguments


def _failed(reason: str, hint: str = "") -> TaskInvalid:
    return TaskInvalid([Finding(_FAILED + reason, hint=hint)])
