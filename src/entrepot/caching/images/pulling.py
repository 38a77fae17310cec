"""What a pull of a cached repository finds: here, on its way, or at the source.

A digest that is here never asks the source. A tag does, once in a while; when the source does not answer, or has the
tag no more, what it named last is served on, and the client is told. Many who want the same thing ask once.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection

from entrepot.caching.images import queries
from entrepot.caching.images.fills import FILL
from entrepot.caching.images.following import Arriving
from entrepot.caching.images.queries import Fill, SeenTag
from entrepot.caching.images.upstream import Upstreams, told
from entrepot.caching.model import Rule, is_wildcard, rule_for
from entrepot.caching.queries import rules_of
from entrepot.catalog.manifests.commit import Sparse, commit_manifest
from entrepot.catalog.manifests.queries import MANIFEST_BY_DIGEST, stored_manifest
from entrepot.catalog.model import Change, Place, Push, RegistryId, StoredManifest
from entrepot.errors import Kind, Problem
from entrepot.gate.doors import Doors
from entrepot.jobs.wake import Jobs
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import parse_manifest
from entrepot.oci.platform import Platform
from entrepot.oci.reference import Tag
from entrepot.remote.client import Pulled

T = TypeVar("T")

# Requests to sources that one worker process makes at once, and to one source: it may be slow, and keeps no other up.
_THREADS: Final = 32
_OF_ONE: Final = 8
_SILENT: Final = "its source did not say when it was asked last"
# How long a fill that failed is told of before it is tried again.
_TRIED: Final = timedelta(seconds=30)


class Named(NamedTuple):
    """What a tag names, and when the source said so. ``why_old``: why it did not when it was asked last."""

    digest: Digest
    confirmed_at: datetime
    why_old: str | None = None


class _Provenance(NamedTuple):
    """A row of PROVENANCE."""

    is_own: bool
    is_cached: bool


@dataclass(frozen=True, slots=True)
class Pull:
    """Of a repository that a rule is for. ``change``: by whoever pulls, now. ``via``: the caches it came through."""

    rule: Rule
    place: Place
    change: Change
    via: str


class Cache:
    """One per worker process."""

    def __init__(self, doors: Doors, upstreams: Callable[[], Upstreams], jobs: Jobs, fresh: timedelta) -> None:
        """``upstreams``: opens them, which is not for workers that never ask one. ``fresh``: how long what a tag names
        is not asked for again.
        """
        self._doors = doors
        self._upstreams = cache(upstreams)
        self._jobs = jobs
        self._fresh = fresh
        self._rules: dict[RegistryId, tuple[Rule, ...]] = {}
        self._asked: dict[tuple[Place, Tag | Digest], asyncio.Future[Any]] = {}
        self._places: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_OF_ONE))
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="cache")

    def forget(self) -> None:
        """The rules may have changed."""
        self._rules = {}

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def rule(self, place: Place) -> Rule | None:
        """The one that fills the repository. What was pushed under a wildcard stays what it is: no name at a source
        ever takes its place, and no source is told of it.
        """
        known = self._rules
        rules = known.get(place.registry)
        if rules is None:
            rules = known[place.registry] = tuple(await self._doors.read(rules_of, place.registry))
        rule = rule_for(rules, place.repository) if rules else None
        if rule is None or not is_wildcard(rule.target) or not (await self._provenance(place)).is_own:
            return rule
        return None

    async def filling(self, place: Place) -> Rule | None:
        """The rule that keeps others from pushing into the repository."""
        rule = await self.rule(place)
        if rule is None or not is_wildcard(rule.target) or (await self._provenance(place)).is_cached:
            return rule
        return None

    async def _provenance(self, place: Place) -> "_Provenance":
        values = {"registry": place.registry, "repository": place.repository}
        (row,) = await self._doors.fetch(queries.PROVENANCE, values)
        return _Provenance(*row)

    # --- tags ---------------------------------------------------------------------------------------------------------

    async def named(self, pull: Pull, tag: Tag) -> Named | None:
        """What the tag names; None for one that a lock keeps as it is. Raises MANIFEST_UNKNOWN, SOURCE_FAILED,
        SOURCE_BUSY.
        """
        values = {"registry": pull.place.registry, "repository": pull.place.repository, "tag": tag}
        seen = queries.seen_tag(await self._doors.fetch(queries.TAG_AT_SOURCE, values))
        if seen is not None and seen.is_pinned:
            return None
        known = self._known(pull, seen)
        return known or await self._once(pull, tag, lambda: self._look(pull, tag))

    def _known(self, pull: Pull, seen: SeenTag | None) -> Named | None:
        """What needs no asking."""
        if seen is None or pull.change.now >= seen.asked_at + self._fresh:
            return None
        return Named(seen.digest, seen.confirmed_at, None if seen.asked_at == seen.confirmed_at else _SILENT)

    def _look(self, pull: Pull, tag: Tag) -> Named:
        """Ask the source. What it said last holds while it says nothing, and is not asked again at once."""
        values = {"registry": pull.place.registry, "repository": pull.place.repository, "tag": tag}
        seen = queries.seen_tag(self._doors.database.read(queries.TAG_AT_SOURCE.rows, **values))
        known = self._known(pull, seen)
        if known is not None:  # somebody asked since this was looked at
            return known
        write, now = self._doors.database.write, pull.change.now
        try:
            digest = self._ask(pull, tag, None if seen is None else seen.digest)
        except Problem as problem:
            if seen is None:
                raise told(problem, pull.rule) if problem.kind is Kind.SOURCE_FAILED else problem from None
            write(queries.note_silence, pull.place, tag, now)
            return Named(seen.digest, seen.confirmed_at, str(problem.detail.get("reason", _SILENT)))
        write(queries.note_tag, pull.place, tag, str(digest), now)
        return Named(digest, now)

    def _ask(self, pull: Pull, tag: Tag, before: Digest | None) -> Digest:
        """Raises MANIFEST_UNKNOWN for a tag that is not there, SOURCE_FAILED."""
        source = self._upstreams().at_once(pull.rule, pull.place.repository, pull.via)
        digest = source.digest_of(tag, before)
        if digest is None:
            gone = f"{source.place.host}/{source.place.repository} has no tag '{tag}'"
            raise Problem(Kind.MANIFEST_UNKNOWN, name=pull.place.repository, reference=tag, reason=gone)
        return digest

    async def tag(self, pull: Pull, stored: StoredManifest) -> None:
        """Let what is here have the tags that it has there, by an event of the pull's; so once."""
        pulled = Pulled(parse_manifest(stored.body, stored.media_type), Digest.parse(stored.digest))
        await self._doors.write(_commit, pull, pulled)

    # --- manifests ----------------------------------------------------------------------------------------------------

    async def manifest(self, pull: Pull, digest: Digest) -> Pulled:
        """One that is not here: on its way, or fetched now. Raises MANIFEST_UNKNOWN, SOURCE_FAILED, SOURCE_BUSY, and
        what the catalog refuses: QUOTA_EXCEEDED, LOCKED.
        """
        fill = await self._doors.read(queries.find_fill, pull.place, str(digest))
        if fill is not None and fill.problem is None:
            return Pulled(fill.parsed(), digest)
        if fill is not None and fill.failed_at is not None and pull.change.now < fill.failed_at + _TRIED:
            raise fill.problem or Problem(Kind.SOURCE_FAILED)
        return await self._once(pull, digest, lambda: self._fetch(pull, digest))

    def _fetch(self, pull: Pull, digest: Digest) -> Pulled:
        there = self._doors.database.read(_fetched, pull.place, digest)
        if there is not None:  # since this was looked at
            return there
        try:
            pulled = self._upstreams().at_once(pull.rule, pull.place.repository, pull.via).manifest(digest)
        except Problem as problem:
            raise told(problem, pull.rule) from None
        if pulled is None:
            raise Problem(Kind.MANIFEST_UNKNOWN, name=pull.place.repository, reference=str(digest))
        if pulled.manifest.is_index:
            self._doors.database.write(_commit, pull, pulled)
        else:
            self._doors.database.write(queries.begin_fill, _fill(pull, pulled), pull.change.now, self._wake)
        return pulled

    def _wake(self, tx: Connection, fill_id: int) -> None:
        self._jobs.wake(tx, FILL, fill_id)

    # --- blobs --------------------------------------------------------------------------------------------------------

    async def arriving(self, place: Place, digest: Digest) -> Arriving | None:
        """The blob, if it is on its way with an image. Raises what its fill failed with."""
        return await self._doors.run(self._arriving, place, digest)

    def _arriving(self, place: Place, digest: Digest) -> Arriving | None:
        """In a thread: manifests may be large, and many."""
        for fill in self._doors.database.read(queries.fills_of, place):
            for named in fill.parsed().references:
                if named.digest == digest:
                    if fill.problem is not None:
                        raise fill.problem
                    return Arriving(place, digest, named.size, fill.id)
        return None

    async def _once(self, pull: Pull, reference: Tag | Digest, work: Callable[[], T]) -> T:
        """The work's answer, or that of the same work which is going on already."""
        key = (pull.place, reference)
        going = self._asked.get(key)
        if going is None:
            going = asyncio.ensure_future(self._in_turn(pull.rule.host, work))
            self._asked[key] = going
            going.add_done_callback(lambda done: self._answered(key, done))
        # Who goes away takes nothing from the others.
        return await asyncio.shield(going)

    async def _in_turn(self, host: str, work: Callable[[], T]) -> T:
        async with self._places[host]:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _answered(self, key: tuple[Place, Tag | Digest], done: "asyncio.Future[Any]") -> None:
        self._asked.pop(key, None)
        if not done.cancelled():
            done.exception()  # all who asked may have gone away


