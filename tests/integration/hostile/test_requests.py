"""Requests drawn at random, most parts of them as they should be, so that the odd part is reached."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from tests.content import OCI_INDEX, OCI_MANIFEST, an_image, an_index, digest_of
from tests.examples import TIMES, examples
from tests.registry import Registry, started
from tests.wire import basic

from entrepot.gate.problems import WORDINGS
from entrepot.settings import Settings

IMAGE = an_image()
INDEX = an_index([IMAGE])
ODD = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=20)
GOOD = st.sampled_from(
    [
        *("app", "team/app", "v1", IMAGE.digest, digest_of(b""), digest_of(b"", "sha512"), "0" * 32, "sha256"),
        *("0", "1", "-1", "*", "9" * 19, "9" * 400, "pull", "registry:catalog:*", "repository:app:pull"),
        *("localhost:5000", ""),
    ]
)
VALUE = GOOD | ODD | st.text(max_size=10).map(quote)
PATHS = (
    *("/v2/", "/v2/{}/manifests/{}", "/v2/{}/blobs/{}", "/v2/{}/blobs/uploads/", "/v2/{}/blobs/uploads/{}"),
    *("/v2/_catalog", "/v2/{}/tags/list", "/v2/{}/referrers/{}", "/oauth2/token", "/{}"),
)
QUERY_NAMES = ("n", "last", "digest", "mount", "from", "tag", "artifactType", "digest-algorithm", "scope", "service")
HEADERS = {
    "accept": st.sampled_from([OCI_MANIFEST, OCI_INDEX, "*/*", "text/plain;q=0.1, */*;q=0"]) | ODD,
    "content-type": st.sampled_from([OCI_MANIFEST, OCI_INDEX, "application/json", "x/y; charset=z"]) | ODD,
    "range": st.sampled_from(["bytes=0-0", "bytes=-1", "bytes=5-", "bytes=0-0,2-2", "bytes=" + "9" * 30 + "-"]) | ODD,
    "content-range": st.sampled_from(["0-0", "0-9", "bytes 0-9/10", "9" * 19 + "-" + "9" * 19]) | ODD,
    "content-length": st.sampled_from(["0", "1", "9" * 18, "9" * 400, "1e3", "-1", " 1"]) | ODD,
    "if-none-match": VALUE,
    "if-range": VALUE,
    "host": st.sampled_from(["localhost:5000", "local.entrepot.localhost", "[::1]", "second.entrepot.localhost"]) | ODD,
    "authorization": st.just(basic("the-owner", "wrong")) | st.just("Bearer a.b.c") | ODD,
}


@dataclass(frozen=True)
class Request:
    """What stands on the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None


@st.composite
def requests(draw: st.DrawFn) -> Request:
    path = draw(st.sampled_from(PATHS))
    names = (draw(st.sampled_from(["app", "team/app"]) | VALUE), draw(VALUE))
    pairs = draw(st.lists(st.tuples(st.sampled_from(QUERY_NAMES) | ODD, VALUE), max_size=3))
    query = "&".join(f"{name}={value}" for name, value in pairs)
    chosen: dict[str, Any] = {
        name: draw(HEADERS[name]) for name in draw(st.sets(st.sampled_from(list(HEADERS)), max_size=3))
    }
    body = draw(st.none() | st.sampled_from([b"", b"{}", IMAGE.body, INDEX.body]) | st.binary(max_size=40))
    method = draw(st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "get", "X"]))
    return Request(method, path.format(*names) + (f"?{query}" if pairs else ""), chosen, body)


@pytest.mark.timeout(120 * TIMES)
def test_whatever_is_asked_the_registry_answers_at_once_and_in_its_own_words(settings: Settings) -> None:
    """The client fails on a status of 500 by itself, and on an answer that breaks the protocol."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        life = AsyncExitStack()
        registry = runner.run(life.enter_async_context(started(settings)))
        runner.run(_filled(registry))

        @examples(400)
        @given(requests())
        def each(request: Request) -> None:
            runner.run(_assert_answered(registry, request))

        try:
            each()
        finally:
            runner.run(life.aclose())


async def _filled(registry: Registry) -> None:
    app = registry.repository("app")
    await app.push(IMAGE, "v1")
    await app.put(INDEX, "all")
    await app.push_blob(b"")


async def _assert_answered(registry: Registry, request: Request) -> None:
    begun = time.perf_counter()
    answer = await registry.http.send(request.method, request.target, request.headers, request.body)
    assert time.perf_counter() - begun < 5
    assert len(answer.get("x-request-id") or "") > 0
    if answer.status < 400:
        return
    known = {(wording.status, wording.code) for wording in WORDINGS.values()}
    assert answer.status in {status for status, _ in known}
    assert answer.status < 500, "nothing here takes the registry's storage away"
    if request.method != "HEAD":
        assert (answer.status, answer.code) in known
        assert len(answer.body) < 4096
