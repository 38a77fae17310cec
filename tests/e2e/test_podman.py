"""podman and buildah: images are built, pushed, pulled and built upon. All their files lie in the test's folder."""

import json
from pathlib import Path

import httpx
import pytest
from tests.e2e.clients import Shell, podman_in
from tests.e2e.layouts import BUSYBOX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, unique
from tests.services import Registry

CONTAINERFILE = """
FROM scratch
COPY busybox /bin/busybox
COPY unique /unique
ENTRYPOINT ["/bin/busybox"]
CMD ["echo", "hello from busybox"]
"""


@pytest.fixture
def tools(shell: Shell, server: Registry, certificates: Path) -> Shell:
    """Signed in with podman; buildah reads the same file."""
    configured = podman_in(shell)
    login = ["podman", "login", f"--cert-dir={certificates}", f"--username={server.user}", "--password-stdin"]
    configured.run(*login, server.login_server, stdin=server.password)
    return configured


@pytest.fixture
def context(shell: Shell) -> Path:
    folder = shell.folder / "context"
    folder.mkdir()
    (folder / "Containerfile").write_text(CONTAINERFILE)
    (folder / "busybox").write_bytes(BUSYBOX.read_bytes())
    (folder / "busybox").chmod(0o755)
    (folder / "unique").write_bytes(unique())
    return folder


def test_podman_builds_pushes_and_pulls_an_image(
    tools: Shell, context: Path, certificates: Path, image: str, repository: str, http: httpx.Client
) -> None:
    built = tools.run("podman", "build", "--quiet", "--tag", f"{image}:v1", context).strip()
    tools.run("podman", "push", f"--cert-dir={certificates}", "--digestfile=digest", f"{image}:v1")
    digest = (tools.folder / "digest").read_text()
    assert http.get(f"/v2/{repository}/manifests/v1").headers["docker-content-digest"] == digest
    tools.run("podman", "rmi", f"{image}:v1")
    assert tools.run("podman", "pull", "--quiet", f"--cert-dir={certificates}", f"{image}@{digest}").strip() == built


def test_podman_pushes_a_manifest_list_with_its_images(
    tools: Shell, context: Path, certificates: Path, image: str, repository: str, http: httpx.Client
) -> None:
    tools.run("podman", "manifest", "create", f"{image}:list")
    for architecture in ("amd64", "arm64"):
        tools.run("podman", "build", "--no-cache", f"--arch={architecture}", f"--tag={image}:{architecture}", context)
        tools.run("podman", "manifest", "add", f"{image}:list", f"containers-storage:{image}:{architecture}")
    push = ["podman", "manifest", "push", "--all", f"--cert-dir={certificates}", f"{image}:list"]
    tools.run(*push, f"docker://{image}:v1")
    stored = http.get(f"/v2/{repository}/manifests/v1")
    assert stored.headers["content-type"] == OCI_INDEX
    children = stored.json()["manifests"]
    assert {child["platform"]["architecture"] for child in children} == {"amd64", "arm64"}
    for child in children:
        assert http.get(f"/v2/{repository}/manifests/{child['digest']}").status_code == 200


@pytest.mark.parametrize(("form", "media_type"), [("oci", OCI_MANIFEST), ("v2s2", DOCKER_MANIFEST)])
def test_buildah_pushes_in_the_form_it_is_asked_for(
    tools: Shell,
    context: Path,
    certificates: Path,
    image: str,
    repository: str,
    http: httpx.Client,
    form: str,
    media_type: str,
) -> None:
    tools.run("buildah", "build", "--tag", f"{image}:v1", context)
    tools.run("buildah", "push", f"--format={form}", f"--cert-dir={certificates}", f"{image}:v1")
    assert http.get(f"/v2/{repository}/manifests/v1").headers["content-type"] == media_type


def test_buildah_runs_what_it_has_pulled(tools: Shell, context: Path, certificates: Path, image: str) -> None:
    tools.run("buildah", "build", "--tag", f"{image}:v1", context)
    tools.run("buildah", "push", f"--cert-dir={certificates}", f"{image}:v1")
    tools.run("buildah", "rmi", f"{image}:v1")
    container = tools.run("buildah", "from", f"--cert-dir={certificates}", f"{image}:v1").strip()
    # By how it ends: buildah loses what a program prints that ends at once, on a busy machine.
    tools.run("buildah", "run", container, "/bin/busybox", "true")
    tools.refused("buildah", "run", container, "/bin/busybox", "false")


def test_buildah_builds_upon_an_image_of_the_registry(
    tools: Shell, context: Path, certificates: Path, image: str
) -> None:
    tools.run("buildah", "build", "--tag", f"{image}:base", context)
    tools.run("buildah", "push", f"--cert-dir={certificates}", f"{image}:base")
    tools.run("buildah", "rmi", f"{image}:base")
    (context / "Containerfile").write_text(f"FROM {image}:base\nLABEL org.example.child=yes\n")
    tools.run("buildah", "build", f"--cert-dir={certificates}", "--tag", f"{image}:child", context)
    tools.run("buildah", "push", f"--cert-dir={certificates}", f"{image}:child")
    inspect = ["skopeo", "inspect", "--config", f"--cert-dir={certificates}", f"docker://{image}:child"]
    assert json.loads(tools.run(*inspect))["config"]["Labels"]["org.example.child"] == "yes"


def test_podman_says_why_a_login_is_refused(shell: Shell, server: Registry, certificates: Path) -> None:
    login = ["podman", "login", f"--cert-dir={certificates}", f"--username={server.user}", "--password-stdin"]
    assert "invalid username/password" in shell.refused(*login, server.login_server, stdin="wrong")


def test_podman_pulls_no_longer_after_logging_out(
    tools: Shell, context: Path, certificates: Path, server: Registry, image: str
) -> None:
    tools.run("podman", "build", "--tag", f"{image}:v1", context)
    tools.run("podman", "push", f"--cert-dir={certificates}", f"{image}:v1")
    tools.run("podman", "logout", server.login_server)
    said = tools.refused("podman", "pull", f"--cert-dir={certificates}", f"{image}:v1").lower()
    assert "unauthorized" in said or "authentication required" in said
