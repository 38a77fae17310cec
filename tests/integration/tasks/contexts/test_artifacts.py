"""OCI artifacts as contexts, from a registry that is told what to answer."""

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tests.content import Manifest, digest_of, json_of
from tests.foreign import ForeignRegistry, foreign_registry
from tests.integration.tasks.contexts.conftest import Fetch
from tests.outside import Asked, Authority, answer

from entrepot.remote.sign_in import Credentials
from entrepot.tasks.contexts.model import Bounds, ContextFailed

TITLE = "org.opencontainers.image.title"
UNPACK = "io.deis.oras.content.unpack"
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
EMPTY = b"{}"


@pytest.fixture
def hub(ca: Authority) -> Iterator[ForeignRegistry]:
    with foreign_registry(ca) as registry:
        yield registry


def an_artifact(*layers: tuple[bytes, dict[str, str]]) -> Manifest:
    def descriptor(content: bytes, kind: str, **more: object) -> dict[str, object]:
        return {"mediaType": kind, "digest": digest_of(content), "size": len(content), **more}

    body = json_of(
        {
            "schemaVersion": 2,
            "mediaType": MEDIA_TYPE,
            "artifactType": "application/x.context",
            "config": descriptor(EMPTY, "application/vnd.oci.empty.v1+json"),
            "layers": [descriptor(content, "application/x.file", annotations=about) for content, about in layers],
        }
    )
    return Manifest(
        body, MEDIA_TYPE, {digest_of(content): content for content in (EMPTY, *(each for each, _ in layers))}
    )


def a_file(title: str, content: bytes = b"x") -> tuple[bytes, dict[str, str]]:
    return content, {TITLE: title}


def a_folder(*entries: tarfile.TarInfo) -> tuple[bytes, dict[str, str]]:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for each in entries:
            archive.addfile(each, io.BytesIO(bytes(each.size)))
    return held.getvalue(), {TITLE: "folder", UNPACK: "true"}


def a_link(name: str, target: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = tarfile.SYMTYPE, target
    return made


def test_layers_become_files_by_their_titles(hub: ForeignRegistry, fetched: Fetch, workspace: Path) -> None:
    inner = tarfile.TarInfo("folder/inner")
    inner.size = 3
    layers = (a_file("Dockerfile", b"FROM scratch"), a_file("src/empty", b""), (b"none", {}), a_folder(inner))
    hub.hold("team/context", an_artifact(*layers), "v1")
    assert fetched(f"oci://{hub.place}/team/context:v1").root == workspace
    found = {
        path.relative_to(workspace).as_posix(): path.read_bytes() for path in workspace.rglob("*") if path.is_file()
    }
    assert found == {"Dockerfile": b"FROM scratch", "src/empty": b"", "folder/inner": bytes(3)}


def test_it_signs_in_with_the_credentials_of_that_registry(hub: ForeignRegistry, fetched: Fetch) -> None:
    hub.hold("team/context", an_artifact(a_file("a")), "latest")
    hub.bearer()
    hub.basic = ("reader", "s3cret")
    asked: list[str] = []

    def credentials(host: str) -> Credentials:
        asked.append(host)
        return Credentials("reader", "s3cret")

    fetched(f"OCI://{hub.place}/team/context", credentials=credentials)
    assert asked == [hub.place]
    with pytest.raises(
        ContextFailed, match=r"failed to download source code: .* gives nothing to whoever does not sign"
    ):
        fetched(f"oci://{hub.place}/team/context")


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ([a_file("../evil")], "leads out"),
        ([a_file("/tmp/evil")], "leads out"),
        ([a_file("a/../../evil")], "leads out"),
        ([a_file(".")], "leads out"),
        ([a_file("a\nb")], "leads out"),
        ([a_file("a"), a_file("a/b")], "something else there"),
        ([a_file("a/b"), a_file("a")], "something else there"),
        ([a_folder(a_link("out", "/tmp")), a_file("out/evil")], "something else there"),
        ([a_folder(a_link("out", "/tmp")), a_file("out/evil/file")], "something else there"),
        ([a_folder(a_link("out", "../../.."))], "out of the folder"),
        ([(b"x", {})], "no layer of the artifact has the annotation"),
        ([(b"no tar", {TITLE: "x", UNPACK: "true"})], "no tar file"),
    ],
)
def test_titles_and_folders_do_not_lead_out(
    layers: list[tuple[bytes, dict[str, str]]], told: str, hub: ForeignRegistry, fetched: Fetch, workspace: Path
) -> None:
    hub.hold("team/context", an_artifact(*layers), "v1")
    with pytest.raises(ContextFailed, match=told):
        fetched(f"oci://{hub.place}/team/context:v1")
    assert not (workspace.parent / "evil").exists()
    assert not Path("/tmp/evil").exists()


def test_a_file_takes_the_place_of_a_link_and_is_not_written_through_it(
    hub: ForeignRegistry, fetched: Fetch, workspace: Path
) -> None:
    outside = workspace.parent / "outside"
    outside.write_bytes(b"mine")
    hub.hold("team/context", an_artifact(a_folder(a_link("l", str(outside))), a_file("l", b"yours")), "v1")
    fetched(f"oci://{hub.place}/team/context:v1")
    assert (outside.read_bytes(), (workspace / "l").read_bytes()) == (b"mine", b"yours")


def test_other_bytes_than_the_digest_names_are_refused(hub: ForeignRegistry, fetched: Fetch) -> None:
    hub.hold("team/context", an_artifact(a_file("a", b"right")), "v1")
    hub.blobs[digest_of(b"right")] = b"wrong"
    with pytest.raises(ContextFailed, match="gave other bytes"):
        fetched(f"oci://{hub.place}/team/context:v1")


def test_an_artifact_that_is_not_there_or_too_large_is_told(hub: ForeignRegistry, fetched: Fetch) -> None:
    with pytest.raises(ContextFailed, match="has no team/context v1"):
        fetched(f"oci://{hub.place}/team/context:v1")
    hub.hold("team/context", an_artifact(a_file("a", bytes(1000))), "v1")
    with pytest.raises(ContextFailed, match="larger files than are allowed"):
        fetched(f"oci://{hub.place}/team/context:v1", bounds=Bounds(unpacked=999))


def test_a_connection_that_breaks_off_is_gone_on_with(hub: ForeignRegistry, fetched: Fetch, workspace: Path) -> None:
    content = bytes(range(256)) * 100
    hub.hold("team/context", an_artifact(a_file("a", content)), "v1")
    ranges: list[str] = []

    def cut(asked: Asked) -> Iterable[bytes] | None:
        if "/blobs/" not in asked.target:
            return None
        ranges.append(asked.headers["range"])
        if len(ranges) > 1:
            return None
        head = f"bytes 0-{len(content) - 1}/{len(content)}"
        whole = answer(206, content, {"content-range": head})
        return [whole[0], content[:5000]]

    hub.wrong = cut
    fetched(f"oci://{hub.place}/team/context:v1")
    assert hashlib.sha256((workspace / "a").read_bytes()).digest() == hashlib.sha256(content).digest()
    assert [each.partition("-")[0] for each in ranges] == ["bytes=0", "bytes=5000"]
