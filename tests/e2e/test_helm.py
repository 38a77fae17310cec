"""Helm 3 and 4: charts as OCI artifacts. Both are told of the CA by a flag of each command."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.e2e.clients import Shell
from tests.services import Registry

Helm = Callable[..., str]

HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
HELM_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
CHART = """
apiVersion: v2
name: greeting
description: A chart of the tests
version: {version}
"""
TEMPLATE = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-greeting
data:
  greeting: {{ .Values.greeting | quote }}
"""


@pytest.fixture(params=["helm3", "helm4"])
def program(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def helm(program: str, shell: Shell, server: Registry) -> Helm:
    login = [program, "registry", "login", f"--ca-file={server.ca}", f"--username={server.user}", "--password-stdin"]
    shell.run(*login, server.login_server, stdin=server.password)

    def run(command: str, *words: str | Path) -> str:
        return shell.heard(program, command, f"--ca-file={server.ca}", *words)

    return run


@pytest.fixture
def package(program: str, shell: Shell) -> Callable[[str], Path]:
    """Packs the chart in this version."""
    (shell.folder / "greeting" / "templates").mkdir(parents=True)
    (shell.folder / "greeting" / "values.yaml").write_text("greeting: hello\n")
    (shell.folder / "greeting" / "templates" / "greeting.yaml").write_text(TEMPLATE)

    def pack(version: str) -> Path:
        (shell.folder / "greeting" / "Chart.yaml").write_text(CHART.format(version=version))
        shell.run(program, "package", "greeting")
        return shell.folder / f"greeting-{version}.tgz"

    return pack


def test_a_chart_goes_there_and_back_byte_for_byte(
    helm: Helm, package: Callable[[str], Path], shell: Shell, image: str
) -> None:
    chart = package("1.2.3")
    pushed = helm("push", chart, f"oci://{image}")
    pulled = helm("pull", f"oci://{image}/greeting", "--version=1.2.3", f"--destination={shell.folder / 'home'}")
    assert (shell.folder / "home" / chart.name).read_bytes() == chart.read_bytes()
    assert digest_in(pushed) == digest_in(pulled)


def test_a_chart_is_stored_as_helm_describes_it(
    helm: Helm, package: Callable[[str], Path], image: str, repository: str, http: httpx.Client
) -> None:
    pushed = helm("push", package("1.2.3"), f"oci://{image}")
    stored = http.get(f"/v2/{repository}/greeting/manifests/1.2.3")
    assert stored.headers["docker-content-digest"] == digest_in(pushed)
    assert stored.json()["config"]["mediaType"] == HELM_CONFIG
    assert [layer["mediaType"] for layer in stored.json()["layers"]] == [HELM_CHART]


def test_the_newest_version_in_a_range_is_found_by_the_tags(
    helm: Helm, package: Callable[[str], Path], image: str
) -> None:
    for version in ("1.2.3", "1.10.0", "2.0.0"):
        helm("push", package(version), f"oci://{image}")
    assert "version: 1.10.0" in helm("show", "chart", f"oci://{image}/greeting", "--version=^1.2")


def test_build_metadata_survives_as_an_underscore_in_the_tag(
    helm: Helm, package: Callable[[str], Path], image: str, repository: str, http: httpx.Client
) -> None:
    helm("push", package("1.2.3+build.5"), f"oci://{image}")
    assert http.get(f"/v2/{repository}/greeting/tags/list").json()["tags"] == ["1.2.3_build.5"]
    assert "version: 1.2.3+build.5" in helm("show", "chart", f"oci://{image}/greeting", "--version=1.2.3+build.5")


def test_a_release_is_rendered_straight_from_the_registry(
    helm: Helm, package: Callable[[str], Path], image: str
) -> None:
    helm("push", package("1.2.3"), f"oci://{image}")
    assert 'greeting: "hi"' in helm(
        "template", "mine", f"oci://{image}/greeting", "--version=1.2.3", "--set=greeting=hi"
    )


def test_a_wrong_password_is_refused(program: str, shell: Shell, server: Registry) -> None:
    login = [program, "registry", "login", f"--ca-file={server.ca}", f"--username={server.user}", "--password-stdin"]
    said = shell.refused(*login, server.login_server, stdin="wrong").lower()
    assert "unauthorized" in said or "401" in said


def test_who_has_signed_out_can_no_longer_pull(
    helm: Helm, package: Callable[[str], Path], program: str, shell: Shell, server: Registry, image: str
) -> None:
    helm("push", package("1.2.3"), f"oci://{image}")
    shell.run(program, "registry", "logout", server.login_server)
    said = shell.refused(
        program, "pull", f"--ca-file={server.ca}", f"oci://{image}/greeting", "--version=1.2.3"
    ).lower()
    assert "401" in said or "unauthorized" in said or "basic credential not found" in said


def digest_in(said: str) -> str:
    return next(line.partition("Digest: ")[2] for line in said.splitlines() if line.startswith("Digest: "))
