"""Locking and unlocking through /acr/v1, and what a lock refuses on both surfaces. Spec: ACR-REFERENCE 8.3."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from tests.content import an_image, an_index, digest_of
from tests.integration.rows import events_of
from tests.registry import FakeClock, Registry, Repository
from tests.wire import Answer

IMAGE, NEWER = an_image("locked"), an_image("newer")
SPARE = digest_of(b"spare")
PATHS = {
    "repository": "/acr/v1/app",
    "tag": "/acr/v1/app/_tags/v1",
    "manifest": f"/acr/v1/app/_manifests/{IMAGE.digest}",
}
ATTRIBUTES = ("deleteEnabled", "writeEnabled", "readEnabled", "listEnabled")


@pytest.fixture
async def pushed(app: Repository) -> Repository:
    return await filled(app)


async def filled(app: Repository) -> Repository:
    """With an image tagged v1 and the blobs of another."""
    await app.push(IMAGE, "v1")
    for content in NEWER.blobs.values():
        await app.push_blob(content)
    return app


async def set_to(app: Repository, what: str, **attributes: bool) -> Answer:
    path = PATHS[what].replace("/app", f"/{app.name}")
    answer = await app.http.patch(path, json.dumps(attributes).encode())
    assert answer.status == 200, answer.body
    return answer


def attributes_in(answer: Answer) -> dict[str, bool]:
    document = answer.json()
    return document.get("tag", document.get("manifest", document))["changeableAttributes"]


def disallowed(answer: Answer) -> bool:
    return (answer.status, answer.code) == (405, "REGISTRY_DISALLOWED_OPERATION")


@pytest.mark.parametrize("what", PATHS)
async def test_an_attribute_is_set_alone_and_set_back(pushed: Repository, what: str) -> None:
    everything = dict.fromkeys(ATTRIBUTES, True)
    for attribute in ATTRIBUTES:
        answer = await set_to(pushed, what, **{attribute: False})
        assert attributes_in(answer) == {**everything, attribute: False}
        assert (await pushed.http.get(PATHS[what])).json() == answer.json()
        for other in PATHS.keys() - {what}:
            assert attributes_in(await pushed.http.get(PATHS[other])) == everything
        assert attributes_in(await set_to(pushed, what, **{attribute: True})) == everything


@pytest.mark.parametrize("what", PATHS)
async def test_nothing_forbids_to_change_attributes_and_they_move_no_time(
    pushed: Repository, clock: FakeClock, what: str
) -> None:
    before = [(await pushed.http.get(path)).json() for path in PATHS.values()]
    clock.advance(hours=1)
    await set_to(pushed, "repository", writeEnabled=False, deleteEnabled=False, readEnabled=False, listEnabled=False)
    await set_to(pushed, what, **dict.fromkeys(ATTRIBUTES, False))
    await set_to(pushed, what, **dict.fromkeys(ATTRIBUTES, True))
    await set_to(pushed, "repository", **dict.fromkeys(ATTRIBUTES, True))
    assert [(await pushed.http.get(path)).json() for path in PATHS.values()] == before


@pytest.mark.parametrize("what", PATHS)
async def test_a_change_of_attributes_is_an_event_and_none_is_not(
    pushed: Repository, registry: Registry, what: str
) -> None:
    before = len(registry.query(lambda tx: events_of(tx, "app")))
    assert (await pushed.http.patch(PATHS[what], b"{}")).status == 200
    await set_to(pushed, what, writeEnabled=False)
    first, *more = registry.query(lambda tx: events_of(tx, "app"))[before:]
    assert (first.action, first.sequence, more) == ("update", before + 1, [])
    named = {"repository": {}, "tag": {"tag": "v1"}, "manifest": {"digest": IMAGE.digest}}[what]
    assert json.loads(first.body) == {"attributes": {"write_enabled": False}, **named}


async def test_text_is_taken_for_what_it_says(pushed: Repository) -> None:
    answer = await pushed.http.patch(PATHS["tag"], b'{"writeEnabled":"false","deleteEnabled":"True"}')
    assert attributes_in(answer) == {**dict.fromkeys(ATTRIBUTES, True), "writeEnabled": False}


@pytest.mark.parametrize("what", PATHS)
async def test_a_body_that_is_refused_changes_nothing(pushed: Repository, what: str) -> None:
    before = (await pushed.http.get(PATHS[what])).json()
    for body in (b"", b'{"writeEnabled":false,"typo":true}', b'{"writeEnabled":false,"readEnabled":0}', b"[" * 9_000):
        answer = await pushed.http.patch(PATHS[what], body)
        assert (answer.status, answer.code) == (400, "UNSUPPORTED")
    assert (await pushed.http.patch(PATHS[what], b" " * 20_000)).status == 413
    assert (await pushed.http.get(PATHS[what])).json() == before


# --- what a lock refuses ----------------------------------------------------------------------------------------------

Change = Callable[[Repository], Awaitable[Answer]]
CHANGES: dict[str, Change] = {
    "push the tag": lambda app: app.put(NEWER, "v1"),
    "push the same manifest under another tag": lambda app: app.put(IMAGE, "v2"),
    "push the same manifest again": lambda app: app.put(IMAGE),
    "push another manifest": lambda app: app.put(NEWER),
    "untag": lambda app: app.http.delete(f"/acr/v1/{app.name}/_tags/v1"),
    "untag on /v2": lambda app: app.http.delete(app.path("manifests/v1")),
    "delete the manifest": lambda app: app.http.delete(app.path(f"manifests/{IMAGE.digest}")),
    "delete the repository": lambda app: app.http.delete(f"/acr/v1/{app.name}"),
    "begin an upload": lambda app: app.http.post(app.path("blobs/uploads/")),
    "push a blob": lambda app: app.http.post(app.path(f"blobs/uploads/?digest={SPARE}"), b"spare"),
    "mount a blob": lambda app: app.http.post(app.path(f"blobs/uploads/?from=source&mount={SPARE}")),
    "delete a blob": lambda app: app.http.delete(app.path(f"blobs/{next(iter(NEWER.blobs))}")),
}
LOCKS: dict[tuple[str, str], set[str]] = {
    ("repository", "writeEnabled"): set(CHANGES),
    ("repository", "deleteEnabled"): {"delete the repository"},
    ("tag", "writeEnabled"): {
        "push the tag",
        "untag",
        "untag on /v2",
        "delete the manifest",
        "delete the repository",
    },
    ("tag", "deleteEnabled"): {"untag", "untag on /v2", "delete the manifest", "delete the repository"},
    ("manifest", "writeEnabled"): {
        "push the same manifest under another tag",
        "push the same manifest again",
        "delete the manifest",
        "delete the repository",
    },
    ("manifest", "deleteEnabled"): {"delete the manifest", "delete the repository"},
}


@pytest.mark.parametrize("lock", LOCKS, ids=" ".join)
async def test_a_lock_refuses_its_changes_and_no_others(registry: Registry, lock: tuple[str, str]) -> None:
    await registry.repository("source").push_blob(b"spare")
    what, attribute = lock
    for number, change in enumerate(CHANGES):
        app = await filled(registry.repository(f"app{number}"))
        await set_to(app, what, **{attribute: False})
        answer = await CHANGES[change](app)
        assert disallowed(answer) is (change in LOCKS[lock]), (change, answer.status, answer.body)
        if change in LOCKS[lock]:
            assert (await app.manifest("v1")).body == IMAGE.body
            await set_to(app, what, **{attribute: True})
            answer = await CHANGES[change](app)
        assert answer.status in {201, 202}, change


async def test_no_push_slips_past_a_lock_that_was_acknowledged(app: Repository) -> None:
    await app.put(an_index(), "v1")
    at_lock: list[str] = []

    async def lock() -> None:
        await set_to(app, "tag", writeEnabled=False)
        at_lock.append((await app.http.get(PATHS["tag"])).json()["tag"]["digest"])

    async with asyncio.TaskGroup() as clients:
        for number in range(30):
            clients.create_task(app.put(an_index(annotations={"number": f"{number}"}), "v1"))
            if number == 15:
                clients.create_task(lock())
    assert [(await app.http.get(PATHS["tag"])).json()["tag"]["digest"]] == at_lock


async def test_one_locked_manifest_keeps_its_whole_repository(pushed: Repository) -> None:
    await pushed.put(NEWER, "v2")
    await set_to(pushed, "manifest", deleteEnabled=False)
    answer = await pushed.http.delete("/acr/v1/app")
    assert (disallowed(answer), answer.detail) == (True, {"digest": IMAGE.digest})
    assert (await pushed.http.get("/acr/v1/app")).json()["manifestCount"] == 2
    assert (await pushed.manifest("v2")).body == NEWER.body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_content_that_may_not_be_read_is_told_of_and_not_given(
    pushed: Repository, registry: Registry, method: str
) -> None:
    layer = next(iter(IMAGE.blobs))
    await set_to(pushed, "repository", readEnabled=False)
    for target in ("manifests/v1", f"manifests/{IMAGE.digest}", f"blobs/{layer}"):
        assert (await pushed.http.send(method, pushed.path(target))).status == 405
    for path in PATHS.values():
        assert (await pushed.http.get(path)).status == 200


async def test_a_blob_that_may_not_be_read_is_not_mounted_elsewhere(pushed: Repository, registry: Registry) -> None:
    layer = next(iter(IMAGE.blobs))
    other = registry.repository("other")
    await set_to(pushed, "repository", readEnabled=False)
    for query in (f"?mount={layer}&from=app", f"?mount={layer}"):
        assert (await other.http.post(other.path(f"blobs/uploads/{query}"))).status == 202
    assert not await other.has_blob(layer)
    await set_to(pushed, "repository", readEnabled=True)
    assert (await other.http.post(other.path(f"blobs/uploads/?mount={layer}&from=app"))).status == 201
