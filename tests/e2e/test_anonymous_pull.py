"""Pulling without signing in: off unless the operator says so, and even then nobody pushes without a name."""

from pathlib import Path

from tests.e2e.clients import Shell, certificates_of, http_of, shell_in, skopeo_for
from tests.e2e.layouts import Layout
from tests.services import Registry


def push(registry: Registry, repository: str, folder: Path) -> Layout:
    layout = Layout(folder / "pushed")
    layout.tagged("v1", layout.image())
    shell = shell_in(folder / "pusher")
    skopeo = skopeo_for(shell, registry, certificates_of(registry, folder / "trust"))
    skopeo("copy", f"oci:{layout.folder}:v1", f"docker://{registry.login_server}/{repository}:v1")
    return layout


def test_anonymous_pull_lets_clients_pull_without_signing_in(
    public: Registry, repository: str, shell: Shell, tmp_path: Path
) -> None:
    push(public, repository, tmp_path)
    source = f"docker://{public.login_server}/{repository}:v1"
    trust = f"--src-cert-dir={tmp_path / 'trust'}"
    shell.run("skopeo", "copy", trust, source, f"dir:{tmp_path / 'pulled'}")
    trusting = shell.having(SSL_CERT_FILE=str(public.ca))
    assert trusting.run("crane", "ls", f"{public.login_server}/{repository}").split() == ["v1"]
    trusting.run("oras", "resolve", "--plain-http=false", f"{public.login_server}/{repository}:v1")


def test_anonymous_pull_lets_nobody_push_or_delete(
    public: Registry, repository: str, shell: Shell, tmp_path: Path
) -> None:
    layout = push(public, repository, tmp_path)
    target = f"{public.login_server}/{repository}:v1"
    trusting = shell.having(SSL_CERT_FILE=str(public.ca))
    for command in (["crane", "push", str(layout.folder), f"{target}-other"], ["crane", "delete", target]):
        said = trusting.refused(*command)
        assert "UNAUTHORIZED" in said or "DENIED" in said, said
    with http_of(public) as http:
        assert http.get(f"/v2/{repository}/tags/list").json()["tags"] == ["v1"]


def test_without_the_setting_nothing_is_pulled_anonymously(
    server: Registry, repository: str, shell: Shell, tmp_path: Path
) -> None:
    push(server, repository, tmp_path)
    trusting = shell.having(SSL_CERT_FILE=str(server.ca))
    said = trusting.refused("crane", "manifest", f"{server.login_server}/{repository}:v1")
    assert "UNAUTHORIZED" in said.upper()
