"""What broken and hostile clients send to /acr/v1 (issue 4, sections 5 and 7)."""

import time
from collections.abc import Iterator
from itertools import product
from urllib.parse import quote

import pytest
from tests.content import an_image
from tests.integration.rows import multiply_manifest
from tests.registry import Registry, Repository

IMAGE = an_image()
LISTS = ("/acr/v1/_catalog", "/acr/v1/app/_tags", "/acr/v1/app/_manifests")
NAMED = ("/acr/v1/app", "/acr/v1/app/_tags/v1", f"/acr/v1/app/_manifests/{IMAGE.digest}")


@pytest.fixture
async def pushed(app: Repository) -> Repository:
    await app.push(IMAGE, "v1")
    return app


@pytest.mark.parametrize(
    "name",
    [
        "App",
        "app//x",
        "app/",
        "/app",
        "..",
        "a/../b",
        "app%00",
        "a\u0301",
        "%41pp",
        "%61pp",
        "%FF",
        "%C0%AF",
        "a%ED%A0%80",
        "a%2F%2Fb",
    ],
)
async def test_a_name_against_the_grammar_is_refused_before_anything_is_asked(registry: Registry, name: str) -> None:
    for written in (quote(name, safe="/%"), quote(name, safe="%")):
        for rest in ("", "/_tags", "/_tags/v1", "/_manifests"):
            answer = await registry.nobody.get(f"/acr/v1/{written}{rest}")
            assert (answer.status, answer.code) == (400, "NAME_INVALID"), (written, rest)


async def test_a_name_is_unescaped_once(registry: Registry) -> None:
    assert (await registry.http.get("/acr/v1/team%252Fapp")).code == "NAME_INVALID"


@pytest.mark.parametrize(
    "path",
    [
        "/acr",
        "/acr/v1",
        "/acr/v1x",
        "/acr/v2/_catalog",
        "/acr/v1/",
        "/acr/v1/app/_streaming",
    ],
)
async def test_what_is_not_in_the_table_is_not_served(registry: Registry, path: str) -> None:
    assert (await registry.http.get(path)).status in {400, 404}


@pytest.mark.parametrize(
    "size",
    ["-1", "ten", "", "1.5", "0x10", "+5", "%D9%A3", "1%00", "9" * 19, "9" * 5000, "true", "null"],
    ids=lambda size: size[:12],
)
async def test_a_size_that_is_no_number_is_refused(pushed: Repository, size: str) -> None:
    for path in LISTS:
        answer = await pushed.http.get(f"{path}?n={size}")
        assert (answer.status, answer.code) == (400, "PAGINATION_NUMBER_INVALID")


@pytest.mark.parametrize(
    "orderby", ["time", "timeasc;DROP TABLE tag", "%00", "%F0%9F%93%A6", "x" * 50_000], ids=lambda orderby: orderby[:12]
)
async def test_an_order_that_is_none_is_refused(pushed: Repository, orderby: str) -> None:
    for path in LISTS:
        answer = await pushed.http.get(f"{path}?orderby={orderby}")
        assert answer.status == 400
        assert len(answer.body) < 1024


@pytest.mark.parametrize("last", ["%00", "a%00b", "%FF", "%C3%28"])
async def test_a_last_that_is_no_text_is_refused(pushed: Repository, last: str) -> None:
    for path in LISTS:
        assert (await pushed.http.get(f"{path}?last={last}")).status == 400


@pytest.mark.parametrize(
    "last",
    [
        "a\r\nset-cookie: b=c",
        "\n",
        "é",
        "\u2028",
        '"; rel="next',
        ">; <https://evil.example",
        "%",
        "' OR 1=1 --",
        "x" * 10_000,
    ],
    ids=lambda last: repr(last)[:24],
)
async def test_what_last_says_breaks_out_of_nothing(pushed: Repository, last: str) -> None:
    await pushed.put(IMAGE, "v2")
    orders = ("", "timeasc&at=0", "timedesc&at=99999999999999999", "timeasc&at=-1")
    for path, orderby in product(LISTS, orders):
        answer = await pushed.http.get(f"{path}?n=1&last={quote(last)}&orderby={orderby}")
        assert answer.status == 200
        link = answer.get("link")
        assert link is None or link.count(">") == 1


@pytest.mark.parametrize("at", ["", "x", "1.5", "9" * 18, "9" * 5000, "%00", "-" + "9" * 30], ids=lambda at: at[:12])
async def test_a_time_that_no_link_said_is_refused(pushed: Repository, at: str) -> None:
    for path in LISTS[1:]:
        assert (await pushed.http.get(f"{path}?orderby=timeasc&last=v1&at={at}")).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"\x00" * 1000,
        b"[" * 16_000,
        b'{"a":' * 3_000,
        b'{"writeEnabled":1e999}',
        b'{"writeEnabled":"' + b"x" * 9_000 + b'"}',
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_a_body_that_is_no_object_of_attributes_is_refused_in_few_words(pushed: Repository, body: bytes) -> None:
    for path in NAMED:
        answer = await pushed.http.patch(path, body)
        assert answer.status == 400
        assert len(answer.body) < 1024


@pytest.mark.parametrize("path", NAMED)
async def test_a_huge_body_is_refused_before_it_is_read(pushed: Repository, path: str) -> None:
    read = 0

    def pieces() -> Iterator[bytes]:
        nonlocal read
        for _ in range(10_000):
            read += 1
            yield b" " * 16_384

    answer = await pushed.http.patch(path, pieces())
    assert (answer.status, read < 10) == (413, True)
    answer = await pushed.http.patch(path, b"{}", {"content-length": "99999999999"})
    assert answer.status == 413


async def test_a_repository_of_ten_thousand_manifests_goes_in_one_request(registry: Registry) -> None:
    app = registry.repository("app")
    await app.push(IMAGE, "v1")
    registry.query(lambda tx: multiply_manifest(tx, IMAGE.digest, 10_000))
    first = await app.http.get("/acr/v1/app/_manifests?n=99999")
    assert len(first.json()["manifests"]) == 1000
    started = time.perf_counter()
    answer = await app.http.delete("/acr/v1/app")
    assert (answer.status, len(answer.json()["manifestsDeleted"])) == (202, 1000)
    assert time.perf_counter() - started < 10
    assert (await app.http.get("/acr/v1/app")).status == 404
