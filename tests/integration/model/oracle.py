"""What a registry holds, in plain dictionaries: what these tests compare the real one with.

Source: DESIGN section 4 and docs/concepts/garbage-collection.md. It knows no file, no row and no concurrency.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from tests.content import Document, Manifest, digest_of
from tests.integration.model.universe import BLOBS, REPOSITORIES

GRACE = timedelta(days=1)
CONDEMNED = timedelta(hours=1)
IDLE = timedelta(days=1)
UNDER_WAY = timedelta(hours=1)


class Said(IntEnum):
    """The status of an answer."""

    OK = 200
    MADE = 201
    ACCEPTED = 202
    REFUSED = 400
    UNKNOWN = 404
    IN_USE = 405
    FULL = 405
    BLOCKED = 409


@dataclass
class Link:
    """A blob in a repository. ``due``: when collection looks at it, if it does."""

    since: datetime
    due: datetime | None
    condemned_at: datetime | None = None
    is_hidden: bool = False
    """Kept for deleted manifests alone."""

    @property
    def is_there(self) -> bool:
        """For who would push or mount it."""
        return self.condemned_at is None and not self.is_hidden


@dataclass
class Held:
    """A repository: links by blob, manifests by digest, digests by tag; what was deleted and is kept, with when."""

    links: dict[str, Link] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    deleted: dict[str, tuple[Manifest, datetime]] = field(default_factory=dict)
    gone_tags: dict[tuple[str, str], datetime] = field(default_factory=dict)

    @property
    def every_manifest(self) -> dict[str, Manifest]:
        """Deleted or not."""
        return self.manifests | {digest: manifest for digest, (manifest, _) in self.deleted.items()}

    def shows(self, blob: str) -> bool:
        return any(blob in named(manifest) for manifest in self.manifests.values())

    def needs(self, blob: str) -> bool:
        return any(blob in named(manifest) for manifest in self.every_manifest.values())

    def hide(self, blobs: set[str]) -> None:
        """Those that only deleted manifests need."""
        for blob in blobs & self.links.keys():
            self.links[blob].is_hidden |= self.needs(blob) and not self.shows(blob)

    def show(self, blobs: set[str]) -> None:
        for blob in blobs & self.links.keys():
            self.links[blob].condemned_at, self.links[blob].is_hidden = None, False

    def review(self, blobs: set[str], now: datetime) -> None:
        for blob in blobs & self.links.keys():
            self.links[blob].due = max(self.links[blob].due or now, now)

    def empty(self, now: datetime) -> None:
        """Everything goes for good."""
        self.review({blob for manifest in self.every_manifest.values() for blob in named(manifest)}, now)
        self.manifests, self.tags, self.deleted, self.gone_tags = {}, {}, {}, {}


@dataclass
class Buried:
    """A repository that was deleted as a whole, with what is left of it."""

    repository: str
    held: Held
    at: datetime
    is_kept: bool

    @property
    def gone_tags(self) -> dict[tuple[str, str], datetime]:
        tags = dict.fromkeys(self.held.tags.items(), self.at)
        return self.held.gone_tags | tags if self.is_kept else {}


@dataclass
class Session:
    """An upload: where it is, what it has got, what it is meant to become."""

    repository: str
    location: str
    content: bytes
    received: int
    touched_at: datetime
    is_open: bool = True

    @property
    def blob(self) -> tuple[str, str]:
        """Where, and the digest."""
        return self.repository, digest_of(self.content)


@dataclass
class Oracle:
    """Each method does what a request does and answers the status that the request must have."""

    now: datetime
    repositories: dict[str, Held] = field(default_factory=lambda: {name: Held() for name in REPOSITORIES})
    buried: list[Buried] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    events: int = 0
    is_soft: bool = False
    limit: int | None = None
    most: int = 0
    """What the registry can come to hold: the limit, or more that it held before there was one."""

    @property
    def everything(self) -> list[Held]:
        """Also what nobody can see any more."""
        return [*self.repositories.values(), *(one.held for one in self.buried)]

    @property
    def open_sessions(self) -> list[Session]:
        return [session for session in self.sessions if session.is_open]

    @property
    def condemned(self) -> list[tuple[str, str]]:
        """Repository and blob of each link that goes soon."""
        held = self.repositories.items()
        return [(name, blob) for name, one in held for blob, link in one.links.items() if link.condemned_at is not None]

    @property
    def bytes_used(self) -> int:
        """Each blob once, however many repositories link it; each manifest in each repository."""
        held = self.everything
        blobs = {digest for one in held for digest in one.links}
        manifests = [manifest for one in held for manifest in one.every_manifest.values()]
        return sum(len(BLOBS[digest]) for digest in blobs) + sum(len(manifest.body) for manifest in manifests)

    def set_limit(self, room: int | None) -> None:
        """Leave so many bytes, or any number."""
        self.limit = None if room is None else max(0, self.bytes_used + room)
        self.most = max(self.limit or 0, self.bytes_used)

    def _is_full(self, size: int) -> bool:
        return self.limit is not None and self.bytes_used + size > self.limit

    def push_blob(self, repository: str, blob: str) -> Said:
        """One that the registry holds anywhere costs nothing."""
        size = 0 if any(blob in one.links for one in self.everything) else len(BLOBS[blob])
        if size and self._is_full(size):
            return Said.FULL
        self.link(repository, blob)
        return Said.MADE

    def link(self, repository: str, blob: str) -> None:
        """A push or a mount."""
        due = self.now + GRACE
        link = self.repositories[repository].links.setdefault(blob, Link(self.now, due))
        link.condemned_at, link.is_hidden = None, False
        link.due = max(link.due or due, due)

    def can_give(self, blob: str) -> Callable[[str], bool]:
        """Whether a repository has the blob for a mount into another."""

        def can(source: str) -> bool:
            link = self.repositories[source].links.get(blob)
            return link is not None and link.is_there

        return can

    def push(self, repository: str, manifest: Manifest, tags: tuple[str, ...]) -> Said:
        held = self.repositories[repository]
        left = self._left_behind(repository)
        if not held.links.keys() | left >= manifest.blobs.keys():
            return Said.REFUSED
        if manifest.digest not in held.every_manifest and self._is_full(len(manifest.body)):
            return Said.FULL
        for blob in named(manifest) & left - held.links.keys():
            held.links[blob] = Link(self.now, None)
        held.show(named(manifest))
        held.deleted.pop(manifest.digest, None)
        held.manifests[manifest.digest] = manifest
        held.tags |= dict.fromkeys(tags, manifest.digest)
        self.events += 1
        return Said.MADE

    def _left_behind(self, repository: str) -> set[str]:
        """Blobs that a push which was under way may have seen there."""
        lately = [one for one in self.buried if one.repository == repository and one.at >= self.now - UNDER_WAY]
        return {blob for one in lately for blob in one.held.links}

    def untag(self, repository: str, tag: str) -> Said:
        held = self.repositories[repository]
        digest = held.tags.pop(tag, None)
        if digest is None:
            return Said.UNKNOWN
        self._end_tags(held, {tag: digest})
        self.events += 1
        return Said.ACCEPTED

    def delete_manifest(self, repository: str, digest: str) -> Said:
        held = self.repositories[repository]
        manifest = held.manifests.pop(digest, None)
        if manifest is None:
            return Said.UNKNOWN
        self._end_tags(held, {tag: target for tag, target in held.tags.items() if target == digest})
        held.tags = {tag: target for tag, target in held.tags.items() if target != digest}
        if self.is_soft:
            held.deleted[digest] = (manifest, self.now)
        else:
            held.review(named(manifest), self.now)
        held.hide(named(manifest))
        self.events += 1
        return Said.ACCEPTED

    def _end_tags(self, held: Held, ended: dict[str, str]) -> None:
        if self.is_soft:
            held.gone_tags |= dict.fromkeys(ended.items(), self.now)

    def delete_repository(self, repository: str) -> tuple[Said, list[str], list[str]]:
        """Also which manifests and tags went."""
        held = self.repositories[repository]
        gone = sorted(held.manifests), sorted(held.tags)
        if not held.manifests:
            return Said.UNKNOWN, *gone
        self._bury(repository, is_kept=self.is_soft)
        self.events += 2
        return Said.ACCEPTED, *gone

    def _bury(self, repository: str, *, is_kept: bool) -> None:
        held = self.repositories[repository]
        if not is_kept:
            held.empty(self.now)
        self.buried.append(Buried(repository, held, self.now, is_kept))
        self.repositories[repository] = Held()

    # --- undo ---------------------------------------------------------------------------------------------------------

    def _kept(self, repository: str) -> list[Buried]:
        """The last one first."""
        return [one for one in reversed(self.buried) if one.repository == repository and one.is_kept]

    def deleted_manifests(self, repository: str) -> list[str]:
        held = self.repositories[repository]
        whole = {digest for one in self._kept(repository) for digest in one.held.every_manifest}
        return sorted((whole | held.deleted.keys()) - held.manifests.keys())

    def deleted_tags(self, repository: str) -> set[tuple[str, str]]:
        held = self.repositories[repository]
        here = {gone for gone in held.gone_tags if gone[1] in held.every_manifest}
        there = {gone for one in self._kept(repository) for gone in one.gone_tags if gone[1] in one.held.every_manifest}
        return (here | there) - held.tags.items()

    def restore(self, repository: str, digest: str, tag: str | None, *, force: bool) -> Said:
        """One of ``deleted_manifests`` or, with its tag, of ``deleted_tags``."""
        held = self.repositories[repository]
        replaced = None if tag is None else held.tags.get(tag)
        if replaced is not None and not force:
            return Said.BLOCKED
        hindrance = self._hindrance(repository, digest)
        if hindrance is not None:
            return hindrance
        self._bring_back(repository, digest)
        if tag is not None:
            if replaced is not None:
                self._end_tags(held, {tag: replaced})
            held.tags[tag] = digest
            held.gone_tags.pop((tag, digest), None)
        return Said.OK

    def _source(self, repository: str, digest: str) -> Held | None:
        held = [self.repositories[repository], *(one.held for one in self._kept(repository))]
        return next((one for one in held if digest in one.every_manifest), None)

    def _hindrance(self, repository: str, digest: str) -> Said | None:
        """A referrer comes after its subject, if that can come at all; what lies in a repository that was deleted comes
        as a push does, so not into a registry that holds more than it may.
        """
        held, source = self.repositories[repository], self._source(repository, digest)
        assert source is not None
        if digest in held.manifests:
            return None
        manifest = source.every_manifest[digest]
        subject = manifest.document.get("subject", {}).get("digest")
        if subject and subject not in held.manifests and self._source(repository, subject) is not None:
            return Said.BLOCKED
        of_children = (self._hindrance(repository, child) for child in self._absent_children(repository, manifest))
        found = next(filter(None, of_children), None)
        return Said.FULL if found is None and source is not held and self._is_full(0) else found

    def _absent_children(self, repository: str, manifest: Manifest) -> list[str]:
        children = [child["digest"] for child in manifest.document.get("manifests", ())]
        there = self.repositories[repository].manifests
        return [child for child in children if child not in there and self._source(repository, child) is not None]

    def _bring_back(self, repository: str, digest: str) -> None:
        held, source = self.repositories[repository], self._source(repository, digest)
        assert source is not None
        manifest = source.every_manifest[digest]
        if digest not in held.manifests:
            for child in self._absent_children(repository, manifest):
                self._bring_back(repository, child)
        if source is not held:
            self._move(repository, source, manifest)
        held.deleted.pop(digest, None)
        held.manifests[digest] = manifest
        held.show(named(manifest))
        self.events += 1

    def _move(self, repository: str, source: Held, manifest: Manifest) -> None:
        held, digest = self.repositories[repository], manifest.digest
        left = {blob for one in self.buried if one.repository == repository for blob in one.held.links}
        for blob in named(manifest) & left - held.links.keys():
            held.links[blob] = Link(self.now, None)
        buried = next(one for one in self.buried if one.held is source)
        held.gone_tags |= {gone: at for gone, at in buried.gone_tags.items() if gone[1] == digest}
        source.review(named(manifest), self.now)
        source.tags = {tag: target for tag, target in source.tags.items() if target != digest}
        source.gone_tags = {gone: at for gone, at in source.gone_tags.items() if gone[1] != digest}
        source.manifests.pop(digest, None)
        source.deleted.pop(digest, None)
        buried.is_kept = bool(source.every_manifest)

    def restore_repository(self, repository: str, *, force: bool) -> Said:
        held = self.repositories[repository]
        kept = next((one for one in self._kept(repository) if one.held.manifests), None)
        if kept is None:
            return Said.UNKNOWN
        if held.manifests and not force:
            return Said.BLOCKED
        self.events += 3 if held.manifests else 1
        self._bury(repository, is_kept=self.is_soft if held.manifests else bool(held.deleted))
        self.buried.remove(kept)
        self.repositories[repository] = kept.held
        return Said.OK

    def expire(self, days: timedelta) -> None:
        before = self.now - days
        for held in self.everything:
            for digest, (manifest, at) in list(held.deleted.items()):
                if at <= before:
                    del held.deleted[digest]
                    held.review(named(manifest), self.now)
            held.gone_tags = {gone: at for gone, at in held.gone_tags.items() if at > before}
        for one in self.buried:
            if one.is_kept and one.at <= before:
                one.is_kept = False
                one.held.empty(self.now)

    def delete_blob(self, repository: str, blob: str) -> Said:
        held = self.repositories[repository]
        link = held.links.get(blob)
        if link is None or not link.is_there:
            return Said.UNKNOWN
        if held.needs(blob):
            return Said.IN_USE
        del held.links[blob]
        return Said.ACCEPTED

    def collect(self) -> None:
        for held in self.everything:
            for blob, link in list(held.links.items()):
                if link.due is not None and link.due <= self.now:
                    self._review(held, blob, link)
        for session in self.sessions:
            session.is_open &= session.touched_at >= self.now - IDLE

    def _review(self, held: Held, blob: str, link: Link) -> None:
        if held.needs(blob):
            link.due = None
            held.hide({blob} if held.deleted else set())
        elif link.condemned_at is not None:
            link.due = link.condemned_at + CONDEMNED
            if link.due <= self.now:
                del held.links[blob]
        elif link.since + GRACE > self.now:
            link.due = link.since + GRACE
        else:
            link.condemned_at, link.due = self.now, self.now + CONDEMNED


def named(manifest: Manifest) -> set[str]:
    """The blobs that the manifest names, whether it needs them or not."""
    document = manifest.document
    descriptors: list[Document] = [*document.get("layers", ()), *([document["config"]] if "config" in document else ())]
    return {descriptor["digest"] for descriptor in descriptors}


def referrers(held: Held, subject: str) -> list[str]:
    """In the order of their digests."""
    return sorted(
        digest
        for digest, manifest in held.manifests.items()
        if manifest.document.get("subject", {}).get("digest") == subject
    )
