"""Logs of runs as server-sent events: as they come, again from where they were, to their end."""

import asyncio
import json

import pytest
from tests.integration.tasks.storage.account import Account, Log
from tests.wire import Answer

from entrepot.tasks.storage import following
from entrepot.tasks.storage.following import decoded

EVENTS = "text/event-stream"
Event = tuple[str, int, dict[str, str]]


def events_of(answer: Answer) -> list[Event]:
    """Name, id and content of each."""
    assert (answer.status, answer["content-type"]) == (200, EVENTS), answer
    found: list[Event] = []
    for block in answer.body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            found.append((fields["event"], int(fields["id"]), json.loads(fields["data"])))
    return found


async def followed(log: Log, last: str = "") -> Answer:
    more = {"last_event_id": last} if last else {}
    return await log.get(accept=EVENTS, **more)


async def test_a_log_comes_as_it_grows_and_ends_with_how_the_run_ended(account: Account) -> None:
    log = account.log()
    log.write(b"one\r\n")
    answer = asyncio.ensure_future(followed(log))
    await asyncio.sleep(0)
    log.write("zwei ü\r50 %\r\n".encode())
    log.finish("Failed")
    found = events_of(await answer)
    assert "".join(content.get("text", "") for _, _, content in found) == "one\r\nzwei ü\r50 %\r\n"
    length = len("one\r\nzwei ü\r50 %\r\n".encode())
    assert found[-1] == ("end", length, {"status": "Failed"})
    assert found[-2][1] == length


async def test_a_client_goes_on_after_the_event_that_it_had_last(account: Account) -> None:
    log = account.log()
    log.write(b"first second")
    log.finish("Succeeded")
    found = events_of(await followed(log, "6"))
    assert found == [("log", 12, {"text": "second"}), ("end", 12, {"status": "Succeeded"})]
    # Whoever has all of it is told not to come again.
    assert (await followed(log, "12")).status == 204


async def test_a_log_that_has_become_a_file_comes_as_events_too(account: Account) -> None:
    log, content = account.log(), b"line\r\n" * 100_000
    log.write(content)
    log.finish("Succeeded")
    log.become_a_file(content)
    found = events_of(await followed(log))
    assert "".join(text.get("text", "") for _, _, text in found).encode() == content


async def test_an_answer_ends_after_a_while_and_says_meanwhile_that_it_lives(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_SECONDS", 0.3)
    monkeypatch.setattr(following, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(following, "_KEEP_ALIVE_SECONDS", 0.1)
    answer = await followed(account.log())
    assert events_of(answer) == []
    assert b": nothing new" in answer.body


async def test_no_more_logs_are_followed_than_are_permitted(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "STREAMS", 0)
    assert (await followed(account.log())).status == 429


@pytest.mark.parametrize("last", ["-1", "x", "1" * 30])
async def test_what_is_no_id_of_an_event_is_refused(account: Account, last: str) -> None:
    assert (await followed(account.log(), last)).status == 400


async def test_only_who_has_the_link_follows_a_log(account: Account) -> None:
    target = account.log().target
    answer = await account.registry.nobody.get(target.partition("?")[0], {"accept": EVENTS})
    assert answer.status == 403


def test_a_character_that_is_cut_waits_for_its_rest() -> None:
    content = "aü".encode()
    assert decoded(content[:2], is_end=False) == ("a", 1)
    assert decoded(content[:2], is_end=True) == ("a\ufffd", 2)
    assert decoded(content, is_end=False) == ("aü", 3)
