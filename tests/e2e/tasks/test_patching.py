"""Tasks that are begun by images: a chain of three whose lowest base is patched, and many pushes at once (7.2)."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.az.cli import Az
from tests.e2e.layouts import BUSYBOX, tar_of
from tests.e2e.tasks.conftest import TOOLS, Site

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(600)]

# Pushes that begin runs on the engine; thirty of them are tried by hand.
PUSHES = int(os.environ.get("TASK_PUSHES", "6"))
VERSION = "2025-03-01-preview"


def until(condition: Callable[[], Any], within: float = 300.0) -> Any:  # noqa: ANN401  whatever it found
    """What it finds, once it finds something."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(2)
    return found


def push_base(site: Site, repository: str, content: str) -> None:
    image = f"{site.server.login_server}/{repository}:1"
    files = {"bin/sh": BUSYBOX.read_bytes(), "version": content.encode()}
    site.docker.run("docker", "import", "-", image, stdin=tar_of(files))
    site.docker.run("docker", "push", image)


def building(base: str, image: str, folder: Path) -> Path:
    """A task file that builds an image on another one; each time it is another image."""
    folder.mkdir(exist_ok=True)
    write = f'echo "FROM $Registry/{base}:1" > Dockerfile && echo "COPY run /run" >> Dockerfile && echo $ID > run'
    file = folder / f"{image.rpartition('/')[2]}.yaml"
    file.write_text(
        f"""\
version: v1.1.0
steps:
  - cmd: $Registry/{TOOLS} sh -c '{write}'
  - build: -t $Registry/{image}:1 .
  - push: [$Registry/{image}:1]
"""
    )
    return file


def test_a_patched_base_goes_through_a_chain_of_three_tasks(
    az: Az, site: Site, repository: str, tmp_path: Path
) -> None:
    push_base(site, f"{repository}/upstream", "1")
    marks = repository[-8:]
    names = [f"{name}-{marks}" for name in ("os", "framework", "app")]
    bases = [f"{repository}/{each}" for each in ("upstream", "os", "framework")]
    for name, base in zip(names, bases, strict=True):
        image = f"{repository}/{name.partition('-')[0]}"
        of = ["--registry", "local", "--name", name]
        file = str(building(base, image, tmp_path / "files"))
        az.run("acr", "task", "create", *of, "--context", "/dev/null", "--file", file, "--output", "none")
        assert "was successful after" in az.run("acr", "task", "run", *of)
    push_base(site, f"{repository}/upstream", "2")
    found = until(lambda: patched(az, names))
    tasks = {each["name"]: each for each in az.json("acr", "task", "list", "--registry", "local")}
    for name, base in zip(names, bases, strict=True):
        last, first = [run for run in found if run["task"] == name]
        assert (first["imageUpdateTrigger"], last["runType"]) == (None, "AutoRun")
        (image,) = last["imageUpdateTrigger"]["images"]
        assert (image["repository"], image["tag"]) == (base, "1")
        (known,) = tasks[name]["step"]["baseImageDependencies"]
        assert (known["type"], known["repository"], known["digest"]) == ("Runtime", base, image["digest"])


def patched(az: Az, names: list[str]) -> list[dict[str, Any]]:
    """All runs of the tasks, the newest first, once the last task has had its second."""
    found = az.json("acr", "task", "list-runs", "--registry", "local", "--top", "50")
    of_last = [run["status"] for run in found if run["task"] == names[-1]]
    return [run for run in found if run["task"] in names] if of_last == ["Succeeded", "Succeeded"] else []


def test_each_of_many_pushes_has_its_run_on_the_engine(az: Az, site: Site, repository: str, tmp_path: Path) -> None:
    name = f"pushed-{repository[-8:]}"
    of = ["--registry", "local", "--name", name]
    steps = tmp_path / "acb.yaml"
    steps.write_text(f"version: v1.1.0\nsteps:\n  - cmd: $Registry/{TOOLS} echo {{{{.Values.event_reference}}}}\n")
    az.run("acr", "task", "create", *of, "--context", "/dev/null", "--file", str(steps), "--output", "none")
    trigger = {"eventTriggers": [{"name": "pushed", "repositories": [repository], "tags": ["v*"]}]}
    url = f"{site.server.endpoint}{az.registry}/tasks/{name}?api-version={VERSION}"
    az.run("rest", "--method", "patch", "--url", url, "--body", json.dumps({"properties": {"trigger": trigger}}))
    image = f"{site.server.login_server}/{repository}"
    tags = [f"v{number}" for number in range(PUSHES)]
    site.docker.run("docker", "import", "-", f"{image}:v0", stdin=tar_of({"file": repository.encode()}))
    for tag in tags[1:]:
        site.docker.run("docker", "tag", f"{image}:v0", f"{image}:{tag}")
    site.docker.run("docker", "push", "--all-tags", image)
    every = ["--top", str(2 * PUSHES)]

    def ended() -> list[dict[str, Any]]:
        found = az.json("acr", "task", "list-runs", *of, *every)
        return found if sum(run["status"] == "Succeeded" for run in found) == PUSHES else []

    found = until(ended, within=60 + 20 * PUSHES)
    assert len(found) == PUSHES
    said = az.run("acr", "task", "logs", "--registry", "local", "--run-id", found[0]["runId"])
    assert f"{image}:v" in said
    why = az.json("rest", "--method", "post", "--url", url.replace("?", "/explainTriggers?"), "--body", "{}")
    assert {each["runId"] for each in why["evaluations"]} == {run["runId"] for run in found}
