"""``acr purge`` at work: tags first, then manifests that have none; several at once, and a line for each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Final, TypeVar

import msgspec

from entrepot.client.acr import selecting
from entrepot.client.acr.selecting import Pattern
from entrepot.client.content import Content
from entrepot.client.model import Attributes, Manifest
from entrepot.client.refusals import ClientError, Refused
from entrepot.oci.media_type import INDEXES

T = TypeVar("T")
_NESTING: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """``before``: what was pushed last before then. ``untagged``: manifests too."""

    before: datetime
    keep: int = 0
    untagged: bool = False
    dry_run: bool = False
    with_locked: bool = False


@dataclass(slots=True)
class Count:
    """What went, or would go."""

    tags: int = 0
    manifests: int = 0


class Failed(Exception):
    """Why it ended before its end."""


class _Entry(msgspec.Struct):
    digest: str = ""


class _Index(msgspec.Struct):
    manifests: list[_Entry] = []


@dataclass(frozen=True, slots=True)
class Purge:
    """``server``: as names are shown. ``at_once``: requests beside each other. ``say``: takes a line."""

    content: Content
    server: str
    wanted: Wanted
    at_once: int
    say: Callable[[str], None]
    count: Count = field(default_factory=Count)

    def run(self, filters: Mapping[str, Pattern | None]) -> None:
        """``filters``: by repository, what a tag's name must hold; None: no tag goes.

        Raises Failed; what went is counted all the same.
        """
        names = sorted(filters)
        for at, repository in enumerate(names):
            doing = "tags"
            try:
                fits = filters[repository]
                doomed = {} if fits is None else self._tags(repository, fits)
                doing = "manifests"
                if self.wanted.untagged:
                    self._manifests(repository, doomed)
            except ClientError as error:
                if isinstance(error, Refused) and error.status == HTTPStatus.UNAUTHORIZED:
                    raise Failed(_not_permitted(doing, names, at)) from None
                raise Failed(f"failed to purge {doing}: {error}") from None

    # --- tags ---------------------------------------------------------------------------------------------------------

    def _tags(self, repository: str, fits: Pattern) -> dict[str, int]:
        """How many tags of each digest went."""
        self.say(f"{'Would delete' if self.wanted.dry_run else 'Deleting'} tags for repository: {repository}")
        wanted = self.wanted
        try:
            tags = self.content.tags(repository, "timedesc")
            doomed = selecting.doomed_tags(tags, fits, wanted.before, wanted.keep, with_locked=wanted.with_locked)
        except Refused as refused:
            return self._not_found(repository, refused)
        shown = [f"{self.server}/{repository}:{tag.name}" for tag in doomed]
        counted: dict[str, int] = {}
        for tag in doomed:
            counted[tag.digest] = counted.get(tag.digest, 0) + 1
        if wanted.dry_run:
            self._would(shown)
            self.count.tags += len(doomed)
            return counted
        deletions = [
            self._deletion(
                name,
                tag.changeable_attributes,
                lambda tag=tag: self.content.unlock_tag(repository, tag.name),
                lambda tag=tag: self.content.delete_tag(repository, tag.name),
            )
            for name, tag in zip(shown, doomed, strict=True)
        ]
        for is_gone in self._all(deletions):
            self.count.tags += is_gone
        return counted

    # --- manifests ----------------------------------------------------------------------------------------------------

    def _manifests(self, repository: str, doomed: dict[str, int]) -> None:
        self.say(f"{'Would delete' if self.wanted.dry_run else 'Deleting'} manifests for repository: {repository}")
        try:
            due = selecting.without_newest(self._untagged(repository, doomed), self.wanted.keep)
        except Refused as refused:
            self._not_found(repository, refused)
            return
        shown = [f"{self.server}/{repository}@{manifest.digest}" for manifest in due]
        if self.wanted.dry_run:
            self._would(shown)
            self.count.manifests += len(due)
            return
        deletions = [
            self._deletion(
                name,
                manifest.changeable_attributes,
                lambda manifest=manifest: self.content.unlock_manifest(repository, manifest.digest),
                lambda manifest=manifest: self.content.delete_manifest(repository, manifest.digest),
            )
            for name, manifest in zip(shown, due, strict=True)
        ]
        for is_gone in self._all(deletions):
            self.count.manifests += is_gone

    def _untagged(self, repository: str, doomed: dict[str, int]) -> Iterator[Manifest]:
        """Those that nothing keeps: no tag, no index that stays, no subject (the registry deletes referrers itself)."""
        due: list[Manifest] = []
        indexes: list[str] = []
        for manifest in self.content.manifests(repository):
            # Tags that went are in the list no more, but in a dry run.
            tags = doomed.get(manifest.digest, 0) if self.wanted.dry_run else 0
            goes = selecting.is_due(manifest, self.wanted.before, tags, with_locked=self.wanted.with_locked)
            if goes and not manifest.subject:
                due.append(manifest)
            elif manifest.media_type in INDEXES:
                indexes.append(manifest.digest)
        kept = self._below(repository, indexes)
        return (manifest for manifest in due if manifest.digest not in kept)

    def _below(self, repository: str, indexes: list[str]) -> set[str]:
        """What these name, and what that names."""
        found: set[str] = set()
        for _ in range(_NESTING):
            named = {name for names in self._all([self._named(repository, each) for each in indexes]) for name in names}
            indexes = sorted(named - found)
            found |= named
            if not indexes:
                break
        return found

    def _named(self, repository: str, digest: str) -> Callable[[], list[str]]:
        def named() -> list[str]:
            try:
                index = msgspec.json.decode(self.content.raw_manifest(repository, digest), type=_Index)
            except Refused as refused:
                if refused.status != HTTPStatus.NOT_FOUND:
                    raise
                return []
            return [each.digest for each in index.manifests]

        return named

    # --- both ---------------------------------------------------------------------------------------------------------

    def _would(self, names: Sequence[str]) -> None:
        for name in names:
            self.say(f"Would delete: {name}")

    def _not_found(self, repository: str, refused: Refused) -> dict[str, int]:
        if refused.status != HTTPStatus.NOT_FOUND:
            raise refused
        self.say(f"{repository} repository not found")
        return {}

    def _all(self, calls: Sequence[Callable[[], T]]) -> Iterator[T]:
        """What each gives. The first failure is raised, once what is under way has ended; the rest does not begin."""
        with ThreadPoolExecutor(self.at_once) as pool:
            under_way = [pool.submit(call) for call in calls]
            try:
                for each in under_way:
                    yield each.result()
            except ClientError:
                pool.shutdown(cancel_futures=True)
                raise

    def _deletion(
        self, name: str, attributes: Attributes, unlock: Callable[[], None], delete: Callable[[], None]
    ) -> Callable[[], bool]:
        def deleted() -> bool:
            """What is gone already counts, what is locked does not."""
            if self.wanted.with_locked and selecting.is_locked(attributes):
                self._unlocked(name, unlock)
            try:
                delete()
            except Refused as refused:
                return self._undeleted(name, refused)
            self.say(f"Deleted {name}")
            return True

        return deleted

    def _unlocked(self, name: str, unlock: Callable[[], None]) -> None:
        try:
            unlock()
            self.say(f"Unlocked {name}")
        except Refused as refused:
            self.say(f"Warning: Failed to unlock {name}, error: {refused}. Will attempt deletion anyway.")

    def _undeleted(self, name: str, refused: Refused) -> bool:
        match refused.status:
            case HTTPStatus.NOT_FOUND:
                self.say(f"Skipped {name}, HTTP status: {refused.status}")
                return True
            case HTTPStatus.METHOD_NOT_ALLOWED:
                self.say(f"Skipped {name}, operation not allowed, HTTP status: {refused.status}")
                return False
            case _:
                self.say(f"Failed to delete {name}, error: {refused}")
                raise refused


def _not_permitted(doing: str, names: Sequence[str], at: int) -> str:
    done, left = names[:at], names[at + 1 :]
    lines = [f'insufficient permissions to purge {doing} for repository "{names[at]}"']
    told = f"({len(done)}): {', '.join(done)}" if done else ": none"
    lines.append(f"  Completed repositories{' ' if done else ''}{told}")
    if left:
        lines.append(f"  Remaining repositories not yet processed ({len(left)}): {', '.join(left)}")
    lines.append("  Hint: use a more specific --filter to target only repositories you have permissions for")
    return "\n".join(lines)
