"""What engines make for a registry: caches that the next worker finds, indexes of platforms, attestations; podman."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.az.cli import Az
from tests.e2e.clients import Shell, shell_in
from tests.e2e.docker.dockerd import Engine, dockerd
from tests.e2e.tasks.conftest import TOOLS, Site
from tests.e2e.tasks.engine.podman import podman_service
from tests.e2e.tasks.test_az_build import tags
from tests.e2e.tasks.test_az_run import final

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(300)]

STEPS = """\
version: v1.1.0
steps:
  - build: -t $Registry/REPOSITORY:v1 .
  - push: ["$Registry/REPOSITORY:v1"]
"""


def on(socket: Path, site: Site, source: Path, steps: str, shell: Shell | None = None) -> str:
    """What the steps say on the engine behind the socket, as another worker's."""
    (source / "acb.yaml").write_text(steps)
    words = ["task", "exec", str(source / "acb.yaml"), str(source), "--engine", str(socket)]
    signed_in = ["--registry", site.server.login_server, "--username", site.server.user, "--password-stdin"]
    command = [sys.executable, "-m", "entrepot", *words, *signed_in]
    return (shell or site.docker).run(*command, stdin=f"{site.server.password}\n")


@pytest.fixture
def second(site: Site) -> Iterator[Engine]:
    """Another in the site's network, with a bridge of its own: without one it would take away that of the first."""
    ip = [*site.inside.command, "ip"]
    for words in ("link add second type bridge", "address add 10.89.0.1/24 dev second", "link set second up"):
        subprocess.run([*ip, *words.split()], check=True)
    try:
        with dockerd(within=site.inside.command, flags=("--bridge=second", "--iptables=false")) as engine:
            yield engine
    finally:
        subprocess.run([*ip, "link", "delete", "second"], check=True)


def test_a_second_worker_builds_from_the_cache_of_the_first(
    site: Site, second: Engine, az: Az, source: Path, repository: str
) -> None:
    (source / "Dockerfile").write_text(f"FROM {site.tools}\nCOPY greeting /\nRUN cat greeting >/made\n")
    steps = STEPS.replace("REPOSITORY", repository)
    assert not cached(on(site.engine.socket, site, source, steps)) & {"2", "3"}
    found = az.json("acr", "repository", "show-tags", "--name", "local", "--repository", repository)
    assert set(found) == {"v1", "cache"}
    said = on(second.socket, site, source, steps)
    assert cached(said) >= {"2", "3"}, said


MULTI_STAGE = """\
FROM TOOLS AS deps
COPY list /
RUN cat list >/fetched
COPY greeting /
RUN cat greeting fetched >/made
FROM TOOLS
COPY --from=deps /made /
RUN cat made
"""


def test_a_second_worker_goes_on_from_stages_of_a_build_that_asks_for_a_cache(
    site: Site, second: Engine, source: Path, repository: str
) -> None:
    (source / "Dockerfile").write_text(MULTI_STAGE.replace("TOOLS", site.tools))
    (source / "list").write_text(f"{repository}\n")
    steps = STEPS.replace("v1 .\n", "v1 .\n    cache: enabled\n").replace("REPOSITORY", repository)
    slow = "[deps 3/5] RUN cat list >/fetched"
    assert "DONE" in instructions(on(site.engine.socket, site, source, steps))[slow]
    (source / "greeting").write_text("another one, copied after what is slow\n")
    said = on(second.socket, site, source, steps)
    found = instructions(said)
    assert found[slow] == {"CACHED"}, said
    assert "DONE" in found["[stage-1 2/3] COPY --from=deps /made /"]
    assert "another one, copied after what is slow" in said


def instructions(said: str) -> dict[str, set[str]]:
    """What came of each, in any of the builds."""
    found: dict[str, set[str]] = {}
    for build in said.split("load build definition"):
        names = dict(re.findall(r"^#(\d+) (\[.+? \d+/\d+\] .+)$", build, re.MULTILINE))
        for number, ending in re.findall(r"^#(\d+) (CACHED|DONE)", build, re.MULTILINE):
            found.setdefault(names.get(number, ""), set()).add(ending)
    return found


