"""oras: artifacts, referrers, graphs, single blobs and manifests. It is told of the CA by a flag."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.e2e.clients import Shell
from tests.e2e.layouts import OCI_EMPTY, SPDX, Layout, sha256, unique
from tests.services import Registry

Oras = Callable[..., str]

TLS_ON_LOCALHOST = ["--plain-http=false"]  # oras takes plain HTTP for granted at "localhost"


@pytest.fixture
def oras(shell: Shell, server: Registry) -> Oras:
    shell.run(*login_to(server), stdin=server.password)
    one_sided = [*TLS_ON_LOCALHOST, f"--ca-file={server.ca}"]
    two_sided = [flag.replace("--", f"--{side}-") for side in ("from", "to") for flag in one_sided]

    def run(*words: str) -> str:
        return shell.run("oras", *words, *(two_sided if words[0] == "cp" else one_sided))

    return run


@pytest.fixture
def subject(oras: Oras, layout: Layout, image: str) -> str:
    """The digest of an image that is there, with the tag v1."""
    pushed = layout.tagged("v1", layout.image())
    oras("cp", "--from-oci-layout", f"{layout.folder}:v1", f"{image}:v1")
    return pushed.digest


def referrers(oras: Oras, name: str, *flags: str) -> list[dict[str, Any]]:  # JSON that oras prints
    """What ``oras discover`` finds through the referrers API, and nothing but the API."""
    api = ["--distribution-spec=v1.1-referrers-api", "--depth=1", "--format=json"]
    return json.loads(oras("discover", *api, *flags, name))["referrers"]


def test_files_pushed_as_an_artifact_come_back_byte_for_byte(oras: Oras, shell: Shell, image: str) -> None:
    contents = {"model.bin": unique(), "empty.txt": b""}
    for name, content in contents.items():
        (shell.folder / name).write_bytes(content)
    oras("push", "--artifact-type=application/vnd.example.model", f"{image}:v1,latest", *contents)
    oras("pull", f"{image}:latest", "--output=back")
    assert {path.name: path.read_bytes() for path in (shell.folder / "back").iterdir()} == contents


def test_an_artifact_without_files_has_the_empty_descriptor(
    oras: Oras, image: str, repository: str, http: httpx.Client
) -> None:
    oras("push", "--artifact-type=application/vnd.example.note", "--annotation=org.example.note=hello", f"{image}:v1")
    manifest = http.get(f"/v2/{repository}/manifests/v1").json()
    assert manifest["config"]["mediaType"] == OCI_EMPTY
    assert http.get(f"/v2/{repository}/blobs/{sha256(b'{}')}").content == b"{}"


def test_an_attached_sbom_is_found_through_the_referrers_api(
    oras: Oras, shell: Shell, image: str, subject: str
) -> None:
    (shell.folder / "sbom.json").write_bytes(b'{"spdxVersion":"SPDX-2.3"}')
    oras("attach", f"--artifact-type={SPDX}", "--annotation=org.example.by=a test", f"{image}:v1", "sbom.json")
    (found,) = referrers(oras, f"{image}@{subject}")
    assert found["artifactType"] == SPDX
    assert found["annotations"]["org.example.by"] == "a test"


def test_referrers_are_filtered_by_artifact_type(
    oras: Oras, image: str, subject: str, repository: str, http: httpx.Client
) -> None:
    for kind in ("one", "two"):
        oras("attach", f"--artifact-type=application/vnd.example.{kind}", "--annotation=a=b", f"{image}@{subject}")
    wanted = "application/vnd.example.two"
    assert [found["artifactType"] for found in referrers(oras, f"{image}:v1", f"--artifact-type={wanted}")] == [wanted]
    answer = http.get(f"/v2/{repository}/referrers/{subject}", params={"artifactType": wanted})
    assert answer.headers["oci-filters-applied"] == "artifactType"
    assert [found["artifactType"] for found in answer.json()["manifests"]] == [wanted]


def test_attaching_needs_no_tag_of_the_fallback_scheme(oras: Oras, image: str, subject: str) -> None:
    oras("attach", "--artifact-type=application/vnd.example.one", "--annotation=a=b", f"{image}@{subject}")
    assert oras("repo", "tags", image).split() == ["v1"]


def test_referrers_written_with_the_tag_scheme_are_in_the_referrers_api(oras: Oras, image: str, subject: str) -> None:
    scheme = "--distribution-spec=v1.1-referrers-tag"
    oras("attach", scheme, "--artifact-type=application/vnd.example.old", "--annotation=a=b", f"{image}@{subject}")
    assert subject.replace(":", "-") in oras("repo", "tags", image).split()
    assert [found["artifactType"] for found in referrers(oras, f"{image}:v1")] == ["application/vnd.example.old"]


def test_a_deleted_referrer_is_no_longer_listed(oras: Oras, image: str, subject: str) -> None:
    oras("attach", "--artifact-type=application/vnd.example.one", "--annotation=a=b", f"{image}@{subject}")
    (found,) = referrers(oras, f"{image}:v1")
    oras("manifest", "delete", "--force", f"{image}@{found['digest']}")
    assert referrers(oras, f"{image}:v1") == []


def test_a_graph_of_referrers_is_copied_whole(oras: Oras, image: str, subject: str) -> None:
    oras("attach", "--artifact-type=application/vnd.example.sbom", "--annotation=a=b", f"{image}@{subject}")
    (sbom,) = referrers(oras, f"{image}:v1")
    oras("attach", "--artifact-type=application/vnd.example.signature", "--annotation=a=b", f"{image}@{sbom['digest']}")
    (signature,) = referrers(oras, f"{image}@{sbom['digest']}")
    oras("cp", "--recursive", f"{image}:v1", f"{image}-copy:v1")
    assert [found["digest"] for found in referrers(oras, f"{image}-copy:v1")] == [sbom["digest"]]
    assert [found["digest"] for found in referrers(oras, f"{image}-copy@{sbom['digest']}")] == [signature["digest"]]


def test_an_artifact_may_come_before_its_subject(oras: Oras, shell: Shell, layout: Layout, image: str) -> None:
    subject = layout.tagged("v1", layout.image())
    artifact = layout.artifact(SPDX, b"{}", subject=subject.json)
    for name, content in (("empty.json", b"{}"), ("artifact.json", layout.read(artifact.digest))):
        (shell.folder / name).write_bytes(content)
    oras("blob", "push", f"{image}@{sha256(b'{}')}", "empty.json")
    oras("manifest", "push", f"{image}@{artifact.digest}", "artifact.json")
    oras("cp", "--from-oci-layout", f"{layout.folder}:v1", f"{image}:v1")
    assert [found["digest"] for found in referrers(oras, f"{image}:v1")] == [artifact.digest]


def test_a_blob_is_pushed_fetched_and_deleted(oras: Oras, shell: Shell, image: str) -> None:
    content = unique()
    (shell.folder / "blob").write_bytes(content)
    oras("blob", "push", f"{image}@{sha256(content)}", "blob")
    oras("blob", "fetch", "--output=back", f"{image}@{sha256(content)}")
    assert (shell.folder / "back").read_bytes() == content
    oras("blob", "delete", "--force", f"{image}@{sha256(content)}")
    shell.refused("oras", "blob", "fetch", "--output=back", f"{image}@{sha256(content)}")


def test_a_manifest_is_resolved_fetched_and_deleted(oras: Oras, layout: Layout, image: str, subject: str) -> None:
    assert oras("resolve", f"{image}:v1").strip() == subject
    assert oras("manifest", "fetch", f"{image}:v1").encode() == layout.read(subject)
    oras("manifest", "delete", "--force", f"{image}@{subject}")
    assert oras("repo", "tags", image).split() == []


def test_an_index_is_made_in_the_registry(oras: Oras, image: str, subject: str) -> None:
    oras("manifest", "index", "create", f"{image}:all", "v1", "--artifact-type=application/vnd.example.set")
    index = json.loads(oras("manifest", "fetch", f"{image}:all"))
    assert index["artifactType"] == "application/vnd.example.set"
    assert [child["digest"] for child in index["manifests"]] == [subject]


def test_a_backup_holds_image_and_referrers_and_is_restored_elsewhere(oras: Oras, image: str, subject: str) -> None:
    oras("attach", "--artifact-type=application/vnd.example.sbom", "--annotation=a=b", f"{image}@{subject}")
    oras("backup", "--include-referrers", "--output=backup.tar", f"{image}:v1")
    oras("restore", "--input=backup.tar", f"{image}-restored:v1")
    assert oras("resolve", f"{image}-restored:v1").strip() == subject
    assert len(referrers(oras, f"{image}-restored:v1")) == 1


def test_repositories_are_listed_below_a_namespace(oras: Oras, server: Registry, image: str, subject: str) -> None:
    name = image.removeprefix(f"{server.login_server}/")
    below = name.rpartition("/")[0]
    assert subject
    assert oras("repo", "ls", f"{server.login_server}/{below}").split() == [name.rpartition("/")[2]]


def test_a_wrong_password_is_refused(shell: Shell, server: Registry) -> None:
    assert "unauthorized" in shell.refused(*login_to(server), stdin="wrong").lower()


def login_to(server: Registry) -> list[str]:
    identity = [f"--ca-file={server.ca}", f"--username={server.user}", "--password-stdin"]
    return ["oras", "login", *TLS_ON_LOCALHOST, *identity, server.login_server]
