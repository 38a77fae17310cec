"""The policy that deletes manifests which nothing holds. Spec: ACR-REFERENCE 8.6, with our differences."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import update
from tests.content import an_artifact, an_image, an_index
from tests.integration.rows import set_manifest, set_repository
from tests.invariants import assert_counted
from tests.registry import Registry, Repository

from entrepot.app.parts import open_content
from entrepot.db.tables import registry as registry_table
from entrepot.retention.deletion.queries import policies
from entrepot.retention.deletion.untagged import retain

IMAGE, OTHER = an_image("one"), an_image("two")
DAYS = 3


@pytest.fixture
def app(registry: Registry) -> Repository:
    """A repository of a registry whose policy is on since now."""
    keep(registry)
    return registry.repository("app")


def keep(registry: Registry, **policy: object) -> None:
    values = {"untagged_from": registry.clock.now, "untagged_days": DAYS, **policy}
    registry.query(lambda tx: tx.execute(update(registry_table).values(**values)))


@pytest.fixture(autouse=True)
def counted(registry: Registry) -> Iterator[None]:
    """Whatever went, the figures are those of a recount."""
    yield
    assert_counted(registry.database, open_content(registry.settings))


def work(registry: Registry, **after: float) -> int:
    """What the job does after this time; how many manifests went."""
    registry.clock.advance(**after)
    (policy,) = registry.query(policies)
    return retain(registry.database, policy, registry.clock.now, lambda: str(uuid4()), lambda: None)


async def there(app: Repository, *digests: str) -> list[bool]:
    return [(await app.manifest(digest)).status == 200 for digest in digests]


async def test_what_has_had_no_tag_for_so_long_goes_and_not_a_second_before(
    app: Repository, registry: Registry
) -> None:
    await app.push(IMAGE, "v1")
    await app.push(OTHER, "v1")
    assert work(registry, days=DAYS, seconds=-1) == 0
    assert work(registry, seconds=1) == 1
    assert await there(app, IMAGE.digest, OTHER.digest) == [False, True]


async def test_a_tag_that_comes_back_in_time_saves_it(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE, "v1")
    await app.http.delete(app.path("manifests/v1"))
    registry.clock.advance(days=DAYS - 1)
    await app.put(IMAGE, "v2")
    await app.http.delete(app.path("manifests/v2"))
    assert work(registry, days=1) == 0
    assert work(registry, days=DAYS - 1) == 1


async def test_no_days_are_at_once(app: Repository, registry: Registry) -> None:
    keep(registry, untagged_days=0)
    await app.push(IMAGE)
    assert work(registry) == 1


async def test_what_was_untagged_before_the_policy_stays(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE)
    registry.clock.advance(days=1)
    keep(registry)
    await app.push(OTHER)
    assert work(registry, days=100) == 1
    assert await there(app, IMAGE.digest, OTHER.digest) == [True, False]


async def test_children_of_an_index_stay_as_long_as_it_and_then_have_their_own_time(
    app: Repository, registry: Registry
) -> None:
    index = an_index([IMAGE, OTHER])
    await app.push(IMAGE)
    await app.push(OTHER)
    await app.put(index, "multi")
    assert work(registry, days=100) == 0
    await app.http.delete(app.path("manifests/multi"))
    assert work(registry, days=DAYS) == 1
    assert await there(app, index.digest, IMAGE.digest) == [False, True]
    assert work(registry, days=DAYS, seconds=-1) == 0
    assert work(registry, seconds=1) == 2


async def test_referrers_stay_as_long_as_their_subject(app: Repository, registry: Registry) -> None:
    sbom = an_artifact(subject=IMAGE.descriptor())
    signature = an_artifact("application/vnd.example.signature", 1, subject=sbom.descriptor())
    await app.push(IMAGE, "v1")
    await app.push(sbom)
    await app.push(signature)
    assert work(registry, days=100) == 0
    await app.http.delete(app.path(f"manifests/{IMAGE.digest}"))
    assert work(registry, days=DAYS) == 1
    assert work(registry, days=DAYS) == 1
    assert await there(app, sbom.digest, signature.digest) == [False, False]


@pytest.mark.parametrize("lock", ["delete_enabled", "write_enabled"])
async def test_what_is_locked_stays(app: Repository, registry: Registry, lock: str) -> None:
    await app.push(IMAGE)
    await app.push(OTHER)
    registry.query(lambda tx: set_manifest(tx, IMAGE.digest, **{lock: False}))
    assert work(registry, days=DAYS) == 1
    assert await there(app, IMAGE.digest, OTHER.digest) == [True, False]


async def test_a_repository_that_is_locked_against_writing_keeps_all(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE)
    registry.query(lambda tx: set_repository(tx, "app", write_enabled=False))
    assert work(registry, days=DAYS) == 0


async def test_what_went_can_be_restored_where_soft_delete_is_on_and_has_its_time_anew(
    app: Repository, registry: Registry
) -> None:
    keep(registry, soft_delete=True)
    await app.push(IMAGE)
    assert work(registry, days=DAYS) == 1
    restored = await app.http.post(f"/acr/v1/_deleted/app/_manifests/{IMAGE.digest}")
    assert restored.status == 200
    assert work(registry) == 0
    assert work(registry, days=DAYS) == 1
    assert work(registry, days=DAYS) == 0


async def test_a_repository_that_was_deleted_is_left_alone(app: Repository, registry: Registry) -> None:
    keep(registry, soft_delete=True)
    await app.push(IMAGE)
    await app.http.delete("/acr/v1/app")
    assert work(registry, days=DAYS) == 0