def cached(said: str) -> set[str]:
    """The numbers of the Dockerfile's instructions that BuildKit did not do again."""
    instructions = dict(re.findall(r"^#(\d+) \[(\d)/3\]", said, re.MULTILINE))
    return {instructions[step] for step in re.findall(r"^#(\d+) CACHED", said, re.MULTILINE) if step in instructions}


def test_several_platforms_are_one_index_with_provenance_beside_each(
    site: Site, az: Az, source: Path, repository: str
) -> None:
    request = {
        "type": "DockerBuildRequest",
        "dockerFilePath": "Dockerfile",
        "imageNames": [f"{repository}:v1"],
        "platform": {"os": "linux", "architecture": "amd64,arm64"},
        "attestations": ["provenance"],
        "sourceLocation": _uploaded(site, az, source),
    }
    run = json.loads(_asked(az, "scheduleRun", request))
    assert final(az, run["name"])["status"] == "Succeeded", az.run(
        "acr", "task", "logs", "--registry", "local", "--run-id", run["name"]
    )
    assert [tag for tag in tags(az, repository) if "cache" not in tag] == ["v1"]
    index = json.loads(site.docker.run("docker", "manifest", "inspect", f"{site.server.login_server}/{repository}:v1"))
    platforms = [each["platform"]["architecture"] for each in index["manifests"]]
    assert platforms == ["amd64", "arm64"]
    for child in index["manifests"]:
        (found,) = _referrers(site, repository, child["digest"])
        assert found["artifactType"] == "application/vnd.in-toto+json"


def _asked(az: Az, action: str, body: object) -> str:
    url = f"{az.registry}/{action}?api-version=2019-06-01-preview"
    return az.run("rest", "--method", "post", "--url", url, "--body", json.dumps(body), "--output", "json")


def _uploaded(site: Site, az: Az, source: Path) -> str:
    """Where the source is then."""
    place = json.loads(_asked(az, "listBuildSourceUploadUrl", {}))
    archive = shutil.make_archive(str(source.parent / "sent"), "gztar", source)
    put = ["curl", "--silent", "--fail", "--cacert", site.server.ca, "--upload-file", archive]
    site.docker.run(*put, "--header", "x-ms-blob-type: BlockBlob", place["uploadUrl"])
    return place["relativePath"]


def _referrers(site: Site, repository: str, digest: str) -> list[dict[str, str]]:
    url = f"https://{site.server.login_server}/v2/{repository}/referrers/{digest}"
    signed_in = ["--user", f"{site.server.user}:{site.server.password}"]
    said = site.docker.run("curl", "--silent", "--fail", "--cacert", site.server.ca, *signed_in, url)
    return json.loads(said)["manifests"]


@pytest.fixture
def podman(site: Site, tmp_path: Path) -> Iterator[tuple[Path, Shell]]:
    """Its socket, and a shell in the site's network."""
    with podman_service(site.inside.command) as service:
        yield service.socket, site.inside.of(shell_in(tmp_path / "podman"))


def test_podman_builds_a_folder_runs_steps_beside_each_other_and_pushes(
    site: Site, az: Az, source: Path, repository: str, podman: tuple[Path, Shell]
) -> None:
    socket, shell = podman
    tools = f"$Registry/{TOOLS}"
    (source / "Dockerfile").write_text(f"FROM {site.tools}\nCOPY greeting /\nRUN cat greeting >/made\n")
    steps = f"""\
version: v1.1.0
steps:
  - id: build
    build: -t $Registry/{repository}:v1 .
  - id: one
    cmd: {tools} sh -c 'echo one >/workspace/one'
    when: ["-"]
  - id: two
    cmd: $Registry/{repository}:v1 sh -c 'cat /made; while ! cat /workspace/one 2>/dev/null; do sleep 0.1; done'
    when: [build]
  - push: ["$Registry/{repository}:v1"]
    when: [one, two]
"""
    said = on(socket, site, source, steps, shell)
    assert "hello from" in said, said
    assert "succeeded" in said
    assert tags(az, repository) == ["v1"]
