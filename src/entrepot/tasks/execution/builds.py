"""What the text of a build says: its images, its Dockerfile, its context (ACR-TASKS 1.6).

The shell and docker read the text themselves. What is read here is for contexts, the build cache and base images, so
what only a shell can tell (``$x``, ``$(...)``) is left as it is.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from entrepot.tasks.context import Archive, Artifact, ContextInvalid, Git, parse_context
from entrepot.tasks.execution.images import has_registry, parse_image
from entrepot.tasks.language.reading import Task

# Options of docker build that take no value; every other takes one.
_SWITCHES: Final = frozenset(
    {"--compress", "--debug", "--disable-content-trust", "--force-rm", "--help", "--load", "--no-cache", "--pull"}
    | {"--push", "--quiet", "--rm", "--squash", "-D", "-q"}
)
_SHORT: Final = {"-f": "--file", "-t": "--tag"}
_ENDS_COMMAND: Final = frozenset("|&;<>\n")
_TAG_LIMIT: Final = 128
# A line that does more than to build, or a build that leaves more behind than an image.
_SHELL: Final = re.compile(r"[|&;<>`\n]|\$\(")
_LEAVES_MORE: Final = frozenset({"--iidfile", "--metadata-file", "--no-cache", "--output", "--push", "-o"})


@dataclass(frozen=True, slots=True)
class Build:
    """``dockerfile``: as docker takes it, relative to the working folder; empty for the one in the context."""

    tags: tuple[str, ...] = ()
    dockerfile: str = ""
    context: str = "."
    target: str = ""
    arguments: dict[str, str] = field(default_factory=dict[str, str])
    platform: str = ""

    @property
    def dockerfile_path(self) -> str:
        """Relative to the working folder; empty where there is none to read: it comes from elsewhere."""
        if self.dockerfile == "-" or self.context == "-" or is_remote(self.context):
            return ""
        return self.dockerfile or f"{self.context}/Dockerfile"


def parse_build(text: str) -> Build:
    """Never fails: what cannot be read is as if it were not there."""
    tags: list[str] = []
    arguments: dict[str, str] = {}
    last = {"--file": "", "--target": "", "--platform": "", "": "."}
    for option, value in _options(_words(text)):
        if option == "--tag":
            tags.append(value)
        elif option == "--build-arg":
            name, equals, given = value.partition("=")
            arguments |= {name: given} if equals else {}
        elif option in last:
            last[option] = value
    return Build(tuple(tags), last["--file"], last[""], last["--target"], arguments, last["--platform"])


def _words(text: str) -> list[str]:
    """Of the first command of a line, without quotes."""
    joined = text.replace("\\\n", "")
    lexer = shlex.shlex(joined, posix=True, punctuation_chars="".join(_ENDS_COMMAND))
    lexer.whitespace_split, lexer.commenters, lexer.whitespace = True, "", " \t\r"
    words: list[str] = []
    try:
        for word in lexer:
            if word and set(word) <= _ENDS_COMMAND:
                break
            words.append(word)
    except ValueError:
        # A quote that is not closed: the shell will say so.
        return words
    return words


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each with its value; what stands by itself has no option's name."""
    left = iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if len(word) < 2 or not word.startswith("-"):  # noqa: PLR2004  a dash alone is standard input
            yield "", word
        elif word.startswith("--") and equals:
            yield name, value
        elif word in _SWITCHES:
            continue
        elif not word.startswith("--") and word[:2] in _SHORT and word[2:]:
            yield _SHORT[word[:2]], word[2:]
        else:
            yield _SHORT.get(word, word), next(left, "")


def is_remote(context: str) -> bool:
    """Whether it is to be fetched: git, an archive at an address, an artifact."""
    try:
        return isinstance(parse_context(context), Git | Archive | Artifact)
    except ContextInvalid:
        return False


def remote_contexts(task: Task) -> dict[str, str]:
    """By step id: what is to be fetched into the work folder before the run, for ``Work.fetched``."""
    contexts = {step.id: parse_build(step.build).context for step in task.steps if step.build}
    return {name: context for name, context in contexts.items() if is_remote(context)}


def with_context_here(text: str, context: str) -> str:
    """The same build, of the folder it runs in."""
    return re.sub(rf"(?<!\S)(['\"]?){re.escape(context)}\1(?!\S)", ".", text, count=1)


def unnamed_text(text: str) -> str:
    """The same build without its tags and its target, so that it can be done again for a stage. Empty where that cannot
    be made, or would do more than once what is to be done once.
    """
    joined = text.replace("\\\n", " ")
    if _SHELL.search(joined) or not _LEAVES_MORE.isdisjoint(word.partition("=")[0] for word in _words(joined)):
        return ""
    whole = parse_build(joined)
    for option, value in [*(("-t|--tag", tag) for tag in whole.tags), ("--target", whole.target)]:
        if value:
            joined = re.sub(rf"(?<!\S)(?:{option})[=\s]*(['\"]?){re.escape(value)}\1(?!\S)", "", joined, count=1)
    return joined.strip() if parse_build(joined) == replace(whole, tags=(), target="") else ""


def stage_cache_image(cache: str, stage: str) -> str:
    """Beside the cache of the whole build; empty where the name would be too long."""
    place, _, tag = cache.rpartition(":")
    name = f"{tag}.{stage}"
    return f"{place}:{name}" if len(name) <= _TAG_LIMIT else ""


def kept_cache_image(image: str, branch: str, platform: str) -> str:
    """Where the cache of an image lies that the run pushes: beside it, one for each branch and platform. Empty for what
    is no image's name.
    """
    parsed = parse_image(image)
    if parsed is None:
        return ""
    name = "-".join(filter(None, ("cache", branch, platform)))
    return f"{'/'.join(parsed.place)}:{_tag(name, '-')}"


def cache_image(build: Build, server: str, task: str, step: str) -> str:
    """Where the cache lies that a step asks for (ACR-TASKS 4.4): beside its first image; empty for a build without."""
    named = next((tag for tag in build.tags if has_registry(tag)), None) or next(iter(build.tags), None)
    image = None if named is None else parse_image(named)
    if named is None or image is None:
        return ""
    registry, repository = image.place if has_registry(named) else (server, image.repository.removeprefix("library/"))
    name = f"cache_{task or 'quickrun'}_{step}"
    return f"{registry}/{repository}:{_tag(name, '_')}"


def _tag(text: str, instead: str) -> str:
    return re.sub(r"[^\w.-]", instead, text, flags=re.ASCII)[:_TAG_LIMIT]
