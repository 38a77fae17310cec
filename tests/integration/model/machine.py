"""Steps in any order against the real application and the oracle, which must agree after each.

Hypothesis' machines are synchronous, so each one owns an event loop and the application's life on it. There is one
rule, which draws steps by their weight: with a rule for each, Hypothesis leaves most of them out of most runs, and what
is to be found here takes several kinds of steps on one thing.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import uvloop
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from sqlalchemy import update
from tests.content import Manifest, digest_of
from tests.integration.deleting import expire, finish_deletions
from tests.integration.model.looking import Looking
from tests.integration.model.oracle import Oracle, Said, Session
from tests.integration.model.universe import BLOBS, MANIFESTS, OFTEN_BLOBS, OFTEN_MANIFESTS, REPOSITORIES, TAGS
from tests.integration.rows import set_bytes_limit
from tests.registry import FakeClock, Upload, started
from tests.wire import Answer

from entrepot.app.parts import open_content
from entrepot.app.upkeep import waits_of
from entrepot.db.tables import registry
from entrepot.retention.collect import Collector, Site
from entrepot.retention.sweep import Sweeper
from entrepot.settings import Settings

T = TypeVar("T")
S = TypeVar("S")

RATE: Final = 1_000_000
FULL: Final = "REGISTRY_DISALLOWED_OPERATION"
# For so long what was deleted can be restored.
DAYS: Final = timedelta(days=1)
# Longer than ten minutes: a session's row is not touched more often than that. Some add up to a day, some are one.
HOURS: Final = st.sampled_from([0.5, 1, 20, 20, 25, 25])
REPOSITORY: Final = st.sampled_from(REPOSITORIES)
DIGEST: Final = st.sampled_from(OFTEN_BLOBS) | st.sampled_from(list(BLOBS))
KEY: Final = st.sampled_from(OFTEN_MANIFESTS) | st.sampled_from(list(MANIFESTS))
TAG: Final = st.sampled_from(TAGS)
WAY: Final = st.sampled_from(["post", "put", "chunks"])
# Which of the things that are there.
PICK: Final = st.integers(0, 20)

# How many bytes a limit leaves: at times it is passed already. Mostly there is none, so that steps do something.
ROOM: Final = st.sampled_from([None, None, None, None, -1, 0, 500, 2000])

# How often, and with what. A step that finds nothing to do costs nothing.
STEPS: Final[Mapping[str, tuple[int, Mapping[str, st.SearchStrategy[Any]]]]] = {
    "push_a_blob": (3, {"name": REPOSITORY, "digest": DIGEST, "way": WAY}),
    "push_a_blob_as_another": (1, {"name": REPOSITORY, "digest": DIGEST, "other": DIGEST, "way": WAY}),
    "mount_a_blob": (2, {"name": REPOSITORY, "digest": DIGEST, "source": st.none() | REPOSITORY}),
    "delete_a_blob": (1, {"name": REPOSITORY, "digest": DIGEST}),
    "delete_a_blob_that_is_there": (2, {"pick": PICK}),
    "use_a_condemned_blob": (
        8,
        {"pick": PICK, "use": st.sampled_from(["push", "mount it", "mount over it", "delete"])},
    ),
    "open_an_upload": (2, {"name": REPOSITORY, "digest": DIGEST}),
    "append_to_an_upload": (3, {"pick": PICK}),
    "end_an_upload": (2, {"pick": PICK, "ending": st.sampled_from(["close", "wrong order", "wrong digest", "cancel"])}),
    "push_a_manifest": (3, {"name": REPOSITORY, "key": KEY, "tags": st.sets(TAG), "by_tag": st.none() | TAG}),
    "push_an_image_as_docker_does": (3, {"name": REPOSITORY, "key": KEY, "tag": TAG}),
    "delete_a_tag": (1, {"name": REPOSITORY, "tag": TAG}),
    "delete_a_manifest": (1, {"name": REPOSITORY, "key": KEY}),
    "delete_a_manifest_that_is_there": (2, {"pick": PICK}),
    "delete_a_repository": (1, {"name": REPOSITORY}),
    "a_limit_is_set": (3, {"room": ROOM}),
    "soft_delete_is_switched": (2, {"on": st.sampled_from([True, True, False])}),
    "restore_something": (6, {"name": REPOSITORY, "pick": PICK, "tagged": st.booleans(), "force": st.booleans()}),
    "restore_a_repository": (2, {"name": REPOSITORY, "force": st.booleans()}),
    "what_was_deleted_expires": (1, {}),
    "time_passes": (1, {"hours": HOURS}),
    "time_passes_and_garbage_is_collected": (5, {"hours": HOURS}),
    "the_store_is_swept": (1, {}),
}


@dataclass(frozen=True)
class Step:
    """Printed as the call that it is."""

    what: str
    arguments: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"{self.what}({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"


def _arguments(what: str) -> st.SearchStrategy[Step]:
    return st.fixed_dictionaries(dict(STEPS[what][1])).map(lambda arguments: Step(what, arguments))


steps = st.sampled_from([what for what, (weight, _) in STEPS.items() for _ in range(weight)]).flatmap(_arguments)


class RegistryMachine(RuleBasedStateMachine):
    """One registry, from empty to whatever the steps make of it."""

    def __init__(self, catalog: Callable[[], AbstractContextManager[Settings]]) -> None:
        super().__init__()
        self._failed = False
        self._stack = ExitStack()
        settings = self._stack.enter_context(catalog())
        self._runner = self._stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        # Now, because the files that the store makes have the machine's time.
        self._clock = FakeClock(datetime.now(UTC))
        self._oracle = Oracle(self._clock.now)
        self._life = AsyncExitStack()
        self._registry = self._runner.run(self._life.enter_async_context(started(settings, self._clock)))
        store = open_content(settings)
        self._site = Site(self._registry.database, store, waits_of(settings), RATE, self._clock, lambda _: None)
        self._look = Looking(self._registry, store, self._oracle)

    @rule(step=steps)
    def step(self, step: Step) -> None:
        try:
            self._runner.run(self._take(step))
        except BaseException:
            self._failed = True
            raise

    async def _take(self, step: Step) -> None:
        work: Coroutine[None, None, None] = getattr(self, step.what)(**step.arguments)
        await work

    def teardown(self) -> None:
        try:
            if not self._failed:
                self._runner.run(self._end())
        finally:
            self._runner.run(self._life.aclose())
            self._stack.close()

    async def _end(self) -> None:
        await self._look.at_everything()
        for hours in (25, 2, 2, 2):
            await self.time_passes(hours)
            self._collect()
        await self._look.at_everything()
        self._look.at_what_is_stored()

    # --- blobs --------------------------------------------------------------------------------------------------------

    async def push_a_blob(self, name: str, digest: str, way: str) -> None:
        answer = await self._send(name, BLOBS[digest], digest, way)
        assert answer.status == self._oracle.push_blob(name, digest), answer.body
        assert answer.code in {None, FULL}
        await self._look.at_blob(name, digest)

    async def push_a_blob_as_another(self, name: str, digest: str, other: str, way: str) -> None:
        if digest != other:
            assert (await self._send(name, BLOBS[digest], other, way)).status == Said.REFUSED
            await self._look.at_blob(name, digest)
            await self._look.at_blob(name, other)

    async def _send(self, name: str, content: bytes, digest: str, way: str) -> Answer:
        repository = self._registry.repository(name)
        if way == "post":
            return await repository.http.post(repository.path(f"blobs/uploads/?digest={digest}"), content)
        upload = await repository.start()
        if way == "put":
            answer = await upload.close(digest, content)
        else:
            half = len(content) // 2
            assert (await upload.append(content[:half])).status == Said.ACCEPTED
            assert (await upload.append(iter([content[half:]]))).status == Said.ACCEPTED
            answer = await upload.close(digest)
        if answer.status != Said.MADE:
            await upload.cancel()  # one without bytes lives on after a wrong digest
        return answer

    async def mount_a_blob(self, name: str, digest: str, source: str | None) -> None:
        """Without a source the registry looks for one."""
        query = f"?mount={digest}" + (f"&from={source}" if source else "")
        candidates = [source] if source else [*REPOSITORIES]
        expected = next(filter(self._oracle.can_give(digest), candidates), None)
        repository = self._registry.repository(name)
        answer = await repository.http.post(repository.path("blobs/uploads/") + query)
        if expected is None:
            assert answer.status == Said.ACCEPTED
            assert (await Upload(repository.http, answer["location"]).cancel()).status == 204
        else:
            assert answer.status == Said.MADE
            self._oracle.link(name, digest)
        await self._look.at_blob(name, digest)

    async def delete_a_blob(self, name: str, digest: str) -> None:
        await self._delete(name, f"blobs/{digest}", self._oracle.delete_blob(name, digest))
        await self._look.at_blob(name, digest)

    async def delete_a_blob_that_is_there(self, pick: int) -> None:
        held = self._oracle.repositories.items()
        if (chosen := _picked([(name, blob) for name, one in held for blob in one.links], pick)) is not None:
            await self.delete_a_blob(*chosen)

    async def use_a_condemned_blob(self, pick: int, use: str) -> None:
        """What other steps do too, and would seldom do just then."""
        if (chosen := _picked(self._oracle.condemned, pick)) is None:
            return
        name, digest = chosen
        match use:
            case "push":
                await self.push_a_blob(name, digest, "post")
            case "mount it":
                await self.mount_a_blob(_other(name), digest, name)
            case "mount over it":
                await self.mount_a_blob(name, digest, _other(name))
            case _:
                await self.delete_a_blob(name, digest)

    # --- upload sessions ----------------------------------------------------------------------------------------------

    async def open_an_upload(self, name: str, digest: str) -> None:
        upload = await self._registry.repository(name).start()
        content = BLOBS[digest]
        third = len(content) // 3
        assert (await upload.append(content[:third])).status == Said.ACCEPTED
        self._oracle.sessions.append(Session(name, upload.location, content, third, self._clock.now))

    async def append_to_an_upload(self, pick: int) -> None:
        if (session := self._session(pick)) is None:
            return
        stop = session.received + len(session.content) // 3
        answer = await self._upload(session).append(session.content[session.received : stop])
        self._expect(answer, session, Said.ACCEPTED)
        session.received = min(stop, len(session.content))
        session.touched_at = self._clock.now

    async def end_an_upload(self, pick: int, ending: str) -> None:
        """An upload that has ended, in whatever way, is unknown from then on."""
        if (session := self._session(pick)) is None:
            return
        upload, rest = self._upload(session), session.content[session.received :]
        match ending:
            case "close":
                answer = await upload.close(digest_of(session.content), rest)
                is_open, session.is_open = session.is_open, False
                expected = self._oracle.push_blob(*session.blob) if is_open else Said.UNKNOWN
                assert answer.status == expected, answer.body
            case "wrong order":
                where = session.received + 7
                answer = await upload.append(b"x", {"content-range": f"{where}-{where}"})
                self._expect(answer, session, 416)
            case "wrong digest":
                self._expect(await upload.close(digest_of(b"something else"), rest), session, Said.REFUSED)
                session.is_open &= not session.content
            case _:
                self._expect(await upload.cancel(), session, 204)
                session.is_open = False
        await self._look.at_blob(session.repository, digest_of(session.content))

    def _session(self, pick: int) -> Session | None:
        return _picked(self._oracle.open_sessions or self._oracle.sessions, pick)

    def _upload(self, session: Session) -> Upload:
        return Upload(self._registry.http, session.location)

    def _expect(self, answer: Answer, session: Session, status: int) -> None:
        assert answer.status == (status if session.is_open else Said.UNKNOWN), answer.body

    # --- manifests and tags -------------------------------------------------------------------------------------------

    async def push_a_manifest(self, name: str, key: str, tags: set[str], by_tag: str | None) -> None:
        manifest, chosen = MANIFESTS[key], tuple(sorted(tags))
        expected = self._oracle.push(name, manifest, (*chosen, by_tag) if by_tag else chosen)
        answer = await self._registry.repository(name).put(manifest, by_tag, *chosen)
        assert answer.status == expected, answer.body
        assert answer.code in {None, "MANIFEST_BLOB_UNKNOWN", FULL}
        await self._look.at_manifest(name, manifest)
        await self._look.at_tags(name)

    async def push_an_image_as_docker_does(self, name: str, key: str, tag: str) -> None:
        """Blobs that are there already are not sent again."""
        repository = self._registry.repository(name)
        for digest in MANIFESTS[key].blobs:
            if not await repository.has_blob(digest):
                await self.push_a_blob(name, digest, "put")
        await self.push_a_manifest(name, key, set(), tag)

    async def delete_a_tag(self, name: str, tag: str) -> None:
        await self._delete(name, f"manifests/{tag}", self._oracle.untag(name, tag))
        await self._look.at_tags(name)

    async def delete_a_manifest(self, name: str, key: str) -> None:
        await self._delete_manifest(name, MANIFESTS[key])

    async def delete_a_manifest_that_is_there(self, pick: int) -> None:
        held = self._oracle.repositories.items()
        there = [(name, manifest) for name, one in held for manifest in one.manifests.values()]
        if (chosen := _picked(there, pick)) is not None:
            await self._delete_manifest(*chosen)

    async def _delete_manifest(self, name: str, manifest: Manifest) -> None:
        expected = self._oracle.delete_manifest(name, manifest.digest)
        await self._delete(name, f"manifests/{manifest.digest}", expected)
        await self._look.at_manifest(name, manifest)
        await self._look.at_tags(name)

    async def delete_a_repository(self, name: str) -> None:
        expected, manifests, tags = self._oracle.delete_repository(name)
        answer = await self._registry.http.delete(f"/acr/v1/{name.replace('/', '%2F')}")
        assert answer.status == expected, answer.body
        if answer.status == Said.ACCEPTED:
            assert answer.json() == {"manifestsDeleted": manifests, "tagsDeleted": tags or None}
            finish_deletions(self._registry)
        await self._look.at_tags(name)

    # --- quota --------------------------------------------------------------------------------------------------------

    async def a_limit_is_set(self, room: int | None) -> None:
        """Below what is there it takes nothing away."""
        self._oracle.set_limit(room)
        self._registry.query(lambda tx: set_bytes_limit(tx, self._oracle.limit))

    # --- undo ---------------------------------------------------------------------------------------------------------

    async def soft_delete_is_switched(self, on: bool) -> None:
        values = {"soft_delete": on, "soft_delete_days": DAYS.days}
        self._registry.query(lambda tx: tx.execute(update(registry).values(**values)))
        self._oracle.is_soft = on

    async def restore_something(self, name: str, pick: int, tagged: bool, force: bool) -> None:
        """A manifest, or a tag with its manifest."""
        oracle = self._oracle
        tags = sorted(oracle.deleted_tags(name)) if tagged else []
        chosen = _picked(tags or [(None, digest) for digest in oracle.deleted_manifests(name)], pick)
        if chosen is None:
            return
        tag, digest = chosen
        expected = oracle.restore(name, digest, tag, force=force)
        target = f"/acr/v1/_deleted/{name}/_manifests/{digest}?force={force}"
        answer = await self._registry.http.post(target, json.dumps({"tag": tag}).encode())
        assert answer.status == expected, answer.body
        finish_deletions(self._registry)
        await self._look.at_everything()

    async def restore_a_repository(self, name: str, force: bool) -> None:
        expected = self._oracle.restore_repository(name, force=force)
        answer = await self._registry.http.post(f"/acr/v1/_deleted/{name}?force={force}")
        assert answer.status == expected, answer.body
        finish_deletions(self._registry)
        await self._look.at_everything()

    async def what_was_deleted_expires(self) -> None:
        expire(self._registry)
        self._oracle.expire(DAYS)
        await self._look.at_everything()

    async def _delete(self, name: str, rest: str, expected: Said) -> None:
        repository = self._registry.repository(name)
        answer = await repository.http.delete(repository.path(rest))
        assert answer.status == expected, answer.body

    # --- time ---------------------------------------------------------------------------------------------------------

    async def time_passes(self, hours: float) -> None:
        self._clock.advance(hours=hours)
        self._oracle.now = self._clock.now

    async def time_passes_and_garbage_is_collected(self, hours: float) -> None:
        await self.time_passes(hours)
        self._collect()
        await self._look.at_everything()

    async def the_store_is_swept(self) -> None:
        Sweeper(self._site).sweep(lambda: False)
        await self._look.at_everything()

    def _collect(self) -> None:
        Collector(self._site).collect(lambda: False, lambda _: None)
        self._oracle.collect()


def _picked(things: Sequence[S], pick: int) -> S | None:
    return things[pick % len(things)] if things else None


def _other(name: str) -> str:
    return next(other for other in REPOSITORIES if other != name)
