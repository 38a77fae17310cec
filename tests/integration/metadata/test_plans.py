"""A page costs the same at any depth of a list of any length: it is read from an index, in order, on both databases.

What one page runs is taken as it runs, and its plans are looked at. PostgreSQL, which reads a small table whole and
sorts it, is told not to where it can do otherwise.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from tests.registry import postgres_catalog

from entrepot.arm.descriptor import Page
from entrepot.catalog.history import queries as history
from entrepot.catalog.listing import queries as listing
from entrepot.catalog.model import Place, ReferrersOf, RegistryId, RepositoryId
from entrepot.catalog.properties import queries as properties
from entrepot.catalog.properties.model import After, Order
from entrepot.catalog.undo import queries as undo
from entrepot.db.database import Database, open_database
from entrepot.oci.reference import RepositoryName
from entrepot.registries.resource import queries as registries

REGISTRY, REPOSITORY, NOW = RegistryId(1), RepositoryId(1), datetime(2026, 1, 1, tzinfo=UTC)
PLACE = Place(REGISTRY, RepositoryName("a"))
HELD = undo.Held(1, (2,))


def after(order: Order) -> After:
    return After(order, "a", NOW)


PAGES: dict[str, Callable[[Connection], object]] = {
    "catalog": lambda tx: listing.repository_names(tx, REGISTRY, "a", 10),
    "names of tags": lambda tx: listing.tag_names(tx, REPOSITORY, "a", 10),
    "referrers": lambda tx: listing.referrers(tx, PLACE, ReferrersOf("sha256:a", None, "a"), 10),
    "history": lambda tx: history.past(tx, REPOSITORY, "a", 99, 10),
    "deleted repositories": lambda tx: undo.repositories(tx, REGISTRY, "a", 10),
    "deleted manifests": lambda tx: undo.manifests_of(tx, HELD, "a", 10),
    "names of deleted tags": lambda tx: undo.names_of_tags(tx, HELD, "a", 10),
    "deleted tags": lambda tx: undo.tags_named(tx, HELD, ["a", "b"]),
    "registries of a subscription": lambda tx: registries.in_subscription(tx, "s", Page("a", 10)),
    "registries of a group": lambda tx: registries.in_group(tx, "s", "g", Page("a", 10)),
    **{
        f"tags {order.name.lower()}": lambda tx, order=order: properties.tags(tx, REPOSITORY, after(order), 10, None)
        for order in Order
    },
    **{
        f"manifests {order.name.lower()}": lambda tx, order=order: properties.manifests(
            tx, REPOSITORY, after(order), 10
        )
        for order in Order
    },
}


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    folder = Path(request.getfixturevalue("sqlite_template"))
    if request.param == "sqlite":
        with closing(open_database(None, folder)) as opened:
            yield opened
        return
    url = postgres_catalog(request.getfixturevalue("postgres_template"))
    with url as given, closing(open_database(given, folder)) as opened:
        yield opened


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_a_range_of_an_index(database: Database, name: str) -> None:
    for steps in plans(database, PAGES[name]):
        assert [step for step in steps if is_whole(step)] == []


@pytest.mark.parametrize("order", Order)
def test_tags_of_a_digest_are_found_by_their_manifest(database: Database, order: Order) -> None:
    """They are few, and sorted."""
    (steps,) = plans(database, lambda tx: properties.tags(tx, REPOSITORY, after(order), 10, "sha256:a"))
    assert any("ix_tag_manifest_id" in step for step in steps)
    assert [step for step in steps if step.startswith("SCAN") or "Seq Scan" in step] == []


def is_whole(step: str) -> bool:
    """Whether it looks at more than a page: reads all there is, or sorts it. What has one time is sorted by name."""
    sorts = step.startswith("USE TEMP B-TREE FOR ") and "RIGHT PART" not in step
    return sorts or step.startswith("SCAN") or "Seq Scan" in step or step.strip("-> ") == "Sort"


def plans(database: Database, page: Callable[[Connection], object]) -> list[list[str]]:
    """Of each statement that the page runs."""
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN (COSTS OFF)"
    with database.engine.connect() as tx:
        if not database.is_sqlite:
            tx.execute(text("SET enable_seqscan = off"))
            tx.execute(text("SET enable_sort = off"))
        with recorded(tx) as statements:
            page(tx)
        found = [tx.exec_driver_sql(f"{explain} {statement}", values).all() for statement, values in statements]
        tx.rollback()
    assert found
    return [[str(row[-1]) for row in rows] for rows in found]


@contextmanager
def recorded(tx: Connection) -> Iterator[list[tuple[str, Any]]]:
    statements: list[tuple[str, Any]] = []

    def note(_tx: Connection, _cursor: object, statement: str, values: object, _context: object, _many: object) -> None:
        statements.append((statement, values))

    event.listen(tx, "before_cursor_execute", note)
    yield statements
    event.remove(tx, "before_cursor_execute", note)
