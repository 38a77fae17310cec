"""The image ``acr``: made by the worker, run in a network that reaches nothing, and it reaches its registry."""

import base64
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.e2e.clients import Shell
from tests.e2e.layouts import OCI_INDEX
from tests.e2e.tasks.engine.machines import SOCKET, Bench, Host, machine
from tests.services import Registry

from entrepot.tasks.engines.docker.acr_image import AcrImage
from entrepot.tasks.engines.model import HOME_VOLUME
from entrepot.tasks.engines.registry import client_of, own_registry

pytestmark = [pytest.mark.xdist_group("task-engine"), pytest.mark.timeout(300)]


@pytest.fixture
def signed_in(host: Host, server: Registry, tmp_path: Path) -> Iterator[Bench]:
    """A machine whose docker configuration has the server's owner."""
    trusted = ssl.create_default_context(cafile=server.ca)
    reach = own_registry(server.login_server, "https", lambda: client_of(server.login_server, trusted))
    with machine(host, tmp_path, registry=reach) as bench:
        auth = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
        config = json.dumps({"auths": {server.login_server: {"auth": auth}}})
        bench.machine.write("/acb/home/.docker/config.json", config.encode())
        yield bench


def acr(bench: Bench, words: str, flags: str = "--network none") -> str:
    home = f"--volume {HOME_VOLUME}:/acb/home --env HOME=/acb/home"
    return f"docker run --rm {flags} {SOCKET} {home} entrepot-acr {words}"


def push(http: httpx.Client, repository: str, *tags: str) -> None:
    for tag in tags:
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "annotations": {"of": tag}}
        answer = http.put(f"/v2/{repository}/manifests/{tag}", json=index, headers={"content-type": OCI_INDEX})
        assert answer.status_code == 201, answer.text


def test_a_step_purges_its_registry_without_any_network(signed_in: Bench, http: httpx.Client, repository: str) -> None:
    push(http, repository, "dev-1", "dev-2", "v1")
    said = signed_in.says(acr(signed_in, f"purge --filter '{repository}:^dev' --ago 0d --untagged"))
    assert said.endswith("Number of deleted tags: 2\nNumber of deleted manifests: 2\n"), said
    assert http.get(f"/v2/{repository}/tags/list").json()["tags"] == ["v1"]


def test_what_it_may_not_do_fails_the_step(signed_in: Bench, repository: str) -> None:
    words = f"purge --filter '{repository}:.*' --ago 0d"
    assert "Error: " in signed_in.refuses(acr(signed_in, f"{words} -u nobody -p wrong"))
    assert "its own registry alone" in signed_in.refuses(acr(signed_in, f"{words} -r other.example"))


def test_a_run_without_a_registry_has_no_such_image(bench: Bench) -> None:
    assert "entrepot-acr" in bench.refuses(acr(bench, "version"))


def test_what_somebody_called_as_the_image_is_not_run(host: Host, signed_in: Bench, admin: Shell) -> None:
    """``docker load`` names an image before anybody could look at it; a worker that starts looks into it."""
    assert "0.19" in signed_in.says(acr(signed_in, "version"))
    name = admin.run("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "entrepot-acr").split()[0]
    admin.run("docker", "tag", signed_in.image, name)
    made = AcrImage().ensure(host.engine.site.api)
    assert made != signed_in.image
    assert "acr.py" in admin.run("docker", "inspect", "--format", "{{.Config.Entrypoint}}", made)
