"""What goes is what a naive model says, in a run as in its preview and its dry run."""

import json
import random
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select, update
from tests.integration.retention.purging.conftest import AddRule, RunRule, previewed
from tests.integration.retention.purging.model import Asked, Shop, Thing, purged
from tests.integration.retention.purging.shelf import Shelf
from tests.management import Management
from tests.registry import Registry

from entrepot.db.tables import manifest, repository, tag

REPOSITORIES = 12
AGES = (0.5, 3, 9, 20, 45)


def stock(shelf: Shelf, name: str, dice: random.Random) -> None:
    """Images, indexes of them and of each other, referrers of anything; tags on some, pulls, locks."""
    digests: list[str] = []
    for number in range(dice.randint(3, 12)):
        days = dice.choice(AGES) + dice.random() / 10
        names = [f"{dice.choice(('v', 'dev-'))}{number}-{each}" for each in range(dice.choice((0, 0, 1, 1, 2)))]
        kind = dice.random()
        some = dice.sample(digests, min(len(digests), dice.randint(1, 3)))
        if some and kind < 0.3:
            digests.append(shelf.index(name, *names, children=tuple(some), days=days))
        elif some and kind < 0.55:
            digests.append(shelf.image(name, *names, subject=some[0], days=days))
        else:
            digests.append(shelf.image(name, *names, days=days))
        if dice.random() < 0.4:
            shelf.pulled(digests[-1], dice.choice(AGES))
    shelf.database.write(_lock, name, dice)


def _lock(tx: Connection, name: str, dice: random.Random) -> None:
    of_name = select(repository.c.id).where(repository.c.name == name).scalar_subquery()
    for table in (tag, manifest):
        for row in tx.execute(select(table.c.id).where(table.c.repository_id == of_name)).scalars().all():
            if dice.random() < 0.15:
                column = dice.choice(("write_enabled", "delete_enabled", "list_enabled"))
                tx.execute(update(table).where(table.c.id == row).values({column: False}))


def shops(tx: Connection) -> dict[str, Shop]:
    found: dict[str, Shop] = {}
    names = {row.id: row.name for row in tx.execute(select(repository.c.id, repository.c.name))}
    digests: dict[int, str] = {}
    for row in tx.execute(select(manifest).order_by(manifest.c.id)):
        digests[row.id] = row.digest
        children = tuple(child["digest"] for child in json.loads(row.body).get("manifests", ()))
        thing = _thing(row, row.digest, row.last_pulled_at)
        thing.subject, thing.children = row.subject, children
        found.setdefault(names[row.repository_id], Shop()).manifests[row.digest] = thing
    for row in tx.execute(select(tag)):
        found[names[row.repository_id]].tags[row.name] = _thing(row, digests[row.manifest_id], None)
    return found


def _thing(row, digest: str, pulled) -> Thing:
    is_locked = not (row.write_enabled and row.delete_enabled)
    return Thing(digest, row.updated_at, pulled, is_locked, row.list_enabled)


def names_in(left: dict[str, Shop]) -> dict[str, tuple[list[str], list[str]]]:
    return {name: (sorted(shop.tags), sorted(shop.manifests)) for name, shop in left.items() if shop.manifests}


@pytest.mark.parametrize("seed", range(6))
async def test_a_run_and_its_preview_do_what_the_model_says(
    registry: Registry, arm: Management, shelf: Shelf, add_rule: AddRule, run_rule: RunRule, seed: int
) -> None:
    dice = random.Random(seed)
    for number in range(REPOSITORIES):
        stock(shelf, f"r{number}", dice)
    asked = Asked(
        tags=dice.choice((".*", "v.*", "dev-[0-9]+-0")),
        days=dice.choice((0, 2, 10, 30)),
        pulled_days=dice.choice((None, None, 5, 15)),
        keep=dice.choice((0, 0, 1, 3)),
        untagged=seed % 2 == 0,
        untagged_only=seed % 6 == 5,
        include_locked=dice.random() < 0.3,
    )
    before = registry.query(shops)
    expected = {name: purged(shop, asked, shelf.now) for name, shop in before.items()}
    path = await add_rule(**asked.settings())

    seen = await previewed(arm, path, limit=7)
    left = {name: Shop(dict(shop.tags), dict(shop.manifests)) for name, shop in before.items()}
    for each in seen:
        if each["delete"] and "tag" in each:
            del left[each["repository"]].tags[each["tag"]]
        elif each["delete"]:
            del left[each["repository"]].manifests[each["digest"]]
    assert names_in(left) == names_in(expected)

    gone = {
        "deletedTags": sum(len(before[name].tags) - len(shop.tags) for name, shop in expected.items()),
        "deletedManifests": sum(len(before[name].manifests) - len(shop.manifests) for name, shop in expected.items()),
    }
    dry = await run_rule(path, dryRun=True)
    assert (dry["status"], dry["dryRun"]) == ("Succeeded", True)
    assert {name: dry[name] for name in gone} == gone
    assert names_in(registry.query(shops)) == names_in(before)

    done = await run_rule(path)
    assert (done["status"], {name: done[name] for name in gone}) == ("Succeeded", gone)
    assert done["repositories"] == REPOSITORIES
    assert names_in(registry.query(shops)) == names_in(expected)
    assert timedelta() <= registry.clock.now - shelf.now
