"""Requests that are too much of something (issue 3, section 5)."""

import time

import pytest
from tests.content import OCI_MANIFEST, an_image
from tests.registry import Registry, Repository

IMAGE = an_image()


@pytest.mark.parametrize("count", [1_000, 100_000])
async def test_very_many_tags_in_one_push_are_refused_at_once(app: Repository, count: int) -> None:
    await app.push(IMAGE)
    query = "&".join(f"tag=v{number}" for number in range(count))
    started = time.perf_counter()
    answer = await app.http.put(
        app.path(f"manifests/{IMAGE.digest}?{query}"), IMAGE.body, {"content-type": OCI_MANIFEST}
    )
    assert answer.status in {400, 414}
    assert time.perf_counter() - started < 5
    assert await app.tags() == []


@pytest.mark.parametrize("query", ["a=b&" * 100_000, "&" * 100_000, "a" * 100_000, "n=1&" * 100_000, "%" * 100_000])
@pytest.mark.parametrize(
    "path", ["/v2/_catalog", "/v2/app/tags/list", "/v2/app/referrers/sha256:" + "0" * 64, "/oauth2/token"]
)
async def test_a_query_of_very_many_fields_is_refused_or_read_at_once(
    registry: Registry, path: str, query: str
) -> None:
    await registry.repository("app").push(IMAGE)
    started = time.perf_counter()
    answer = await registry.http.get(f"{path}?{query}")
    assert answer.status in {200, 400, 414}
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("query", ["n=%FF", "last=%C3%28", "n=\xe9", "%FF=1", "n=%ED%A0%80"])
async def test_a_query_that_is_not_utf_8_is_refused(registry: Registry, query: str) -> None:
    assert (await registry.http.get(f"/v2/_catalog?{query}")).status == 400


async def test_a_path_that_is_not_utf_8_is_refused(registry: Registry) -> None:
    for path in ("/v2/app/manifests/%FF", "/v2/app/blobs/%C0%AE", "/v2/app/blobs/uploads/%ED%A0%80"):
        assert (await registry.http.get(path)).status in {400, 404}


@pytest.mark.parametrize("name", ["accept", "range", "if-none-match", "if-range", "authorization", "content-range"])
@pytest.mark.parametrize("filler", ["x", ",", "a,", "bytes=0-0,", '"', " ", "\t", "="])
async def test_a_huge_header_is_refused_or_ignored_at_once(app: Repository, name: str, filler: str) -> None:
    await app.push(IMAGE, "v1")
    value = (filler * 100_000)[:100_000]
    digest = next(iter(IMAGE.blobs))
    started = time.perf_counter()
    for path in ("manifests/v1", f"blobs/{digest}"):
        answer = await app.http.get(app.path(path), {name: value})
        assert answer.status in {200, 206, 401, 416}
    assert time.perf_counter() - started < 5


async def test_very_many_headers_are_read_at_once(registry: Registry) -> None:
    headers = {f"x-{number}": "y" for number in range(10_000)}
    started = time.perf_counter()
    assert (await registry.http.get("/v2/", headers)).status == 200
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("path", ["/v2" + "/a" * 50_000, "/v2/" + "manifests/" * 10_000 + "x", "/v2/" + "/" * 100_000])
async def test_a_huge_path_is_refused_at_once(registry: Registry, path: str) -> None:
    started = time.perf_counter()
    answer = await registry.http.get(path)
    assert answer.status in {400, 404}
    assert time.perf_counter() - started < 5
    assert len(answer.body) < 4096


@pytest.mark.parametrize("name", ["n", "last", "artifactType", "digest", "mount", "from", "tag", "service", "scope"])
async def test_a_parameter_given_twice_fails_nothing(registry: Registry, name: str) -> None:
    await registry.repository("app").push(IMAGE)
    for path in ("/v2/_catalog", "/v2/app/tags/list", "/v2/app/referrers/sha256:" + "0" * 64, "/oauth2/token"):
        answer = await registry.http.get(f"{path}?{name}=1&{name}=2&{name}=")
        assert answer.status in {200, 400}


async def test_a_body_where_none_belongs_is_ignored(app: Repository) -> None:
    await app.push(IMAGE, "v1")
    answer = await app.http.send("GET", app.path("manifests/v1"), body=b"x" * 1_000_000)
    assert answer.body == IMAGE.body
    assert (await app.http.send("DELETE", app.path("manifests/v1"), body=b"x" * 1_000_000)).status == 202
