"""Sources come in under signed URLs, and only so."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from tests.integration.conftest import StartRegistry, Until
from tests.integration.retention.world import WAITS, no_pause
from tests.integration.tasks.storage.account import Account, Source
from tests.integration.working import working
from tests.invariants import assert_consistent
from tests.management import management
from tests.registry import Registry
from tests.wire import Answer, HungUp

from entrepot.catalog.files import queries as files
from entrepot.registries.resource.jobs import DELETION, WORKFLOWS
from entrepot.retention import queries
from entrepot.retention.collect import Collector, Site
from entrepot.tasks.storage.links import find_source, hold_source

A, B, C = "QQ==", "Qg==", "Qw=="
HOURS = timedelta(hours=12)
SECOND = timedelta(seconds=1)


def refusal(answer: Answer) -> tuple[int, str]:
    assert answer.body.startswith(b"<?xml")
    return answer.status, answer["x-ms-error-code"]


def keys(account: Account) -> set[str]:
    return {stored.key for stored in account.store.walk()}


# --- in one request ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 3_000_000])
async def test_a_source_comes_in_whole_and_is_found_by_its_path(account: Account, length: int):
    source, content = account.source(), b"x" * length
    answer = await source.put(content)
    assert (answer.status, answer.body) == (201, b"")
    assert account.content(source) == content
    assert_consistent(account.registry.database, account.store)


async def test_what_is_written_again_replaces_what_was_there(account: Account):
    source = account.source()
    for content in (b"first", b"second"):
        assert (await source.put(content)).status == 201
    assert account.content(source) == b"second"


async def test_who_wants_to_overwrite_nothing_is_refused_where_something_is(account: Account):
    source = account.source()
    assert (await source.put(b"first", if_none_match="*")).status == 201
    assert refusal(await source.put(b"second", if_none_match="*")) == (409, "BlobAlreadyExists")
    assert account.content(source) == b"first"


async def test_the_same_source_can_be_read_back(account: Account):
    source = account.source()
    await source.put(b"0123456789")
    whole, part = await source.get(), await source.get(x_ms_range="bytes=2-4", range="bytes=0-0")
    assert (whole.status, whole.body, whole["x-ms-blob-type"]) == (200, b"0123456789", "BlockBlob")
    assert (part.status, part.body, part["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert (await source.http.head(source.target))["content-length"] == "10"


@pytest.mark.parametrize("text", ["bytes=10-", "bytes=0-1,3-4"])
async def test_a_range_beyond_the_end_and_several_ranges_are_refused(account: Account, text: str):
    source = account.source()
    await source.put(b"0123456789")
    answer = await source.get(x_ms_range=text)
    assert refusal(answer) == (416, "InvalidRange")
    assert answer["content-range"] == "bytes */10"


async def test_only_block_blobs_are_taken(account: Account):
    source = account.source()
    for kind in ("AppendBlob", "PageBlob", ""):
        assert refusal(await source.put(b"x", x_ms_blob_type=kind)) == (400, "InvalidBlobType")


async def test_other_operations_are_refused(account: Account):
    source = account.source()
    for comp in ("page", "metadata", "appendblock", "lease", ""):
        target = source.target.replace("?", f"?comp={comp}&")
        assert (await source.http.put(target, b"", {"x-ms-blob-type": "AppendBlob"})).status == 400
    for method in ("DELETE", "POST", "PATCH"):
        answer = await source.http.send(method, source.target)
        assert refusal(answer) == (405, "UnsupportedHttpVerb")


# --- in blocks --------------------------------------------------------------------------------------------------------


async def test_a_source_comes_in_blocks_in_any_order(account: Account):
    source = account.source()
    for name, content in ((B, b"two"), (A, b"one"), (C, b"three")):
        assert (await source.put_block(name, content)).status == 201
    assert account.find(source) is None
    assert refusal(await source.get()) == (404, "BlobNotFound")
    for _ in range(2):  # a client that did not see the answer asks again
        assert (await source.put_list(A, B, C)).status == 201
    assert account.content(source) == b"onetwothree"
    assert_consistent(account.registry.database, account.store)


async def test_a_list_of_blocks_that_are_not_there_is_refused(account: Account):
    source, other = account.source(), account.source()
    await other.put_block(A, b"of another source")
    assert refusal(await source.put_list(A)) == (400, "InvalidBlockList")
    await source.put_block(A, b"one")
    assert refusal(await source.put_list(A, A)) == (400, "InvalidBlockList")
    assert account.find(source) is None


@pytest.mark.parametrize("name", ["", "QR==", "../x", "Q" * 92])
async def test_a_block_needs_a_proper_name(account: Account, name: str):
    source = account.source()
    assert refusal(await source.put_block(name, b"x")) == (400, "InvalidInput")


async def test_no_block_can_be_the_one_of_a_whole_source(account: Account):
    source = account.source()
    await source.put(b"whole")
    assert refusal(await source.put_list("")) == (400, "InvalidInput")


async def test_a_list_is_no_longer_than_it_may_be(account: Account):
    source = account.source()
    answer = await source.http.put(source.target.replace("?", "?comp=blocklist&"), b" " * (1024 * 1024 + 1))
    assert refusal(answer) == (413, "RequestBodyTooLarge")


# --- bounds -----------------------------------------------------------------------------------------------------------


async def test_a_source_is_no_larger_than_the_setting_whole_or_in_blocks(start_registry: StartRegistry):
    account = Account(await start_registry(task_source_bytes=10))
    source = account.source()
    assert refusal(await source.put(b"x" * 11)) == (413, "RequestBodyTooLarge")
    assert (await source.put_block(A, b"x" * 6)).status == 201
    assert refusal(await source.put_block(B, b"x" * 5)) == (413, "RequestBodyTooLarge")
    assert (await source.put_block(B, b"x" * 4)).status == 201
    assert (await source.put_list(A, B)).status == 201
    assert (await source.put(b"x" * 10)).status == 201


async def test_a_body_without_a_length_is_refused(account: Account):
    assert refusal(await account.source().put(iter([b"one", b"two"]))) == (411, "MissingContentLengthHeader")


async def test_a_client_that_goes_away_midway_leaves_nothing(account: Account):
    async def half() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        raise HungUp

    source = account.source()
    answer = await source.put(half(), content_length="4000000")
    assert answer.status == 400
    assert account.find(source) is None
    assert account.registry.query(files.open_sessions, source.file) == []
    assert keys(account) == set()


async def test_a_source_that_nobody_uses_goes_with_its_blocks(account: Account):
    used, unused = account.source(), account.source()
    await used.put(b"used")
    await unused.put_block(A, b"unused")
    registry = account.registry
    until = registry.clock() + timedelta(days=9)
    assert registry.query(hold_source, account.registry_id, used.relative_path, until) is not None
    registry.clock.advance(days=3)
    site = Site(registry.database, account.store, WAITS, 1_000_000, registry.clock, no_pause)
    for _ in range(2):
        Collector(site).collect(lambda: False, lambda _: None)
        registry.clock.advance(minutes=11)
    assert len(keys(account)) == 1
    assert account.content(used) == b"used"


# --- who may ----------------------------------------------------------------------------------------------------------


async def attempts(source: Source) -> set[tuple[int, str]]:
    return {
        refusal(await source.put(b"mine")),
        refusal(await source.put_block(A, b"mine")),
        refusal(await source.put_list(A)),
        refusal(await source.get()),
    }


async def test_a_url_is_good_for_its_time_only(account: Account):
    source = account.source()
    account.advance(HOURS - SECOND)
    assert (await source.put(b"in time")).status == 201
    account.advance(SECOND)
    assert await attempts(source) == {(403, "AuthenticationFailed")}
    assert account.content(source) == b"in time"


async def test_without_a_signature_nothing_opens_not_even_for_the_owner(account: Account):
    source = account.source()
    await source.put(b"content")
    bare = Source(account.registry.http, f"{source.path}?x=1", source.relative_path)
    assert await attempts(bare) == {(403, "AuthenticationFailed")}


async def test_a_signature_opens_its_own_source_only(account: Account):
    mine, yours = account.source(), account.source()
    await yours.put(b"yours")
    query = mine.target.partition("?")[2]
    crossed = Source(mine.http, f"{yours.path}?{query}", yours.relative_path)
    assert await attempts(crossed) == {(403, "AuthenticationFailed")}
    assert account.content(yours) == b"yours"


async def test_a_url_to_read_with_writes_nothing(account: Account):
    source = account.source()
    query = account.links.signer.query(source.path, "r", account.registry.clock() + HOURS)
    reading = Source(source.http, f"{source.path}?{query}", source.relative_path)
    assert refusal(await reading.put(b"mine")) == (403, "AuthorizationPermissionMismatch")
    assert refusal(await reading.get()) == (404, "BlobNotFound")


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "a%00b.tar.gz",
        f"{'A' * 32}.tar.gz",
        f"{'a' * 32}.tar.gz%2F..",
        "x" * 900,
    ],
)
async def test_no_name_leads_anywhere_else_even_signed(account: Account, name: str):
    path = f"/blob/source/{name}"
    query = account.links.signer.query(path, "rw", account.registry.clock() + HOURS)
    assert await attempts(Source(account.registry.nobody, f"{path}?{query}", "")) == {(404, "BlobNotFound")}


@pytest.mark.parametrize("path", ["/blob", "/blob/", "/blob/source", "/blob/source/", "/blob/a/b", "/blob/source/a/b"])
async def test_nothing_else_is_served_there(account: Account, path: str):
    assert refusal(await account.registry.nobody.get(path)) == (404, "ResourceNotFound")


async def test_a_registrys_own_host_serves_no_blobs(account: Account):
    source = account.source()
    elsewhere = account.registry.nobody.having(host="team.entrepot.localhost:5000")
    answer = await elsewhere.put(source.target, b"x", {"x-ms-blob-type": "BlockBlob"})
    assert refusal(answer) == (404, "ResourceNotFound")


async def test_networks_that_may_not_manage_may_not_upload(start_registry: StartRegistry):
    account = Account(await start_registry(management_networks=("10.0.0.0/8",)))
    assert refusal(await account.source().put(b"x")) == (403, "AuthorizationFailure")


@pytest.mark.parametrize(
    "path",
    ["", "source/x", "/etc/passwd", "source/202401010000/../x.tar.gz", "https://elsewhere.example/x.tar.gz"],
)
async def test_a_source_is_named_by_what_we_called_it_only(account: Account, path: str):
    assert account.registry.query(find_source, account.registry_id, path) is None


async def test_a_source_of_another_registry_is_not_found(account: Account):
    source = account.source()
    await source.put(b"content")
    assert account.registry.query(find_source, account.registry_id + 1, source.relative_path) is None
    until = account.registry.clock() + HOURS
    assert account.registry.query(hold_source, account.registry_id + 1, source.relative_path, until) is None


async def test_any_worker_takes_the_next_block(start_registry: StartRegistry, registry: Registry):
    account, other = Account(registry), await start_registry()
    source = account.source()
    await source.put_block(A, b"one")
    elsewhere = Source(other.nobody, source.target, source.relative_path)
    assert (await elsewhere.put_block(B, b"two")).status == 201
    assert (await elsewhere.put_list(A, B)).status == 201
    assert account.content(source) == b"onetwo"


async def test_blocks_that_come_at_once_are_all_there(account: Account):
    source = account.source()
    names = [base64.b64encode(b"%04d" % number).decode() for number in range(24)]
    answers = await asyncio.gather(*(source.put_block(name, name.encode() * 1000) for name in names))
    assert {answer.status for answer in answers} == {201}
    assert (await source.put_list(*names)).status == 201
    assert account.content(source) == b"".join(name.encode() * 1000 for name in names)


async def test_the_same_source_written_twice_at_once_is_one_of_the_two(account: Account):
    source, contents = account.source(), [bytes([number]) * 1_500_000 for number in range(4)]
    answers = await asyncio.gather(*(source.put(content) for content in contents))
    assert 201 in {answer.status for answer in answers}
    assert {answer.status for answer in answers} <= {201, 409}
    assert account.content(source) in contents
    assert_consistent(account.registry.database, account.store)


async def test_a_deleted_registry_leaves_no_source(registry: Registry, until: Until):
    arm = await management(registry)
    path = arm.registry("second")
    assert (await arm.put(path, {"location": "eastus", "sku": {"name": "Standard"}})).status == 201
    account = Account(registry, "second")
    source = account.source()
    assert (await source.put(b"content")).status == 201
    assert (await arm.delete(path)).status == 202

    async def is_gone() -> bool:
        return (await source.get()).status == 404

    with working(registry, {DELETION: WORKFLOWS[DELETION]}):
        await until(is_gone)
    assert refusal(await source.put(b"more")) == (404, "BlobNotFound")
    assert registry.query(queries.due_keys, account.store.name, registry.clock() + timedelta(days=9999), 10) == [
        *keys(account)
    ]
