"""What ``acr purge`` takes: filters, how long ago, and which of what it found goes (ACR-REFERENCE 8.7). Pure."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import re2 as _re2

from entrepot.client.model import Attributes, Manifest, Tag
from entrepot.oci.filters import split_filter

re2: Final[Any] = _re2  # it has no types

LONGEST: Final = timedelta(days=150 * 365)
_LENGTH: Final = 1024
_DAYS: Final = re.compile(r"(?:([0-9]+)d)?(.*)", re.ASCII | re.DOTALL)
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)", re.ASCII)
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DIGITS: Final = 18


class Pattern(Protocol):
    """Of RE2's, which has no types."""

    def fullmatch(self, text: str) -> object: ...
    def search(self, text: str) -> object: ...


class Wrong(Exception):
    """What was asked for makes no sense; its text is for whoever asked."""


def parse_ago(text: str) -> tuple[timedelta, bool]:
    """``2d3h6m``: days, and what Go takes for a duration. Whether it was cut to 150 years. Raises Wrong."""
    days, rest = _DAYS.fullmatch(text).groups()  # type: ignore[union-attr]  it fits any text
    parts = _PART.findall(rest)
    is_whole = "".join(number + unit for number, unit in parts) == rest or rest == "0"
    if not text or not is_whole:
        raise Wrong(f'time: invalid duration "{text[:80]}": it is like 30d, 12h or 2d3h6m')
    if any(len(number) > _DIGITS for number in (days or "", *(number for number, _ in parts))):
        return LONGEST, True
    seconds = int(days or 0) * 86_400 + sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return (LONGEST, True) if seconds > LONGEST.total_seconds() else (timedelta(seconds=seconds), False)


def tag_filters(filters: Iterable[str], repositories: Sequence[str]) -> dict[str, Pattern]:
    """By repository, what a tag's name must hold. A repository is named in full. Raises Wrong."""
    found: dict[str, list[str]] = {}
    for text in filters:
        parts = split_filter(text)
        if parts is None:
            raise Wrong(f"unable to correctly parse filter flag {text[:200]!r}: it is REPOSITORY:TAG, two expressions")
        of_repository = _compiled(parts[0])
        _compiled(parts[1])
        for name in filter(of_repository.fullmatch, repositories):
            found.setdefault(name, []).append(parts[1])
    return {name: _compiled("|".join(texts)) for name, texts in sorted(found.items())}


def _compiled(text: str) -> Pattern:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    if len(text) > _LENGTH:
        raise Wrong(f"an expression has more than {_LENGTH} characters")
    try:
        return re2.compile(text, options)
    except re2.error as error:
        said: bytes = error.args[0]
        raise Wrong(f"the expression {text[:200]!r} cannot be read: {said.decode(errors='replace')[:200]}") from None


def is_locked(attributes: Attributes) -> bool:
    return not (attributes.delete_enabled and attributes.write_enabled)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def doomed_tags(tags: Iterable[Tag], fits: Pattern, before: datetime, keep: int, *, with_locked: bool) -> list[Tag]:
    """``tags``: the newest first; of those that would go ``keep`` stay."""
    due = [
        tag
        for tag in tags
        if fits.search(tag.name)
        and moment(tag.last_update_time) < before
        and (with_locked or not is_locked(tag.changeable_attributes))
    ]
    return due[keep:]


def is_due(manifest: Manifest, before: datetime, doomed: int, *, with_locked: bool) -> bool:
    """Of a manifest alone. ``doomed``: how many of its tags go."""
    is_kept = len(manifest.tags) > doomed or moment(manifest.last_update_time) > before
    return not is_kept and (with_locked or not is_locked(manifest.changeable_attributes))


def without_newest(manifests: Iterable[Manifest], keep: int) -> list[Manifest]:
    newest_first = sorted(manifests, key=lambda each: each.digest)
    newest_first.sort(key=lambda each: moment(each.last_update_time), reverse=True)
    return newest_first[keep:]
