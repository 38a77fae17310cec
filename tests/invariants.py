"""What must hold whatever happened before: DESIGN section 4, asked of a catalog and its content store."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from entrepot.app.upkeep import opened
from entrepot.content.model import ContentStore
from entrepot.db.database import Database
from entrepot.retention.check.check import Check
from entrepot.retention.check.model import Fault, Looked
from entrepot.retention.collect import Site
from entrepot.retention.model import Waits
from entrepot.settings import Settings

FAST = 1_000_000_000
DAY = timedelta(days=1)


def assert_clean(data: Path | Settings) -> Looked:
    """Nothing in a registry is missing, wrong, extra, forgotten or miscounted; answers how much was looked at.

    Every byte is read. A server may be running. What a crash leaves in the store is the sweep's within a day, and no
    fault before.
    """
    with opened(Settings(data_dir=data) if isinstance(data, Path) else data) as site:
        return _assert_nothing_found(site)


def assert_consistent(database: Database, store: ContentStore) -> Looked:
    """The same of a catalog and a store that are open already."""
    return _assert_nothing_found(_site(database, store))


def assert_counted(database: Database, store: ContentStore) -> None:
    """Every figure is what a recount gives: bytes of a registry, uses of a blob, manifests and tags of a repository."""
    found = Check(_site(database, store), None).findings()
    assert [finding for finding in found if finding.fault is Fault.USAGE] == []


def _site(database: Database, store: ContentStore) -> Site:
    waits = Waits(unlinked=DAY, condemned=DAY, retired=DAY, upload=DAY)
    return Site(database, store, waits, FAST, lambda: datetime.now(UTC))


def _assert_nothing_found(site: Site) -> Looked:
    check = Check(site, FAST)
    found = list(check.findings())
    assert found == [], found
    return check.looked