def _fetched(tx: Connection, place: Place, digest: Digest) -> Pulled | None:
    """What is on its way, or here."""
    fill = queries.find_fill(tx, place, str(digest))
    if fill is not None:
        return None if fill.problem is not None else Pulled(fill.parsed(), digest)
    row = MANIFEST_BY_DIGEST.first(tx, registry=place.registry, repository=place.repository, reference=str(digest))
    if row is None:
        return None
    stored = stored_manifest(row)
    return Pulled(parse_manifest(stored.body, stored.media_type), digest)


def _fill(pull: Pull, pulled: Pulled) -> Fill:
    place, change, manifest = pull.place, pull.change, pulled.manifest
    of = (0, place.registry, place.repository, str(pulled.digest), manifest.media_type, manifest.body)
    return Fill(*of, change.principal, change.origin, None, None)


def _commit(tx: Connection, pull: Pull, pulled: Pulled) -> None:
    """With the tags that name it there. An index may lack the platforms that nobody has pulled."""
    tags = queries.tags_naming(tx, pull.place, str(pulled.digest))
    queries.note_repository(tx, pull.place)
    push = Push(pull.place, pulled.manifest, pulled.digest, tags, Platform(), pull.change)
    commit_manifest(tx, push, Sparse.ACCEPTED)
