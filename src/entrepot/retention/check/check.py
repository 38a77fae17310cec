"""One check from its beginning to its end: findings one by one, put right one by one if that is wanted."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from entrepot.retention.check import catalog, queries
from entrepot.retention.check.content import Inspector, extra_keys, holds_anything
from entrepot.retention.check.model import Fault, Finding, Looked
from entrepot.retention.check.queries import Window
from entrepot.retention.collect import Site
from entrepot.retention.pacing import Pacer

_BLOBS: Final = 200
_MANIFESTS: Final = 500
_REPOSITORIES: Final = 500
_Next = Callable[[Connection, int, int], Window | None]


@dataclass(slots=True)
class Check:
    """Compares store and catalog, and the catalog with itself, beside a running server.

    ``hash_rate`` is how many bytes are read per second to hash them; None when none are. Nothing is changed but by
    ``repair``.
    """

    site: Site
    hash_rate: int | None
    looked: Looked = field(default_factory=Looked)
    found: Counter[Fault] = field(default_factory=Counter[Fault])
    _has_content: bool | None = None

    def findings(self) -> Iterator[Finding]:
        """Each was looked at twice, so that it is none of a request in hand. Memory stays the same for any number."""
        for finding in self._look():
            self.found[finding.fault] += 1
            yield finding

    def _look(self) -> Iterator[Finding]:
        site = self.site
        yield from catalog.check_doomed(site)
        for window in _windows(site, queries.next_manifests, _MANIFESTS):
            self.looked.manifests += window.size
            yield from catalog.check_manifests(site, window)
        for window in _windows(site, queries.next_blobs, _BLOBS):
            yield from catalog.check_links(site, window)
            yield from catalog.check_uses(site, window)
        for window in _windows(site, queries.next_repositories, _REPOSITORIES):
            yield from catalog.check_counts(site, window)
        yield from catalog.check_usage(site)
        yield from extra_keys(site, self.looked)
        pacer = None if self.hash_rate is None else Pacer(self.hash_rate, site.pause)
        inspector = Inspector(site, pacer, self.looked)
        for window in _windows(site, queries.next_blobs, _BLOBS):
            yield from inspector.check(window)
        last = ""
        while blocks := site.doors.read(queries.next_blocks, last, _BLOBS):
            yield from inspector.check_blocks(blocks)
            last = blocks[-1].session

    def repair(self, finding: Finding) -> bool:
        """Put it right if that can be done here."""
        if finding.repair is None or (finding.fault is Fault.MISSING and not self._store_has_content()):
            return False
        self.site.doors.write(finding.repair)
        return True

    def _store_has_content(self) -> bool:
        """Whether it is our store at all: one that is not mounted would make every blob a missing one."""
        if self._has_content is None:
            self._has_content = holds_anything(self.site)
        return self._has_content


def _windows(site: Site, find_next: _Next, size: int) -> Iterator[Window]:
    window = site.doors.read(find_next, 0, size)
    while window is not None:
        yield window
        window = site.doors.read(find_next, window.last, size)
