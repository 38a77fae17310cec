"""Answers that would harm who believes them: damaged bytes, broken lines, lists without end (MARKET 5b, 20, 27, 31)."""

import os
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.content import an_artifact, an_image, describe, digest_of, some_bytes
from tests.integration.rows import multiply_manifest
from tests.registry import Registry, Repository, next_page
from tests.wire import BrokenOff

MIB = 1024 * 1024


def file_of(registry: Registry, digest: str) -> Path:
    (found,) = (registry.settings.data_dir / "content").rglob(digest.removeprefix("sha256:") + "*")
    return found


@pytest.mark.parametrize("size", [0, 1, 999_999], ids=["a stub", "one byte", "all but one"])
async def test_a_blob_whose_file_was_cut_is_never_answered_as_whole(registry: Registry, size: int) -> None:
    app = registry.repository("app")
    digest = await app.push_blob(some_bytes(1_000_000))
    os.truncate(file_of(registry, digest), size)
    await _assert_not_whole(app, digest)


async def test_a_blob_whose_file_is_gone_is_never_answered_as_whole(registry: Registry) -> None:
    app = registry.repository("app")
    digest = await app.push_blob(some_bytes(1000))
    file_of(registry, digest).unlink()
    await _assert_not_whole(app, digest)


async def _assert_not_whole(app: Repository, digest: str) -> None:
    """Unavailable at once, or a connection that breaks: a client takes neither for the blob."""
    for headers in ({}, {"range": "bytes=0-"}):
        with suppress(BrokenOff):
            assert (await app.blob(digest, headers)).status == 503


@pytest.mark.parametrize(
    "text", ["a\r\nset-cookie: b=c", "\n", "é", "\u2028", '"; rel="next', ">; <https://evil.example"]
)
async def test_what_a_client_asks_for_cannot_break_out_of_a_link(app: Repository, text: str) -> None:
    """Where a list goes on is a header that repeats what was asked."""
    subject = an_image()
    kind = text if text.isascii() and text.isprintable() else "a/b"
    for number in range(2):
        await app.push(an_artifact(kind, number, subject=subject.descriptor()), f"v{number}")
    for target, has_more in (
        (app.path(f"referrers/{subject.digest}?n=1&artifactType={quote(kind)}"), True),
        (app.path(f"tags/list?n=1&last={quote(text)}"), text < "v0"),
        (f"/v2/_catalog?n=1&last={quote(text)}", False),
    ):
        answer = await app.http.get(target)
        link = answer.get("link")
        assert answer.status == 200
        assert (link is not None) is has_more
        assert link is None or (link.count(">"), link.count("<"), link.count('"')) == (1, 1, 2)
        assert link is None or link.startswith("</v2/app/")


async def test_ten_thousand_referrers_of_one_subject_come_in_pages_that_end(registry: Registry) -> None:
    app, subject = registry.repository("app"), an_image()
    artifact = an_artifact(subject=subject.descriptor(), annotations={"padding": "x" * 2000})
    await app.push(artifact)
    registry.query(lambda tx: multiply_manifest(tx, artifact.digest, 9_999))
    target: str | None = app.path(f"referrers/{subject.digest}")
    found: list[str] = []
    started = time.perf_counter()
    while target is not None:
        answer = await app.http.get(target)
        assert answer.status == 200
        assert len(answer.body) < 4 * MIB, "clients read no longer index"
        found += [descriptor["digest"] for descriptor in answer.json()["manifests"]]
        target = next_page(answer)
    assert time.perf_counter() - started < 30
    assert len(found) == len(set(found)) == 10_000
    assert found == sorted(found)


async def test_a_signature_s_tag_is_pushed_by_nobody_without_the_right_to_push(registry: Registry) -> None:
    """A tag that looks like a digest is a tag as any other (MARKET 5b, 3)."""
    image = an_image()
    await registry.repository("app").push(image, "v1")
    tag = f"sha256-{image.digest.removeprefix('sha256:')}.sig"
    reader = registry.repository("app", await registry.bearer("repository:app:pull"))
    assert (await reader.put(image, tag)).status == 401
    assert (await reader.put(image, None, tag)).status == 401
    assert await registry.repository("app").tags() == ["v1"]


async def test_a_large_signature_is_a_blob_as_any_other_and_its_manifest_has_a_limit(app: Repository) -> None:
    """Whoever lists referrers reads descriptors, never the signatures."""
    subject = an_image()
    await app.push(subject)
    await app.push_blob(b"{}")
    signature = some_bytes(5 * MIB)
    await app.push_blob(signature)
    manifest = an_artifact(subject=subject.descriptor(), layers=[describe(signature, "application/octet-stream")])
    assert (await app.put(manifest)).status == 201
    answer = await app.http.get(app.path(f"referrers/{subject.digest}"))
    assert len(answer.body) < 1000
    embedded = an_artifact(subject=subject.descriptor(), annotations={"signature": "x" * 4 * MIB})
    assert (await app.put(embedded)).status == 413
    assert (await app.manifest(digest_of(embedded.body))).status == 404
