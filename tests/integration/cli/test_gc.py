"""`entrepot gc`: why something is kept, when it goes, and collection by hand."""

import re
from collections.abc import Callable

import pytest
from tests.content import Manifest, an_image, an_index, digest_of
from tests.integration.cli.conftest import Command, file_of
from tests.registry import Repository
from tests.services import wait_until

from entrepot.settings import Settings

IMAGE = an_image("kept")
LAYER = IMAGE.document["layers"][0]["digest"]
UNNAMED = b"a blob without a manifest"
MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


@pytest.fixture
async def pushed(app: Repository) -> Manifest:
    await app.push(IMAGE, "v1")
    return IMAGE


@pytest.fixture
async def unnamed(app: Repository) -> str:
    """The digest of a blob that no manifest ever named, pushed long ago."""
    return await app.push_blob(UNNAMED)


def told(entrepot: Command, digest: str, *flags: str) -> list[str]:
    return entrepot.succeeds("gc", "explain", digest, *flags).splitlines()


# --- explain ----------------------------------------------------------------------------------------------------------


async def test_a_blob_is_kept_by_the_chain_from_a_tag(pushed: Manifest, entrepot: Command) -> None:
    assert told(entrepot, LAYER) == [
        f"local/app: blob of 64 bytes kept: tag v1 -> manifest {IMAGE.digest} -> layer",
    ]


async def test_a_blob_of_a_platform_is_kept_by_the_chain_through_its_index(app: Repository, entrepot: Command) -> None:
    await app.push(IMAGE)
    index = an_index([IMAGE])
    await app.push(index, "all")
    chain = f"tag all -> index {index.digest} -> manifest {IMAGE.digest}"
    assert told(entrepot, LAYER) == [f"local/app: blob of 64 bytes kept: {chain} -> layer"]
    assert told(entrepot, IMAGE.digest) == [f"local/app: manifest kept: {chain}"]


async def test_an_untagged_manifest_is_kept_until_somebody_deletes_it(app: Repository, entrepot: Command) -> None:
    await app.push(IMAGE)
    assert told(entrepot, IMAGE.digest) == [
        "local/app: manifest kept: no tag leads to it, but a manifest goes only when it is deleted"
    ]
    assert told(entrepot, LAYER) == [
        f"local/app: blob of 64 bytes kept: untagged manifest {IMAGE.digest} -> layer",
    ]


async def test_a_blob_that_several_manifests_name_is_told_with_their_number(
    pushed: Manifest, app: Repository, entrepot: Command
) -> None:
    await app.put(IMAGE.changed(annotations={"the": "other"}), "v2")
    (line,) = told(entrepot, LAYER)
    assert line.endswith(f"kept: tag v1 -> manifest {IMAGE.digest} -> layer (one of 2 manifests that name it)")


async def test_each_repository_that_links_a_blob_is_told_or_the_one_that_is_asked_for(
    pushed: Manifest, app: Repository, entrepot: Command
) -> None:
    await app.http.post(f"/v2/other/blobs/uploads/?mount={LAYER}&from=app")
    here, there = told(entrepot, LAYER)
    assert here.startswith("local/app: blob of 64 bytes kept: ")
    (asked_for,) = told(entrepot, LAYER, "--repository", "other")
    for line in (there, asked_for):
        assert re.fullmatch(
            rf"local/other: blob of 64 bytes needed by no manifest; condemned from {MOMENT} on, .*", line
        )


async def test_the_way_of_a_blob_that_nothing_needs_is_told_at_each_step(unnamed: str, entrepot: Command) -> None:
    waiting = f"needed by no manifest; condemned from {MOMENT} on, unlinked from {MOMENT} on"
    assert re.fullmatch(f"local/app: blob of {len(UNNAMED)} bytes {waiting}", "".join(told(entrepot, unnamed)))
    entrepot.succeeds("gc", "run", "--gc-condemn-seconds", "1")
    condemned = rf"condemned at {MOMENT}; unlinked from {MOMENT} on unless a manifest names it"
    assert re.fullmatch(rf"local/app: blob of \d+ bytes {condemned}", "".join(told(entrepot, unnamed)))
    collected(entrepot, "unlinked", lambda: not told(entrepot, unnamed)[0].startswith("local/app"), "1", "600")
    bytes_only = rf"bytes that no repository reaches: removed from local from {MOMENT} on"
    assert re.fullmatch(bytes_only, "".join(told(entrepot, unnamed)))
    assert told(entrepot, digest_of(b"never")) == [f"{digest_of(b'never')}: unknown"]


async def test_a_damaged_blob_is_told_as_such(pushed: Manifest, entrepot: Command, settings: Settings) -> None:
    file_of(settings, LAYER).write_bytes(bytes(64))
    entrepot("check", "--repair")
    first, second = told(entrepot, LAYER)
    assert re.fullmatch(rf"corrupt since {MOMENT}: unknown to clients until the digest is pushed again", first)
    assert "kept: tag v1" in second


async def test_what_is_no_digest_is_refused(entrepot: Command) -> None:
    done = entrepot("gc", "explain", "v1")
    assert done.exit_code == 2
    assert done.error == "entrepot gc: v1: not a digest: sha256: and 64 hex digits, or sha512: and 128\n"


# --- run --------------------------------------------------------------------------------------------------------------


async def test_a_dry_run_tells_what_is_due_and_changes_nothing(
    pushed: Manifest, unnamed: str, entrepot: Command, everything: Callable[[], object]
) -> None:
    before = everything()
    assert entrepot.succeeds("gc", "run", "--dry-run").splitlines() == [
        "nothing is changed; due now:",
        f"condemn: 1 links, {len(UNNAMED)} bytes",
        "delete:  0 blobs, 0 bytes",
        "free:    0 files, 0 bytes",
        "end:     at most 0 uploads; remove: 0 empty repositories, 0 expired files",
    ]
    assert everything() == before


async def test_a_run_condemns_what_the_dry_run_told_and_keeps_the_rest(
    pushed: Manifest, unnamed: str, app: Repository, entrepot: Command
) -> None:
    said = entrepot.succeeds("gc", "run")
    assert f"condemned: 1 links, {len(UNNAMED)} bytes; revived: 0" in said
    assert not await app.has_blob(unnamed)
    assert [await app.has_blob(digest) for digest in IMAGE.blobs] == [True, True, True]


async def test_runs_delete_the_blob_and_then_free_its_file(
    pushed: Manifest, unnamed: str, app: Repository, entrepot: Command, settings: Settings
) -> None:
    file = file_of(settings, unnamed)
    said = collected(entrepot, "freed", lambda: not file.exists(), "1", "1")
    assert f"deleted:   1 blobs, {len(UNNAMED)} bytes" in said
    assert f"freed:     1 files, {len(UNNAMED)} bytes" in said
    assert (await app.blob(unnamed)).status == 404
    assert (await app.blob(LAYER)).body == IMAGE.blobs[LAYER]


def collected(entrepot: Command, what: str, condition: Callable[[], bool], condemn: str, retire: str) -> str:
    """Run again and again with these waits; all that the runs said."""
    said: list[str] = []

    def done() -> bool:
        said.append(entrepot.succeeds("gc", "run", "--gc-condemn-seconds", condemn, "--gc-retire-seconds", retire))
        return condition()

    wait_until(done, f"the blob is {what}", within=15)
    return "".join(said)
