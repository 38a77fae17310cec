"""Runs of purge rules: what they leave alone, what they tell, and what they do beside pushes."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, select, update
from tests.integration.retention.purging.conftest import AddRule, RunRule, bodies, result
from tests.integration.retention.purging.shelf import Shelf, an_image_body
from tests.integration.rows import (
    audit_entries,
    bytes_used,
    events_of,
    history_of,
    recounted_bytes,
    set_manifest,
    set_repository,
    set_tag,
)
from tests.integration.working import working
from tests.invariants import assert_counted
from tests.management import Management
from tests.registry import Registry

from entrepot.app.parts import open_content
from entrepot.catalog.model import Change
from entrepot.db.management_tables import operation, purge, purge_rule
from entrepot.retention.purging import queries
from entrepot.retention.purging.deleting import Deleting
from entrepot.retention.purging.model import Position, Reason, Selection
from entrepot.retention.purging.rules import Around, ManifestRow, Terms, terms_of
from entrepot.retention.purging.walk import Judged, Walk
from entrepot.retention.purging.worker import Habits

ALL = {"filters": [".*:.*"], "olderThan": "P30D", "maxShare": 100}
SLOW = Habits(rate=20.0, page=3)


@pytest.fixture(autouse=True)
def counted(registry: Registry) -> Iterator[None]:
    """Whatever a run does, the figures are those of a recount."""
    yield
    assert_counted(registry.database, open_content(registry.settings))


def terms(shelf: Shelf, **more: Any) -> Terms:  # noqa: ANN401  parameters of a selection
    return terms_of(Selection(filters=[".*:.*"], older_than="P30D", **more), shelf.now)


def judged(shelf: Shelf, wanted: Terms) -> list[Judged]:
    """Everything that the terms concern."""
    walk, found = Walk(shelf.registry, wanted, Position()), list[Judged]()
    while (page := shelf.database.read(walk.step, 100)) is not None:
        found += page
    return found


def deleting(shelf: Shelf, wanted: Terms) -> Deleting:
    return Deleting(wanted, lambda: Change("somebody", shelf.now, uuid4().hex))


# --- beside pushes ----------------------------------------------------------------------------------------------------


async def test_a_tag_that_was_pushed_again_after_it_was_found_old_stays(shelf: Shelf) -> None:
    """Acr issue 520: an image that is tagged anew is not an old one."""
    body = an_image_body()
    shelf.put("app", body, "same", "moved", days=60)
    shelf.image("app", "gone", days=60)
    wanted = terms(shelf)
    found = {each.tag: each for each in judged(shelf, wanted)}
    assert all(each.is_due for each in found.values())
    shelf.put("app", body, "same")
    shelf.image("app", "moved")
    reasons = {
        name: shelf.database.write(deleting(shelf, wanted).tag, shelf.place("app"), each)
        for name, each in found.items()
    }
    assert reasons == {"same": Reason.CHANGED, "moved": Reason.CHANGED, "gone": Reason.DUE}
    assert shelf.tags("app") == ["moved", "same"]
    assert {each.tag: each.reason for each in judged(shelf, wanted)} == {"same": Reason.RECENT, "moved": Reason.RECENT}


@pytest.mark.parametrize("lately", ["pulled", "locked", "unlisted", "repository locked"])
async def test_what_became_of_a_tag_after_it_was_found_due_counts(
    registry: Registry, shelf: Shelf, lately: str
) -> None:
    digest = shelf.image("app", "v1", days=60)
    wanted = terms(shelf, last_pulled_before="10d")
    (found,) = judged(shelf, wanted)
    match lately:
        case "pulled":
            shelf.pulled(digest, days=0)
        case "locked":
            registry.query(lambda tx: set_tag(tx, "v1", delete_enabled=False))
        case "unlisted":
            registry.query(lambda tx: set_tag(tx, "v1", list_enabled=False))
        case _:
            registry.query(lambda tx: set_repository(tx, "app", write_enabled=False))
    reason = shelf.database.write(deleting(shelf, wanted).tag, shelf.place("app"), found)
    assert reason in {Reason.PULLED, Reason.LOCKED, Reason.UNLISTED}
    assert shelf.tags("app") == ["v1"]


async def test_pushes_beside_a_run_lose_nothing(
    registry: Registry, arm: Management, shelf: Shelf, add_rule: AddRule
) -> None:
    images = [an_image_body() for _ in range(60)]
    for number, body in enumerate(images):
        shelf.put("app", body, f"v{number}", days=60)
    path = await add_rule(**ALL, untagged=True)
    pushed = dict[str, str]()

    def push_again() -> None:
        """From the other end: a run begins with the latest, which all of them are not."""
        for number in reversed(range(0, 60, 3)):
            pushed[f"v{number}"] = shelf.put("app", images[number], f"v{number}")

    accepted = await arm.post(f"{path}/run")
    pusher = threading.Thread(target=push_again)
    pusher.start()
    with working(registry, bodies(Habits(rate=500.0, page=7))):
        await result(arm, accepted)
    pusher.join()
    assert set(pushed) <= set(shelf.tags("app"))
    assert set(pushed.values()) <= shelf.manifests("app")


async def test_a_child_that_an_index_got_meanwhile_stays(shelf: Shelf) -> None:
    child = shelf.image("app", days=60)
    wanted = terms(shelf, untagged=True)
    row, _ = shelf.database.read(lambda tx: _untagged(tx, shelf))
    shelf.index("app", "v1", children=(child,))
    reason = shelf.database.write(deleting(shelf, wanted).manifest, shelf.place("app"), row)
    assert reason is Reason.CHILD
    assert child in shelf.manifests("app")


def _untagged(tx: Connection, shelf: Shelf) -> tuple[ManifestRow, Around]:
    repository = queries.find_repository(tx, shelf.registry, "app")
    assert repository is not None
    return queries.untagged(tx, repository.id, "", 10)[0]


# --- what stays -------------------------------------------------------------------------------------------------------


async def test_children_of_kept_indexes_and_referrers_of_kept_subjects_stay(
    shelf: Shelf, add_rule: AddRule, run_rule: RunRule
) -> None:
    """acr-cli issue 131: images of several platforms were broken."""
    child = shelf.image("app", days=60)
    index = shelf.index("app", "release", children=(child,), days=1)
    signature = shelf.image("app", days=60, subject=index)
    of_child = shelf.image("app", days=60, subject=child)
    orphan = shelf.image("app", days=60)
    done = await run_rule(await add_rule(untaggedOnly=True))
    assert (done["deletedManifests"], done["kept"]) == (1, {"childOfIndex": 1, "subjectStays": 2})
    assert shelf.manifests("app") == {child, index, signature, of_child}
    assert orphan not in shelf.manifests("app")


async def test_with_an_index_go_its_children_and_referrers(shelf: Shelf, add_rule: AddRule, run_rule: RunRule) -> None:
    child = shelf.image("app", days=60)
    index = shelf.index("app", "old", children=(child,), days=60)
    shelf.image("app", days=60, subject=shelf.image("app", days=60, subject=index))
    shared = shelf.image("app", days=60)
    shelf.index("app", "older", children=(child, shared), days=70)
    kept = shelf.index("app", "new", children=(shared,), days=1)
    done = await run_rule(await add_rule(**ALL, untagged=True))
    assert (done["deletedTags"], done["deletedManifests"]) == (2, 5)
    assert shelf.manifests("app") == {kept, shared}


@pytest.mark.parametrize("attribute", ["write_enabled", "delete_enabled"])
async def test_what_is_locked_stays_unless_it_is_asked_for(
    registry: Registry, shelf: Shelf, add_rule: AddRule, run_rule: RunRule, attribute: str
) -> None:
    shelf.image("app", "locked", days=60)
    alone = shelf.image("app", days=60)
    registry.query(lambda tx: set_tag(tx, "locked", **{attribute: False}))
    registry.query(lambda tx: set_manifest(tx, alone, **{attribute: False}))
    path = await add_rule(**ALL, untagged=True)
    done = await run_rule(path)
    assert (done["deletedTags"], done["deletedManifests"], done["kept"]) == (0, 0, {"locked": 2})
    path = await add_rule(**ALL, untagged=True, includeLocked=True)
    done = await run_rule(path)
    assert (done["deletedTags"], done["deletedManifests"]) == (1, 2)
    # It is unlocked first, and that is told as well.
    told = Counter(row.action for row in registry.query(lambda tx: events_of(tx, "app")))
    assert told == {"push": 2, "update": 2, "untag": 1, "delete": 2}


async def test_a_locked_repository_stays_whatever_is_asked_for(
    registry: Registry, shelf: Shelf, add_rule: AddRule, run_rule: RunRule
) -> None:
    shelf.image("app", "v1", days=60)
    shelf.image("app", days=60)
    registry.query(lambda tx: set_repository(tx, "app", write_enabled=False))
    done = await run_rule(await add_rule(**ALL, untagged=True, includeLocked=True))
    assert (done["deletedTags"], done["kept"]) == (0, {"locked": 2})


async def test_a_manifest_that_was_never_pulled_counts_from_its_push(
    shelf: Shelf, add_rule: AddRule, run_rule: RunRule
) -> None:
    shelf.image("app", "new", days=5)
    shelf.image("app", "old", days=20)
    pulled = shelf.image("app", "used", days=90)
    shelf.pulled(pulled, days=3)
    path = await add_rule(filters=["app:.*"], olderThan="P0D", lastPulledBefore="10d", maxShare=100)
    await run_rule(path)
    assert shelf.tags("app") == ["new", "used"]


# --- undo -------------------------------------------------------------------------------------------------------------


async def test_what_a_run_deleted_is_restored_with_soft_delete(
    registry: Registry, arm: Management, shelf: Shelf, add_rule: AddRule, run_rule: RunRule
) -> None:
    """The tag with its manifest, and a manifest that had none."""
    tagged, untagged = shelf.image("app", "v1", days=60), shelf.image("app", days=60)
    before = registry.query(bytes_used)
    await arm.patch(arm.registry(), {"properties": {"policies": {"softDeletePolicy": {"status": "enabled"}}}})
    done = await run_rule(await add_rule(**ALL, untagged=True))
    assert (done["deletedTags"], done["deletedManifests"]) == (1, 2)
    assert (shelf.tags("app"), shelf.manifests("app")) == ([], set())
    listed = (await registry.http.get("/acr/v1/_deleted/app/_manifests")).json()["manifests"]
    assert {row["digest"] for row in listed} == {tagged, untagged}
    for digest, tag in ((tagged, "v1"), (untagged, None)):
        target = f"/acr/v1/_deleted/app/_manifests/{digest}"
        assert (await registry.http.post(target, json.dumps({"tag": tag}).encode())).status == 200
    app = registry.repository("app")
    assert (shelf.tags("app"), shelf.manifests("app")) == (["v1"], {tagged, untagged})
    assert (await app.manifest("v1"))["docker-content-digest"] == tagged
    assert (await app.manifest(untagged)).status == 200
    assert registry.query(bytes_used) == registry.query(recounted_bytes) == before


async def test_a_tag_that_a_run_deleted_from_a_kept_manifest_is_restored(
    registry: Registry, arm: Management, shelf: Shelf, add_rule: AddRule, run_rule: RunRule
) -> None:
    digest = shelf.image("app", "v1", days=60)
    await arm.patch(arm.registry(), {"properties": {"policies": {"softDeletePolicy": {"status": "enabled"}}}})
    await run_rule(await add_rule(**ALL))
    assert (shelf.tags("app"), shelf.manifests("app")) == ([], {digest})
    target = f"/acr/v1/_deleted/app/_manifests/{digest}"
    assert (await registry.http.post(target, b'{"tag":"v1"}')).status == 200
    assert shelf.tags("app") == ["v1"]


# --- so much at once --------------------------------------------------------------------------------------------------


async def test_a_run_that_would_delete_most_of_a_repository_deletes_nothing_unless_it_is_confirmed(
    shelf: Shelf, add_rule: AddRule, run_rule: RunRule
) -> None:
    """acr-cli issues 83 and 560 would have ended here."""
    for name, ages in {"app": (60, 60, 60, 1), "web": (60, 1, 1, 1)}.items():
        for number, days in enumerate(ages):
            shelf.image(name, f"v{number}", days=days)
    path = await add_rule(filters=[".*:.*"], olderThan="P30D")
    refused = await run_rule(path)
    assert (refused["status"], refused["deletedTags"]) == ("Failed", 0)
    assert "more than 50 % of the tags would go in app (3 of 4)." in refused["error"]
    assert len(shelf.tags("app") + shelf.tags("web")) == 8
    dry = await run_rule(path, dryRun=True)
    assert (dry["status"], dry["deletedTags"]) == ("Succeeded", 4)
    done = await run_rule(path, confirm=True)
    assert (done["status"], done["deletedTags"]) == ("Succeeded", 4)
    assert (shelf.tags("app"), shelf.tags("web")) == (["v3"], ["v1", "v2", "v3"])


async def test_half_of_a_repository_is_not_more_than_half(shelf: Shelf, add_rule: AddRule, run_rule: RunRule) -> None:
    for number, days in enumerate((60, 60, 1, 1)):
        shelf.image("app", f"v{number}", days=days)
    done = await run_rule(await add_rule(filters=[".*:.*"], olderThan="P30D"))
    assert (done["status"], done["deletedTags"]) == ("Succeeded", 2)


# --- what is told -----------------------------------------------------------------------------------------------------


async def test_each_deletion_has_its_event_its_entry_and_its_place_in_the_history(
    registry: Registry, shelf: Shelf, add_rule: AddRule, run_rule: RunRule
) -> None:
    digest = shelf.image("app", "v1", days=60)
    done = await run_rule(await add_rule(**ALL, untagged=True))
    *_, untag, delete = registry.query(lambda tx: events_of(tx, "app"))
    assert (untag.action, delete.action) == ("untag", "delete")
    for action, target in (("tag.delete", "app:v1"), ("manifest.delete", f"app@{digest}")):
        (entry,) = registry.query(lambda tx, action=action: audit_entries(tx, action))
        assert (entry["target"], entry["method"], entry["request_id"]) == (target, "purge", done["operation"])
    (row,) = registry.query(lambda tx: history_of(tx, "app"))
    assert (row.name, row.digest) == ("v1", digest)


async def test_an_operation_tells_what_a_run_has_done(
    registry: Registry, arm: Management, shelf: Shelf, add_rule: AddRule
) -> None:
    shelf.image("app", "v1", days=60)
    shelf.image("app", "v2", days=1)
    path = await add_rule(**ALL)
    accepted = await arm.post(f"{path}/run")
    running = (await arm.get(path)).json()["properties"]["running"]
    assert running in accepted["location"]
    again = await arm.post(f"{path}/run")
    assert (again.status, again.json()["error"]["code"]) == (409, "PurgeIsRunning")
    with working(registry, bodies()):
        assert (await result(arm, accepted)).json() == {"status": "Succeeded"}
    status = (await arm.http.get("/" + accepted["azure-asyncoperation"].split("/", 3)[3])).json()
    assert status["properties"] == {"deletedTags": 1, "deletedManifests": 0, "kept": 1, "repository": "app"}
    assert (await arm.get(path)).json()["properties"]["running"] is None


# --- how it ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["cancel", "delete"])
async def test_a_run_ends_when_it_is_canceled_or_its_rule_deleted(
    registry: Registry, arm: Management, shelf: Shelf, add_rule: AddRule, until, how: str
) -> None:
    for number in range(60):
        shelf.image("app", f"v{number}", days=60)
    path = await add_rule(**ALL)
    accepted = await arm.post(f"{path}/run")

    async def has_begun() -> bool:
        return len(shelf.tags("app")) < 60

    with working(registry, bodies(SLOW)):
        await until(has_begun)
        ended = await (arm.post(f"{path}/cancel") if how == "cancel" else arm.delete(path))
        assert ended.status == 200
        assert (await result(arm, accepted)).json() == {"status": "Canceled"}

        async def is_over() -> bool:
            return registry.query(lambda tx: tx.execute(select(purge)).all()) == []

        await until(is_over)
    left = shelf.tags("app")
    assert 0 < len(left) < 60
    if how == "cancel":
        last = (await arm.get(path)).json()["properties"]["lastRun"]
        assert (last["status"], last["deletedTags"]) == ("Canceled", 60 - len(left))


async def test_a_run_of_a_registry_that_is_deleted_ends(
    registry: Registry, arm: Management, shelf: Shelf, until
) -> None:
    second = arm.registry("second")
    assert (await arm.put(second, {"location": "eastus", "sku": {"name": "Premium"}})).status == 201
    path = f"{second}/purgeRules/rule"
    assert (await arm.put(path, {"properties": ALL})).status == 201
    accepted = await arm.post(f"{path}/run")
    assert (await arm.delete(second)).status == 202
    with working(registry, bodies()):
        assert (await result(arm, accepted)).json() == {"status": "Canceled"}


async def test_a_schedule_runs_its_rule_once_for_however_many_moments_it_missed(
    registry: Registry, arm: Management, shelf: Shelf, add_rule: AddRule, until
) -> None:
    shelf.image("app", "v1", days=60)
    path = await add_rule(**ALL, schedule="*/5 * * * *")
    disabled = await add_rule("off", **ALL, schedule="*/5 * * * *", enabled=False)
    past = datetime.now(UTC) - timedelta(days=3)
    registry.query(lambda tx: tx.execute(update(purge_rule).where(purge_rule.c.key == "rule").values(due_at=past)))

    async def has_run() -> bool:
        return (await arm.get(path)).json()["properties"]["lastRun"] is not None

    with working(registry, bodies()):
        await until(has_run)
    properties = (await arm.get(path)).json()["properties"]
    assert properties["lastRun"]["deletedTags"] == 1
    assert properties["nextRunTime"] > properties["lastRun"]["startTime"]
    assert (await arm.get(disabled)).json()["properties"]["lastRun"] is None
    (row,) = registry.query(lambda tx: tx.execute(select(operation)).all())
    assert (row.principal, row.status, row.resource_id) == ("server", "Succeeded", path)
    (entry,) = registry.query(lambda tx: audit_entries(tx, "tag.delete"))
    assert entry["principal"] == "server"
