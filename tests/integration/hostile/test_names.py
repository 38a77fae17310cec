"""Names, digests and tags that try to be something else (MARKET 5b, 1 to 3)."""

from urllib.parse import quote

import pytest
from tests.content import an_image, digest_of
from tests.registry import Registry, Repository

IMAGE = an_image()
DIGEST = digest_of(b"x")

NAMES = [
    "..",
    ".",
    "../app",
    "app/..",
    "app/../app",
    "app/.",
    "./app",
    "%2e%2e",
    "%2e%2e/app",
    "app%2f",
    "%2Fapp",
    "app%2F%2fother",
    "app%252Fother",
    "..%2f..%2fetc%2fpasswd",
    "app//other",
    "/app",
    "app/",
    "//",
    "_blobs",
    "_uploads",
    "_catalog",
    "app/_manifests",
    "-app",
    "app-",
    "app.",
    ".app",
    "app..other",
    "app___other",
    "app._other",
    "app%00",
    "%00",
    "app%0a",
    "app%0d%0aset-cookie:x",
    "app%20other",
    "app+other",
    "app%e2%80%ae",
    quote("äpp"),
    quote("аpp"),  # noqa: RUF001  a Cyrillic letter is the point
    quote("app\u200b"),
    quote("\U0001f4e6"),
    "%ff",
    "%c0%ae%c0%ae",
    "App",
    "APP",
    "a" * 256,
    "a/" * 127 + "aa",
    "a" * 100_000,
    "app:v1",
    "app@" + DIGEST,
    "localhost:5000/app",
    "app;x",
    "app\\other",
    "~app",
    "%61pp",
    "%2561pp",
    "app%",
    "app%2",
    "'or'1'='1",
]


async def test_an_escaped_slash_is_a_slash_also_for_who_may(registry: Registry) -> None:
    """ACR's SDKs write names so. Whoever decides, and whoever answers, reads the same name."""
    app = registry.repository("team/app")
    await app.push(IMAGE, "v1")
    for escaped in ("team%2Fapp", "team%2fapp"):
        assert (await registry.http.get(f"/v2/{escaped}/manifests/v1")).body == IMAGE.body
        client = await registry.bearer("repository:team/app:pull")
        assert (await client.get(f"/v2/{escaped}/tags/list")).json() == {"name": "team/app", "tags": ["v1"]}
        other = await registry.bearer("repository:team:pull")
        answer = await other.get(f"/v2/{escaped}/manifests/v1")
        assert (answer.status, 'scope="repository:team/app:pull"' in answer["www-authenticate"]) == (401, True)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:24])
async def test_a_name_against_the_grammar_is_refused_everywhere(registry: Registry, name: str) -> None:
    for method, rest in (
        ("GET", "manifests/v1"),
        ("PUT", "manifests/v1"),
        ("DELETE", "manifests/v1"),
        ("GET", f"blobs/{DIGEST}"),
        ("DELETE", f"blobs/{DIGEST}"),
        ("POST", "blobs/uploads/"),
        ("GET", "blobs/uploads/" + "0" * 32),
        ("GET", "tags/list"),
        ("GET", f"referrers/{DIGEST}"),
    ):
        answer = await registry.http.send(method, f"/v2/{name}/{rest}", body=b"" if method in {"PUT", "POST"} else None)
        assert (answer.status, answer.code) == (400, "NAME_INVALID"), (method, rest)


@pytest.mark.parametrize(
    "name",
    [
        *("a", "0", "a.b", "a_b", "a__b", "a-b", "a---b", "a/b/c/d", "a" * 255, "v2", "manifests", "blobs/uploads"),
        *("tags/list", "app/manifests/app", "referrers/x", "a/blobs/uploads/b"),
    ],
    ids=lambda name: name[:24],
)
async def test_a_name_of_the_grammar_is_taken(registry: Registry, name: str) -> None:
    repository = registry.repository(name)
    await repository.push(IMAGE, "v1")
    assert (await repository.manifest("v1")).body == IMAGE.body
    assert await repository.tags() == ["v1"]
    for digest, content in IMAGE.blobs.items():
        assert (await repository.blob(digest)).body == content


