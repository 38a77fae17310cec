"""Signatures as cosign keeps them: an artifact whose tag is made of the digest that it signs."""

import json

import httpx
import pytest
from tests.e2e.clients import Shell
from tests.e2e.layouts import OCI_CONFIG, OCI_MANIFEST, Descriptor, Json, Layout
from tests.services import Registry

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
ANNOTATION = "dev.cosignproject.cosign/signature"


@pytest.fixture
def signed_in(trusting: Shell, server: Registry) -> Shell:
    """For crane, and for oras, which reads the same file."""
    login = ["crane", "auth", "login", server.login_server, f"--username={server.user}", "--password-stdin"]
    trusting.run(*login, stdin=server.password)
    return trusting


@pytest.fixture
def signature(signed_in: Shell, layout: Layout, image: str) -> str:
    """The tag of a signature of an image; both are there."""
    pushed = layout.tagged("image", layout.multi_platform())
    layout.tagged("signature", signature_of(pushed.digest, layout))
    tag = pushed.digest.replace(":", "-") + ".sig"
    for name, target in (("image", "v1"), ("signature", tag)):
        flags = ["--from-oci-layout", "--to-plain-http=false"]
        signed_in.run("oras", "cp", *flags, f"{layout.folder}:{name}", f"{image}:{target}")
    return tag


def test_a_signature_is_found_by_the_digest_that_it_signs(signed_in: Shell, image: str, signature: str) -> None:
    digest = signed_in.run("crane", "digest", f"{image}:v1").strip()
    assert digest.replace(":", "-") + ".sig" == signature
    (layer,) = json.loads(signed_in.run("crane", "manifest", f"{image}:{signature}"))["layers"]
    assert layer["annotations"] == {ANNOTATION: "MEUCIQ=="}
    payload = json.loads(signed_in.run("crane", "blob", f"{image}@{layer['digest']}"))
    assert payload["critical"]["image"]["docker-manifest-digest"] == digest


def test_a_signature_is_replaced_when_one_is_added(
    signed_in: Shell, layout: Layout, image: str, signature: str
) -> None:
    digest = "sha256:" + signature.removesuffix(".sig").partition("-")[2]
    layout.tagged("two", signature_of(digest, layout, "MEUCIQ==", "MEQCIA=="))
    signed_in.run(
        "oras", "cp", "--from-oci-layout", "--to-plain-http=false", f"{layout.folder}:two", f"{image}:{signature}"
    )
    layers = json.loads(signed_in.run("crane", "manifest", f"{image}:{signature}"))["layers"]
    assert [layer["annotations"][ANNOTATION] for layer in layers] == ["MEUCIQ==", "MEQCIA=="]


def test_a_signature_is_no_referrer(repository: str, signature: str, http: httpx.Client) -> None:
    digest = "sha256:" + signature.removesuffix(".sig").partition("-")[2]
    assert http.get(f"/v2/{repository}/referrers/{digest}").json()["manifests"] == []


def signature_of(digest: str, layout: Layout, *signatures: str) -> Descriptor:
    """What ``cosign sign`` makes: the signed payload as one layer for each signature, which is an annotation."""
    payload = layout.blob(
        json.dumps({"critical": {"image": {"docker-manifest-digest": digest}}}).encode(), SIMPLE_SIGNING
    )
    layers = [payload.having(annotations={ANNOTATION: signature}).json for signature in signatures or ("MEUCIQ==",)]
    rootfs: Json = {"type": "layers", "diff_ids": [payload.digest for _ in layers]}
    config = layout.document(OCI_CONFIG, {"architecture": "", "os": "", "rootfs": rootfs})
    manifest: Json = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.json, "layers": layers}
    return layout.document(OCI_MANIFEST, manifest)
