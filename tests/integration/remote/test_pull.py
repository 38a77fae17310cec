"""Manifests and blobs of another registry: what comes is what its digest names, or nothing."""

from collections.abc import Iterable

import pytest
from tests.content import OCI_INDEX, OCI_MANIFEST, Manifest, a_docker_image, an_image, an_index, digest_of, some_bytes
from tests.foreign import ForeignRegistry
from tests.integration.remote.conftest import FORBIDDEN, REPOSITORY, Puller
from tests.outside import Asked, Authority, answer, redirect, serving

from entrepot.errors import Kind, Problem
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import BODY_LIMIT
from entrepot.oci.reference import Tag
from entrepot.outbound.model import OutboundError
from entrepot.remote.client import RemoteRepository

V1 = Tag("v1")
IMAGE = an_image()
BLOB = some_bytes(300_000)
BLOB_DIGEST = digest_of(BLOB)


def failure(remote: RemoteRepository, reference: Tag | Digest = V1) -> str:
    with pytest.raises(Problem) as failed:
        remote.manifest(reference)
    assert failed.value.kind is Kind.SOURCE_FAILED
    return str(failed.value.detail["reason"])


def read(remote: RemoteRepository, start: int = 0, stop: int = len(BLOB), size: int = len(BLOB)) -> bytes:
    with remote.blob(Digest.parse(BLOB_DIGEST), start, stop, size) as pieces:
        return b"".join(pieces)


# --- manifests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("manifest", [IMAGE, a_docker_image(), an_index([IMAGE])])
def test_a_manifest_by_tag_and_by_digest(hub: ForeignRegistry, puller: Puller, manifest: Manifest) -> None:
    hub.hold(REPOSITORY, manifest, "v1")
    remote = puller(hub.place)
    for reference in (V1, Digest.parse(manifest.digest)):
        found = remote.manifest(reference)
        assert found is not None
        assert (found.manifest.body, str(found.digest)) == (manifest.body, manifest.digest)
    accepted = hub.asked[0].headers["accept"]
    assert OCI_INDEX in accepted
    assert OCI_MANIFEST in accepted


def test_what_is_not_there_is_none(hub: ForeignRegistry, puller: Puller) -> None:
    assert puller(hub.place).manifest(V1) is None


def test_other_bytes_than_the_digest_names_are_refused(hub: ForeignRegistry, puller: Puller) -> None:
    hub.manifests[REPOSITORY, IMAGE.digest] = an_image("another")
    assert "other bytes" in failure(puller(hub.place), Digest.parse(IMAGE.digest))


def test_other_bytes_than_the_header_of_a_tag_names_are_refused(hub: ForeignRegistry, puller: Puller) -> None:
    headers = {"content-type": IMAGE.media_type, "docker-content-digest": an_image("another").digest}
    hub.wrong = lambda _: answer(200, IMAGE.body, headers)
    assert "other bytes" in failure(puller(hub.place))


@pytest.mark.parametrize("length", [BODY_LIMIT + 1, 1 << 40])
def test_a_manifest_has_an_end(hub: ForeignRegistry, puller: Puller, length: int) -> None:
    def endless(_asked: Asked) -> Iterable[bytes]:
        yield f"HTTP/1.1 200 OK\r\ncontent-type: {OCI_MANIFEST}\r\ncontent-length: {length}\r\n\r\n".encode()
        for _ in range(length // 65536 + 1):
            yield b" " * 65536

    hub.wrong = endless
    assert "larger than is accepted" in failure(puller(hub.place))


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"{" * 5000, b'{"schemaVersion":1,"fsLayers":[]}'])
def test_what_is_no_manifest_is_refused(hub: ForeignRegistry, puller: Puller, body: bytes) -> None:
    hub.wrong = lambda _: answer(200, body, {"content-type": "application/json"})
    assert "no manifest" in failure(puller(hub.place))


def test_a_refusal_is_told_with_the_sources_own_words(hub: ForeignRegistry, puller: Puller) -> None:
    said = b'{"errors":[{"code":"DENIED","message":"your\\nplan has ended"}]}'
    hub.wrong = lambda _: answer(403, said)
    told = failure(puller(hub.place))
    assert hub.place in told
    assert "403" in told
    assert "DENIED: your plan has ended" in told
    assert "do not permit" in told


