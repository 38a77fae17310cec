"""What every answer carries. Spec: OCI distribution-spec, "Error Codes", "Determining Support"."""

import re

import pytest
from tests.content import OCI_MANIFEST, an_image, digest_of
from tests.registry import Registry, Repository


@pytest.mark.parametrize("path", ["/v2/", "/v2"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_registry_says_that_it_is_one(registry: Registry, method: str, path: str) -> None:
    answer = await registry.http.send(method, path)
    assert (answer.status, answer["docker-distribution-api-version"]) == (200, "registry/2.0")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/v2/", "/v2/app/manifests/v1", "/v2/app/blobs/x", "/v2/nowhere", "/elsewhere", "/", "/oauth2/token"]
)
async def test_every_answer_has_a_request_id_and_every_error_the_specified_form(
    registry: Registry, method: str, path: str
) -> None:
    answer = await registry.http.send(method, path, body=None if method in {"GET", "HEAD", "DELETE"} else b"")
    assert re.fullmatch(r"[0-9a-f-]{16,64}", answer["x-request-id"])
    if answer.status >= 400 and method != "HEAD":
        assert answer["content-type"].startswith("application/json")
        (error,) = answer.json()["errors"]
        assert re.fullmatch(r"[A-Z_]+", error["code"])
        assert error["message"]
        assert set(error) <= {"code", "message", "detail"}


async def test_no_two_answers_have_the_same_request_id(registry: Registry) -> None:
    ids = {(await registry.http.get("/v2/"))["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/v2/app/manifests/v1", {"GET", "PUT", "DELETE"}),
        ("PUT", "/v2/app/blobs/" + digest_of(b""), {"GET", "DELETE"}),
        ("GET", "/v2/app/blobs/uploads/", {"POST"}),
        ("DELETE", "/v2/app/tags/list", {"GET"}),
        ("POST", "/v2/_catalog", {"GET"}),
        ("OPTIONS", "/v2/", {"GET"}),
        ("TRACE", "/v2/", {"GET"}),
        ("get", "/v2/", {"GET"}),
        ("BREW", "/v2/app/manifests/v1", {"GET", "PUT", "DELETE"}),
    ],
)
async def test_a_method_that_a_path_does_not_have_is_refused_with_those_it_has(
    registry: Registry, method: str, path: str, allowed: set[str]
) -> None:
    answer = await registry.http.send(method, path)
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert {name.strip() for name in answer["allow"].split(",")} - {"HEAD"} == allowed


@pytest.mark.parametrize(
    "path",
    ["/v2/app", "/v2/app/", "/v2/app/manifests", "/v2/app/manifests/", "/v2/app/tags", "/v2x", "/v3/", "/V2/", "//v2/"],
)
async def test_a_path_that_nothing_is_served_under_is_not_found(registry: Registry, path: str) -> None:
    answer = await registry.http.get(path)
    assert answer.status in {400, 404}


async def test_an_error_tells_details(app: Repository) -> None:
    answer = await app.manifest("v1")
    assert answer.detail == {"name": "app", "reference": "v1"}


async def test_a_browser_must_not_guess_or_run_what_a_manifest_is(app: Repository) -> None:
    """The portal lives on the same host: what somebody pushed must not become a page of it."""
    body = b'{"mediaType":"text/html","x":"<script>alert(1)</script>"}'
    pushed = await app.http.put(app.path("manifests/page"), body, {"content-type": "text/html"})
    answer = await app.manifest("page")
    assert answer["x-content-type-options"] == "nosniff"
    if pushed.status == 201:
        assert "sandbox" in (answer.get("content-security-policy") or "")


async def test_no_answer_is_shared_between_callers_by_a_cache(app: Repository) -> None:
    """Content needs a right: what a shared cache kept would be handed to who has none."""
    image = an_image()
    await app.push(image, "v1")
    for target in ("manifests/v1", f"blobs/{next(iter(image.blobs))}", "tags/list"):
        answer = await app.http.get(app.path(target))
        assert "public" not in (answer.get("cache-control") or "")


async def test_a_problem_with_a_broken_manifest_says_where(app: Repository) -> None:
    answer = await app.http.put(app.path("manifests/v1"), b'{"schemaVersion":2', {"content-type": OCI_MANIFEST})
    assert answer.code == "MANIFEST_INVALID"
    assert "not JSON" in answer.detail["reason"]
