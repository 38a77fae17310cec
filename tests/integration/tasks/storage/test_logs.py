"""Logs of runs as az reads them: while they grow, at their end, and from the file that they become."""

from datetime import timedelta

import pytest
from sqlalchemy import delete
from tests.integration.tasks.storage.account import Account
from tests.wire import Answer

from entrepot.catalog.files.blocks import remove_file
from entrepot.db.task_tables import task_log, task_run
from entrepot.errors import Kind, Problem
from entrepot.tasks.storage.links import log_url
from entrepot.tasks.storage.reading import log_bytes
from entrepot.web.ranges import ByteRange

MINUTES = timedelta(minutes=70)


def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, answer["x-ms-error-code"]


async def test_a_log_is_not_there_until_its_first_byte(account: Account):
    log = account.log()
    for answer in (await log.head(), await log.get()):
        assert refusal(answer) == (404, "BlobNotFound")
    log.write(b"first\r\n")
    answer = await log.head()
    assert (answer.status, answer["content-length"], answer.get("x-ms-meta-complete")) == (200, "7", None)
    assert answer["content-type"] == "text/plain; charset=utf-8"


async def test_a_client_reads_a_growing_log_piece_by_piece(account: Account):
    log, read = account.log(), b""
    for number in range(4):
        log.write(b"line %d\r\n" % number)
        length = int((await log.head())["content-length"])
        while len(read) < length:
            answer = await log.get(x_ms_range=f"bytes={len(read)}-{len(read) + 4}")
            assert (answer.status, answer["content-range"]) == (
                206,
                f"bytes {len(read)}-{min(len(read) + 4, length - 1)}/{length}",
            )
            read += answer.body
    assert read == b"line 0\r\nline 1\r\nline 2\r\nline 3\r\n"
    assert (await log.get()).body == read


async def test_a_range_that_has_not_come_yet_is_refused(account: Account):
    log = account.log()
    log.write(b"12345")
    answer = await log.get(x_ms_range="bytes=5-4100")
    assert (*refusal(answer), answer["content-range"]) == (416, "InvalidRange", "bytes */5")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("Succeeded", "successful"),
        ("Failed", "failed"),
        ("Canceled", "canceled"),
        ("Error", "internalerror"),
        ("Timeout", "timedout"),
    ],
)
async def test_the_end_tells_how_the_run_ended_with_the_whole_length(account: Account, status: str, said: str):
    log = account.log()
    log.write(b"all of it")
    log.finish(status)
    answer = await log.head()
    assert (answer["content-length"], answer["x-ms-meta-complete"]) == ("9", said)


async def test_a_log_without_a_byte_is_there_once_its_run_has_ended(account: Account):
    log = account.log()
    log.finish("Canceled")
    answer = await log.head()
    assert (answer.status, answer["content-length"], answer["x-ms-meta-complete"]) == (200, "0", "canceled")
    assert (await log.get()).body == b""


async def test_a_log_that_has_become_a_file_reads_the_same(account: Account):
    log, content = account.log(), bytes(range(256)) * 5000
    for start in range(0, len(content), 100_000):
        log.write(content[start : start + 100_000])
    log.finish("Succeeded")
    before = [await log.get(), await log.get(x_ms_range="bytes=99990-500000")]
    log.become_a_file(content)
    after = [await log.get(), await log.get(x_ms_range="bytes=99990-500000")]
    assert [(answer.status, answer.body) for answer in before] == [(answer.status, answer.body) for answer in after]
    assert before[0].body == content
    assert (await log.head())["x-ms-meta-complete"] == "successful"


async def test_a_log_that_becomes_a_file_while_it_is_read_is_read_to_its_end(account: Account):
    log, content = account.log(), bytes(range(256)) * 4000
    for start in range(0, len(content), 300_000):
        log.write(content[start : start + 300_000])
    chunks = log_bytes(account.registry.database, account.store, log.run, ByteRange(0, len(content)))
    first = next(chunks)
    log.become_a_file(content)
    assert first + b"".join(chunks) == content


async def test_a_log_whose_file_has_gone_is_gone(account: Account):
    log = account.log()
    log.write(b"all of it")
    log.finish("Succeeded")
    file = log.become_a_file(b"all of it")
    account.registry.query(remove_file, file, (), account.registry.clock())
    assert refusal(await log.head()) == (404, "BlobNotFound")


async def test_a_log_that_goes_while_it_is_read_never_ends_short(account: Account):
    log = account.log()
    log.write(b"x" * 300_000)
    chunks = log_bytes(account.registry.database, account.store, log.run, ByteRange(0, 300_000))
    next(chunks)
    account.registry.query(lambda tx: tx.execute(delete(task_log)))
    with pytest.raises(Problem) as refused:
        list(chunks)
    assert refused.value.kind is Kind.STORAGE_UNAVAILABLE


# --- who may ----------------------------------------------------------------------------------------------------------


async def test_a_link_is_good_for_seventy_minutes(account: Account):
    log = account.log()
    log.write(b"text")
    account.advance(MINUTES - timedelta(seconds=1))
    assert (await log.head()).status == 200
    account.advance(timedelta(seconds=1))
    assert refusal(await log.head()) == (403, "AuthenticationFailed")


async def test_a_link_opens_the_log_of_its_own_run_only(account: Account):
    mine, yours = account.log(1), account.log(2)
    yours.write(b"yours")
    path, query = yours.target.partition("?")[0], mine.target.partition("?")[2]
    assert refusal(await account.registry.nobody.get(f"{path}?{query}")) == (403, "AuthenticationFailed")


async def test_a_link_of_a_run_that_has_gone_opens_no_later_one_with_its_number(account: Account):
    first = account.log(1)
    first.write(b"first")
    account.registry.query(lambda tx: tx.execute(delete(task_run)))
    later = account.log(2)
    later.write(b"later")
    renumbered = task_run.update().where(task_run.c.id == later.run).values(id=first.run)
    account.registry.query(lambda tx: tx.execute(delete(task_log)))
    account.registry.query(lambda tx: tx.execute(renumbered))
    assert refusal(await first.head()) == (404, "BlobNotFound")


async def test_nobody_writes_a_log(account: Account):
    log = account.log()
    answer = await account.registry.nobody.put(log.target, b"mine", {"x-ms-blob-type": "BlockBlob"})
    assert refusal(answer) == (405, "UnsupportedHttpVerb")


@pytest.mark.parametrize("name", ["1.log", "x-ca1-1.log", f"{'0' * 32}-ca1-1.log", f"{'0' * 32}-ca1-{'9' * 30}.log"])
async def test_no_name_leads_to_another_log_even_signed(account: Account, name: str):
    account.log().write(b"text")
    path = f"/blob/logs/{name}"
    query = account.links.signer.query(path, "r", account.registry.clock() + MINUTES)
    assert refusal(await account.registry.nobody.get(f"{path}?{query}")) == (404, "BlobNotFound")


async def test_there_is_no_link_to_the_log_of_no_run(account: Account):
    with pytest.raises(Problem) as refused:
        account.registry.query(log_url, account.links, 4711, account.registry.clock())
    assert refused.value.kind is Kind.RESOURCE_UNKNOWN
