"""A push to a git server begins a run: the server tells of it, or we look. The image of its commit can be pulled."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.az.cli import Az
from tests.e2e.clients import ROOT, shell_in
from tests.e2e.tasks.conftest import TOOLS, Site, of_registry
from tests.e2e.tasks.gitd import DELIVER
from tests.e2e.tasks.test_az_build import dependencies_in
from tests.e2e.tasks.test_az_run import final, task_name
from tests.gits import Repository
from tests.services import wait_until

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(300)]


def create(az: Az, repository: str, url: str) -> list[str]:
    """A task that builds the repository's main branch; what names it."""
    of = ["--registry", "local", "--name", task_name(repository)]
    image = ["--image", f"{repository}:{{{{.Run.Commit}}}}", "--image", f"{repository}:{{{{.Run.Branch}}}}"]
    source = ["--context", f"{url}/team/app.git#main", "--file", "Dockerfile", "--git-access-token", "any"]
    az.run("acr", "task", "create", *of, *image, *source, "--base-image-trigger-enabled", "false", "--output", "none")
    return of


def begun(az: Az, of: list[str], within: float = 90.0) -> Any:  # noqa: ANN401  a run
    """The one run of the task, once it has ended."""
    until = time.monotonic() + within
    while not (found := az.json("acr", "task", "list-runs", *of)):
        assert time.monotonic() < until
        time.sleep(1)
    assert len(found) == 1
    return final(az, found[0]["runId"])


def test_a_push_that_the_git_server_tells_of_is_built(
    az: Az, site: Site, git_at: str, app: Repository, entrepot: Callable[..., Any], repository: str, tmp_path: Path
) -> None:
    of = create(az, repository, git_at)
    (hook,) = entrepot("task", "hook", task_name(repository))
    told = {"HOOK_URL": hook["url"], "HOOK_SECRET": hook["secret"], "HOOK_CA": site.server.ca, "PYTHONPATH": ROOT}
    script = app.bare / "hooks" / "post-receive"
    variables = " ".join(f"{name}='{value}'" for name, value in told.items())
    script.write_text(DELIVER.format(variables=variables, python=sys.executable))
    script.chmod(0o755)
    shell, clone = site.inside.of(shell_in(tmp_path / "shell")), tmp_path / "clone"
    shell.run("git", "clone", "--quiet", f"{git_at}/team/app.git", clone)
    (clone / "greeting").write_text("second\n")
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    shell.run("git", "-C", clone, *who, "commit", "--quiet", "--all", "--message", "second")
    shell.run("git", "-C", clone, "push", "--quiet", "origin", "HEAD:main")
    commit = shell.run("git", "-C", clone, "rev-parse", "HEAD").strip()
    run = begun(az, of)
    assert run["status"] == "Succeeded", az.run("acr", "task", "logs", *of)
    assert (run["sourceTrigger"]["commitId"], run["sourceTrigger"]["eventType"]) == (commit, "commit")
    for tag in (commit, "main"):
        site.docker.run("docker", "pull", f"{site.server.login_server}/{repository}:{tag}")
    why = entrepot("task", "why", task_name(repository))
    assert why["evaluations"][0]["runId"] == run["runId"]
    assert why["sources"][0]["lastDelivery"]


def test_a_push_that_nobody_tells_of_is_found(
    az: Az, site: Site, git_at: str, app: Repository, entrepot: Callable[..., Any], repository: str
) -> None:
    of = create(az, repository, git_at)
    name = task_name(repository)
    wait_until(lambda: "lastCheck" in entrepot("task", "why", name)["sources"][0], "the first look", within=60)
    commit = app.commit("second", {"greeting": "second\n"})
    run = begun(az, of)
    assert run["status"] == "Succeeded", az.run("acr", "task", "logs", *of)
    assert run["sourceTrigger"]["commitId"] == commit
    site.docker.run("docker", "pull", f"{site.server.login_server}/{repository}:{commit}")


def test_a_build_of_a_task_file_has_its_context_in_a_repository(
    az: Az, site: Site, git_at: str, app: Repository, source: Path, repository: str
) -> None:
    """A branch and a folder of it, beside the run's own files, which stay as they are."""
    dockerfile = "FROM scratch\nCOPY . /\n"
    files = {"parts/one/Dockerfile": dockerfile, "parts/one/note": "from the branch\n", "parts/two/note": "another\n"}
    commit = app.commit("parts", files, branch="feature")
    (source / "acb.yaml").write_text(
        f"""\
version: v1.1.0
steps:
  - id: remote
    build: -t $Registry/{repository}:v1 {git_at}/team/app.git#feature:parts/one
  - id: show
    cmd: $Registry/{TOOLS} sh -c 'cat greeting remote/parts/one/note; echo remote/parts/*; echo here *'
  - push: [$Registry/{repository}:v1]
"""
    )
    said = az.run("acr", "run", "--registry", "local", "--file", "acb.yaml", str(source))
    assert "was successful after" in said, said
    assert (source / "greeting").read_text().strip() in said
    assert "from the branch" in said
    (found,) = dependencies_in(said)
    assert found["git"] == {"git-head-revision": commit}
    assert files_of(site, repository) == {"Dockerfile", "note"}


def files_of(site: Site, repository: str) -> set[str]:
    """In the one layer of the image that is tagged v1."""
    (layer,) = of_registry(site, f"{repository}/manifests/v1")["layers"]
    signed_in = ["--user", f"{site.server.user}:{site.server.password}", "--cacert", site.server.ca]
    url = f"https://{site.server.login_server}/v2/{repository}/blobs/{layer['digest']}"
    listed = site.docker.run("sh", "-c", 'curl --silent --fail "$@" | tar -tz', "sh", *signed_in, url)
    return {name for line in listed.splitlines() if (name := line.strip("./"))}
