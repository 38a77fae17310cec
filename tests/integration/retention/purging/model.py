"""A naive purge of one repository: everything in memory, each rule of the guide in the plainest words."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class Thing:
    """A tag or a manifest. ``digest``: what a tag names."""

    digest: str
    updated: datetime
    pulled: datetime | None = None
    is_locked: bool = False
    is_listed: bool = True
    subject: str | None = None
    children: tuple[str, ...] = ()


@dataclass
class Shop:
    """A repository."""

    tags: dict[str, Thing] = field(default_factory=dict[str, Thing])
    manifests: dict[str, Thing] = field(default_factory=dict[str, Thing])


@dataclass(frozen=True)
class Asked:
    tags: str
    days: int
    pulled_days: int | None
    keep: int
    untagged: bool
    untagged_only: bool
    include_locked: bool

    def settings(self) -> dict[str, object]:
        """As a rule says it."""
        return {
            "filters": [f".*:{self.tags}"],
            "olderThan": f"{self.days}d",
            "lastPulledBefore": None if self.pulled_days is None else f"P{self.pulled_days}D",
            "keep": 0 if self.untagged_only else self.keep,
            "untagged": self.untagged,
            "untaggedOnly": self.untagged_only,
            "includeLocked": self.include_locked,
            "maxShare": 100,
        }


def purged(shop: Shop, asked: Asked, now: datetime) -> Shop:
    """What is left."""
    pulls = {digest: thing.pulled for digest, thing in shop.manifests.items()}
    tags = dict(shop.tags)
    if not asked.untagged_only:
        newest_first = sorted(tags, key=lambda name: (-tags[name].updated.timestamp(), name))
        going = [
            name
            for name in newest_first
            if re.fullmatch(asked.tags, name) and is_old(tags[name], pulls[tags[name].digest], asked, now)
        ]
        for name in going[asked.keep :]:
            del tags[name]
    manifests = dict(shop.manifests)
    while asked.untagged or asked.untagged_only:
        needed = {tag.digest for tag in tags.values()}
        needed |= {child for thing in manifests.values() for child in thing.children}
        going = [
            digest
            for digest, thing in manifests.items()
            if digest not in needed and thing.subject not in manifests and is_old(thing, thing.pulled, asked, now)
        ]
        if not going:
            break
        for digest in going:
            del manifests[digest]
    return Shop(tags, manifests)


def is_old(thing: Thing, pulled: datetime | None, asked: Asked, now: datetime) -> bool:
    if not thing.is_listed or (thing.is_locked and not asked.include_locked):
        return False
    if now - thing.updated <= timedelta(days=asked.days):
        return False
    used = thing.updated if pulled is None else max(pulled, thing.updated)
    return asked.pulled_days is None or now - used > timedelta(days=asked.pulled_days)
