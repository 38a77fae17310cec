"""A base image in Debian's docker-registry: pulled with the task's account, asked for again, built upon when new."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.distribution import PASSWORD, USER, docker_registry
from tests.e2e.az.cli import Az
from tests.e2e.clients import Shell, shell_in
from tests.e2e.layouts import BUSYBOX, tar_of
from tests.e2e.tasks.conftest import HUB, Site
from tests.e2e.tasks.test_az_run import task_name
from tests.e2e.tasks.test_patching import until
from tests.gits import Repository
from tests.services import wait_until

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(300)]

BASE = f"{HUB}/team/base:1"


@pytest.fixture
def hub(site: Site, tmp_path: Path) -> Iterator[Path]:
    """Its log."""
    with docker_registry(tmp_path / "hub", site.hub, HUB, site.inside.command) as log:
        ask = ["curl", "--silent", "--fail", "--cacert", site.hub.ca_file, "--user", f"{USER}:{PASSWORD}"]
        site.docker.run(*ask, "--retry", "20", "--retry-delay", "1", "--retry-connrefused", f"https://{HUB}/v2/")
        yield log


@pytest.fixture
def maintainer(site: Site, hub: Path, tmp_path: Path) -> Shell:
    """docker, signed in to that registry."""
    docker = site.inside.of(site.engine.seen_from(shell_in(tmp_path / "maintainer")))
    docker.run("docker", "login", "--username", USER, "--password-stdin", HUB, stdin=PASSWORD)
    return docker


def push_base(maintainer: Shell, version: str) -> str:
    """Its digest. The engine, which the site's runs share, does not keep it."""
    files = {"bin/sh": BUSYBOX.read_bytes(), "version": f"{version}\n".encode()}
    maintainer.run("docker", "import", "-", BASE, stdin=tar_of(files))
    said = maintainer.run("docker", "push", BASE)
    maintainer.run("docker", "rmi", BASE)
    (digest,) = re.findall(r"digest: (sha256:\w+)", said)
    return digest


def confirmed(hub: Path) -> int:
    """How often it was asked whether the tag still has a digest, and said that it has."""
    return len(re.findall(r'"HEAD /v2/team/base/manifests/1 HTTP/1.1" 304 ', hub.read_text()))


def test_a_new_base_there_begins_one_run(
    az: Az,
    site: Site,
    hub: Path,
    maintainer: Shell,
    git_at: str,
    app: Repository,
    entrepot: Callable[..., Any],
    repository: str,
) -> None:
    first = push_base(maintainer, "one")
    app.commit("on a base", {"Dockerfile": f"FROM {BASE}\nCOPY greeting /\n"})
    name, image = task_name(repository), f"{repository}:{{{{.Run.ID}}}}"
    of = ["--registry", "local", "--name", name]
    source = ["--context", f"{git_at}/team/app.git#main", "--file", "Dockerfile", "--commit-trigger-enabled", "false"]
    az.run("acr", "task", "create", *of, "--image", image, *source, "--output", "none")
    account = ["--login-server", HUB, "--username", USER, "--password", PASSWORD]
    az.run("acr", "task", "credential", "add", *of, *account, "--output", "none")
    assert "was successful after" in az.run("acr", "task", "run", *of)
    wait_until(lambda: confirmed(hub) > 0, "it is asked for what has not changed")
    (known,) = entrepot("task", "why", name)["baseImages"]
    assert (known["registry"], known["lastDigest"], known.get("problem")) == (HUB, first, None)

    second = push_base(maintainer, "two")
    last, _ = until(lambda: two_succeeded(az, of), within=120)
    (changed,) = last["imageUpdateTrigger"]["images"]
    assert changed == {"registry": HUB, "repository": "team/base", "tag": "1", "digest": second}
    built = f"{site.server.login_server}/{repository}:{last['runId']}"
    show = ["/bin/sh", "-c", "read line </version && echo $line"]
    assert site.docker.run("docker", "run", "--rm", built, *show).strip() == "two"

    before = confirmed(hub)
    wait_until(lambda: confirmed(hub) > before, "it is asked for the new one")
    why = entrepot("task", "why", name)
    assert [(each["runId"], each["reason"]) for each in why["evaluations"]] == [
        (last["runId"], f"{BASE} is {second} now.")
    ]
    assert len(az.json("acr", "task", "list-runs", *of)) == 2


def two_succeeded(az: Az, of: list[str]) -> list[dict[str, Any]]:
    """The newest first."""
    found = az.json("acr", "task", "list-runs", *of)
    return found if [run["status"] for run in found] == ["Succeeded", "Succeeded"] else []