# --- blobs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize(("start", "stop"), [(0, len(BLOB)), (0, 1000), (1000, len(BLOB)), (len(BLOB) - 1, len(BLOB))])
def test_a_range_of_a_blob_also_of_a_source_that_knows_none(
    hub: ForeignRegistry, puller: Puller, start: int, stop: int, ranges: bool
) -> None:
    hub.blobs[BLOB_DIGEST], hub.ranges = BLOB, ranges
    assert read(puller(hub.place), start, stop) == BLOB[start : stop if ranges else len(BLOB)]


def test_a_body_without_an_end_is_cut_off(hub: ForeignRegistry, puller: Puller) -> None:
    def endless(_: Asked) -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
        while not hub.server.over.is_set():
            yield bytes(65536)

    hub.wrong = endless
    with pytest.raises(OutboundError, match="larger than is accepted"):
        read(puller(hub.place))


@pytest.mark.parametrize("said", [None, "bytes 1-2/3", "bytes 0-9/999", "bytes x-9/10", "bytes 1-99/300000"])
def test_another_range_than_was_asked_for_is_refused(hub: ForeignRegistry, puller: Puller, said: str | None) -> None:
    hub.wrong = lambda _: answer(206, BLOB, {} if said is None else {"content-range": said})
    with pytest.raises(Problem, match="SOURCE_FAILED"):
        read(puller(hub.place))


def test_what_came_before_a_connection_broke_is_not_lost(hub: ForeignRegistry, puller: Puller) -> None:
    length = len(BLOB)
    head = f"HTTP/1.1 206 OK\r\ncontent-range: bytes 0-{length - 1}/{length}\r\ncontent-length: {length}\r\n\r\n"
    hub.wrong = lambda _: [head.encode(), BLOB[:100_000]]
    came = bytearray()

    def take() -> None:
        with puller(hub.place).blob(Digest.parse(BLOB_DIGEST), 0, length, length) as pieces:
            for piece in pieces:
                came.extend(piece)

    with pytest.raises(OutboundError):
        take()
    assert bytes(came) == BLOB[:100_000]


# --- where it leads ---------------------------------------------------------------------------------------------------


def test_a_redirect_inside_is_refused(hub: ForeignRegistry, puller: Puller, ca: Authority) -> None:
    with serving(lambda _: answer(200), ca.server, FORBIDDEN) as inner:
        hub.wrong = lambda _: redirect(f"https://{inner.place}/")
        assert FORBIDDEN in failure(puller(hub.place))
        assert inner.connections == 0


def test_a_blob_may_lie_at_a_store_which_gets_the_range_and_no_credentials(
    hub: ForeignRegistry, puller: Puller, ca: Authority
) -> None:
    hub.blobs[BLOB_DIGEST] = BLOB
    hub.bearer()
    with serving(lambda asked: hub.blob(asked, BLOB), ca.server) as store:

        def elsewhere(asked: Asked) -> Iterable[bytes] | None:
            is_signed_in = "authorization" in asked.headers
            return redirect(f"https://{store.place}/blob") if is_signed_in and "/blobs/" in asked.target else None

        hub.wrong = elsewhere
        assert read(puller(hub.place), 1000) == BLOB[1000:]
        (asked,) = store.asked
    assert asked.headers["range"] == f"bytes=1000-{len(BLOB) - 1}"
    assert "authorization" not in asked.headers


# --- patience ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_source_that_stumbles_is_asked_again(
    hub: ForeignRegistry, puller: Puller, pauses: list[float], status: int
) -> None:
    hub.hold(REPOSITORY, IMAGE, "v1")
    hub.wrong = lambda _: answer(status) if len(hub.asked) < 3 else None
    assert puller(hub.place).manifest(V1) is not None
    assert len(pauses) == 2


def test_one_that_names_a_time_is_given_it_within_bounds(
    hub: ForeignRegistry, puller: Puller, pauses: list[float]
) -> None:
    waits = ["7", "99999", "soon"]
    hub.wrong = lambda _: answer(429, b"{}", {"retry-after": waits[(len(hub.asked) - 1) % 3]})
    assert "takes no more requests" in failure(puller(hub.place))
    assert pauses == [7.0, 60.0, 16.0]


@pytest.mark.parametrize("status", [400, 403, 418])
def test_one_that_refuses_is_not(hub: ForeignRegistry, puller: Puller, pauses: list[float], status: int) -> None:
    hub.wrong = lambda _: answer(status)
    failure(puller(hub.place))
    assert (len(hub.asked), pauses) == (1, [])
