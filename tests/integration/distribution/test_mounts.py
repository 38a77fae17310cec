"""Spec: OCI distribution-spec, "Mounting a blob from another repository"."""

import pytest
from tests.content import digest_of, some_bytes
from tests.integration.rows import bytes_used, condemn, mark_corrupt
from tests.registry import Registry, Repository, Upload
from tests.wire import Answer

CONTENT = some_bytes(1000, "mounted")
DIGEST = digest_of(CONTENT)


@pytest.fixture
async def source(registry: Registry) -> Repository:
    repository = registry.repository("team/source")
    await repository.push_blob(CONTENT)
    return repository


async def mount(target: Repository, digest: str = DIGEST, source: str | None = "team/source") -> Answer:
    named = "" if source is None else f"&from={source}"
    return await target.http.post(target.path(f"blobs/uploads/?mount={digest}{named}"))


@pytest.mark.parametrize("named", ["team/source", "team%2Fsource", None], ids=["from", "encoded", "without from"])
async def test_a_mounted_blob_is_here_without_being_sent(
    app: Repository, source: Repository, registry: Registry, named: str | None
) -> None:
    before = registry.query(bytes_used)
    answer = await mount(app, source=named)
    assert (answer.status, answer["location"]) == (201, f"/v2/app/blobs/{DIGEST}")
    assert answer["docker-content-digest"] == DIGEST
    assert (await app.blob(DIGEST)).body == CONTENT
    assert registry.query(bytes_used) == before


@pytest.mark.parametrize("named", ["team/nowhere", "app", None])
async def test_a_blob_that_no_source_has_is_asked_for(app: Repository, named: str | None) -> None:
    answer = await mount(app, source=named)
    assert answer.status == 202
    assert (await Upload(app.http, answer["location"]).close(DIGEST, CONTENT)).status == 201


async def test_a_blob_of_another_repository_than_named_is_asked_for(app: Repository, source: Repository) -> None:
    await app.push_blob(b"another")
    assert (await mount(app, source="team/other")).status == 202


async def test_a_mount_outlives_its_source(app: Repository, source: Repository) -> None:
    await mount(app)
    await source.http.delete(source.path(f"blobs/{DIGEST}"))
    assert (await app.blob(DIGEST)).body == CONTENT


async def test_a_mount_of_what_is_here_already_changes_nothing(app: Repository, source: Repository) -> None:
    assert [(await mount(app)).status for _ in range(2)] == [201, 201]
    assert (await mount(source)).status == 201


@pytest.mark.parametrize("named", ["team/source", None])
@pytest.mark.parametrize("state", [condemn, mark_corrupt])
async def test_what_may_be_deleted_soon_or_is_damaged_is_no_source(
    app: Repository, source: Repository, registry: Registry, state, named: str | None
) -> None:
    registry.query(lambda tx: state(tx, DIGEST))
    assert (await mount(app, source=named)).status == 202
    assert not await app.has_blob(DIGEST)


@pytest.mark.parametrize("digest", ["", "sha256:short", "nonsense", "sha256:" + "A" * 64])
async def test_a_mount_of_no_digest_is_refused(app: Repository, digest: str) -> None:
    answer = await mount(app, digest)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("named", ["..", "UPPER", "a%00b", "_blobs", "a//b", ""])
async def test_a_mount_from_no_name_is_refused(app: Repository, source: Repository, named: str) -> None:
    answer = await mount(app, source=named)
    assert (answer.status, answer.code) == (400, "NAME_INVALID")


async def test_a_mount_may_ask_for_an_algorithm_it_then_does_not_need(app: Repository, source: Repository) -> None:
    answer = await app.http.post(app.path(f"blobs/uploads/?mount={DIGEST}&from=team/source&digest-algorithm=sha512"))
    assert answer.status == 201