DIGESTS = [
    "sha256:",
    "sha256:../../etc/passwd",
    "sha256:..%2f..%2fetc%2fpasswd",
    "sha256:" + "0" * 63,
    "sha256:" + "0" * 65,
    "sha256:" + "0" * 128,
    "sha512:" + "0" * 64,
    "sha512:" + "0" * 127,
    "sha256:" + "A" * 64,
    "sha256:" + "a" * 63 + "A",
    "sha256:" + "g" * 64,
    "sha256:" + "0" * 63 + "%00",
    "sha256:" + "0" * 64 + "%00",
    "sha256:" + "0" * 64 + "%0a",
    "sha256:" + "0" * 64 + ".",
    "sha256:" + "%D9%A0" * 64,
    "SHA256:" + "0" * 64,
    "Sha256:" + "0" * 64,
    "sha1:" + "0" * 40,
    "sha384:" + "0" * 96,
    "md5:" + "0" * 32,
    "blake3:" + "0" * 64,
    "sha256+b64:" + "0" * 64,
    "sha256:sha256:" + "0" * 64,
    ":" + "0" * 64,
    ":",
    "sha256%00:" + "0" * 64,
    "sha256:" + "0" * 100_000,
]


@pytest.mark.parametrize("digest", DIGESTS, ids=lambda digest: digest[:24])
async def test_a_digest_against_the_grammar_is_refused_everywhere(app: Repository, digest: str) -> None:
    upload = await app.start()
    for method, target in (
        ("GET", app.path(f"blobs/{digest}")),
        ("HEAD", app.path(f"blobs/{digest}")),
        ("DELETE", app.path(f"blobs/{digest}")),
        ("GET", app.path(f"manifests/{digest}")),
        ("PUT", app.path(f"manifests/{digest}")),
        ("DELETE", app.path(f"manifests/{digest}")),
        ("GET", app.path(f"referrers/{digest}")),
        ("POST", app.path(f"blobs/uploads/?digest={digest}")),
        ("POST", app.path(f"blobs/uploads/?mount={digest}&from=app")),
        ("PUT", f"{upload.location}?digest={digest}"),
    ):
        answer = await app.http.send(method, target, body=b"" if method in {"PUT", "POST"} else None)
        if "/" in digest and "?" not in target:
            assert answer.status == 404  # a path of more segments than a digest has
            continue
        assert answer.status == 400, (method, target[:60])
        assert method == "HEAD" or answer.code == "DIGEST_INVALID"


async def test_one_algorithm_s_hex_is_no_other_s(app: Repository) -> None:
    """Algorithm confusion: the digest is the algorithm too."""
    content = b"confused"
    await app.push_blob(content, "sha512")
    wide = digest_of(content, "sha512").removeprefix("sha512:")
    assert (await app.blob("sha256:" + wide)).status == 400
    assert (await app.blob("sha256:" + wide[:64])).status == 404
    answer = await app.http.post(app.path("blobs/uploads/?digest=sha256:" + wide[:64]), content)
    assert answer.code == "DIGEST_INVALID"


TAGS = [
    ".",
    "..",
    "...",
    "-v1",
    ".v1",
    "a" * 129,
    "a" * 100_000,
    "v1+build",
    "v1~x",
    "v%2f1",
    "%2e%2e",
    "%2fetc",
    "v1%00",
    "%00",
    "v1%0a",
    "v1%20",
    "%20",
    "é",
    quote("é"),
    quote("v\u202e1"),
    quote("ｖ1"),  # noqa: RUF001  a full-width letter is the point
    "v%ff",
    "@",
    "sha256",
    "v1@" + DIGEST,
]


@pytest.mark.parametrize("tag", [tag for tag in TAGS if tag != "sha256"], ids=lambda tag: tag[:24])
async def test_a_tag_against_the_grammar_is_refused_everywhere(app: Repository, tag: str) -> None:
    await app.push(IMAGE)
    for method in ("GET", "PUT", "DELETE"):
        target = app.path(f"manifests/{tag.encode().decode('latin-1')}")
        answer = await app.http.send(method, target, body=IMAGE.body if method == "PUT" else None)
        assert answer.status == 400, method
        assert answer.code in {"TAG_INVALID", "DIGEST_INVALID", "UNSUPPORTED"}
    assert (await app.put(IMAGE, None, quote(tag, safe="%"))).status == 400
    assert await app.tags() == []


@pytest.mark.parametrize("tag", ["a", "_", "0", "A.b-c_d", "sha256", "sha256-" + "0" * 64, "a" * 128, "__.__", "V1"])
async def test_a_tag_of_the_grammar_is_taken_and_keeps_its_case(app: Repository, tag: str) -> None:
    await app.push(IMAGE)
    await app.put(IMAGE, tag)
    assert await app.tags() == [tag]
    assert (await app.manifest(tag.swapcase())).status == (404 if tag.swapcase() != tag else 200)


async def test_a_segment_that_is_split_is_no_manifest(app: Repository) -> None:
    await app.push(IMAGE, "v1")
    for path in ("manifests/v1/", "manifests/v1/more", "manifests//v1", "manifests/./v1", "x/../manifests/v1"):
        assert (await app.http.get(app.path(path))).status in {400, 404}, path
