"""``az acr run``, ``az acr task`` and ``az acr taskrun``: steps, tasks by name, cancels, timers (ACR-TASKS 2, 5, 6)."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from tests.e2e.az.cli import Az
from tests.e2e.clients import Shell
from tests.e2e.layouts import OCI_EMPTY, OCI_MANIFEST, Descriptor, sha256
from tests.e2e.namespaces import ADDRESS
from tests.e2e.tasks.conftest import PORT, TOOLS, Site
from tests.e2e.tasks.test_az_build import tags
from tests.faults.serve.seen import processes_of
from tests.services import wait_until

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(300)]

# From the answer to the end of the run's last container: a second, where little else goes on.
CANCELED_WITHIN = 10.0
HELLO = f"$Registry/{TOOLS} echo hello from $ID"


def task_name(repository: str) -> str:
    return f"task-{repository.rpartition('/')[2]}"


def final(az: Az, run_id: str, within: float = 120.0) -> dict[str, object]:
    """The run once it has ended."""
    until = time.monotonic() + within
    while True:
        found = az.json("acr", "task", "show-run", "--registry", "local", "--run-id", run_id)
        if found["status"] not in {"Queued", "Started", "Running"}:
            return found
        assert time.monotonic() < until, found
        time.sleep(1)


def test_a_command_runs_in_a_container(az: Az, site: Site) -> None:
    said = az.run("acr", "run", "--registry", "local", "--cmd", HELLO, "/dev/null")
    assert "hello from ca" in said, said
    assert "was successful after" in said


def test_steps_run_beside_each_other_and_share_files(az: Az, source: Path, repository: str) -> None:
    (source / "acb.yaml").write_text(
        f"""\
version: v1.1.0
steps:
  - id: write
    cmd: $Registry/{TOOLS} sh -c 'echo "FROM scratch" > Dockerfile.two && echo "COPY greeting /" >> Dockerfile.two'
  - id: one
    build: -t $Registry/{repository}/one:$ID .
    when: [write]
  - id: two
    build: -t $Registry/{repository}/two:$ID -f Dockerfile.two .
    when: [write]
  - id: served
    cmd: $Registry/{TOOLS} sleep 60
    detach: true
    when: ["-"]
  - push: [$Registry/{repository}/one:$ID, $Registry/{repository}/two:$ID]
    when: [one, two, served]
"""
    )
    said = az.run("acr", "run", "--registry", "local", "--file", "acb.yaml", str(source))
    assert "was successful after" in said, said
    assert tags(az, f"{repository}/one") == tags(az, f"{repository}/two")
    assert len(tags(az, f"{repository}/one")) == 1


def test_a_step_that_is_not_root_reads_the_source(az: Az, source: Path) -> None:
    (source / "acb.yaml").write_text(
        f"""\
version: v1.1.0
steps:
  - cmd: $Registry/{TOOLS} cat greeting
    user: "1000"
"""
    )
    said = az.run("acr", "run", "--registry", "local", "--file", "acb.yaml", str(source))
    assert (source / "greeting").read_text().strip() in said, said


def test_a_step_that_fails_fails_the_command(az: Az) -> None:
    said = az.refused("acr", "run", "--registry", "local", "--cmd", f"$Registry/{TOOLS} false", "/dev/null")
    assert "exit status 1" in said, said
    assert "Run failed" in said


def test_a_secret_value_is_in_no_log(az: Az, source: Path) -> None:
    steps = source / "acb.yaml"
    steps.write_text(f"version: v1.1.0\nsteps:\n  - cmd: $Registry/{TOOLS} echo it is {{{{.Values.key}}}}.\n")
    told = ["--set-secret", "key=correct-horse-battery"]
    said = az.run("acr", "run", "--registry", "local", "--file", "acb.yaml", *told, str(source))
    assert "it is ***." in said, said
    assert "correct-horse" not in said


def test_a_task_runs_by_its_name_and_its_runs_are_told(az: Az, repository: str) -> None:
    name = task_name(repository)
    of = ["--registry", "local", "--name", name]
    az.run("acr", "task", "create", *of, "--context", "/dev/null", "--cmd", HELLO, "--output", "none")
    said = az.run("acr", "task", "run", *of)
    assert "hello from ca" in said, said
    (run,) = az.json("acr", "task", "list-runs", *of)
    assert run["status"] == "Succeeded"
    assert run["task"] == name
    assert "hello from ca" in az.run("acr", "task", "logs", *of)
    kept = ["--run-id", run["runId"], "--no-archive", "false"]
    archived = az.json("acr", "task", "update-run", "--registry", "local", *kept)
    assert archived["isArchiveEnabled"] is True
    az.run("acr", "task", "delete", *of, "--yes")


def test_a_run_is_canceled_within_seconds(az: Az, site: Site) -> None:
    sleeping = f"$Registry/{TOOLS} sleep 600"
    az.run("acr", "run", "--registry", "local", "--cmd", sleeping, "/dev/null", "--no-wait")
    run_id = az.json("acr", "task", "list-runs", "--registry", "local", "--top", "1")[0]["runId"]
    container_of(site, "sleep 600")
    assert containers_of_runs(site)
    az.run("acr", "task", "cancel-run", "--registry", "local", "--run-id", run_id)
    began = time.monotonic()
    wait_until(lambda: not containers_of_runs(site), "no container of a run is left", within=60)
    assert time.monotonic() - began < CANCELED_WITHIN
    assert final(az, run_id)["status"] == "Canceled"


def containers_of_runs(site: Site) -> list[str]:
    """Of steps, and the machines that steps begin in: whatever the state they are in."""
    return site.docker.run("docker", "ps", "--all", "--quiet").split()


def test_acr_purge_runs_without_the_internet(az: Az, source: Path, repository: str) -> None:
    for tag in ("dev-1", "dev-2", "v1"):
        az.run("acr", "build", "--registry", "local", "--image", f"{repository}:{tag}", str(source))
    purge = f"acr purge --filter '{repository}:dev' --ago 0d --untagged"
    said = az.run("acr", "run", "--registry", "local", "--cmd", f"{purge} --dry-run", "/dev/null")
    assert "Number of tags to be deleted: 2" in said, said
    said = az.run("acr", "run", "--registry", "local", "--cmd", purge, "/dev/null")
    assert "Number of deleted tags: 2" in said, said
    assert tags(az, repository) == ["v1"]


def test_an_artifact_of_the_registry_is_a_run_s_source(az: Az, site: Site, shell: Shell, repository: str) -> None:
    steps = f"version: v1.1.0\nsteps:\n  - cmd: $Registry/{TOOLS} cat greeting\n"
    push_artifact(site, shell, repository, {"acb.yaml": steps.encode(), "greeting": b"hello from an artifact\n"})
    where = f"oci://{site.server.login_server}/{repository}:v1"
    said = az.run("acr", "run", "--registry", "local", "--file", "acb.yaml", where)
    assert "hello from an artifact" in said, said


def push_artifact(site: Site, shell: Shell, repository: str, files: dict[str, bytes]) -> None:
    """As clients of ORAS do: a layer for each file, with its name as its title; tagged v1."""
    server, inside = site.server, site.inside.of(shell)

    def send(method: str, path: str, content: bytes, media_type: str) -> None:
        words = ["curl", "--silent", "--show-error", "--fail", "--cacert", server.ca, "--request", method]
        words += ["--user", f"{server.user}:{server.password}", "--header", f"content-type: {media_type}"]
        url = f"https://{server.login_server}/v2/{repository}/{path}"
        inside.run(*words, "--data-binary", "@-", url, stdin=content)

    def push(content: bytes, media_type: str, **annotations: str) -> dict[str, object]:
        send("POST", f"blobs/uploads/?digest={sha256(content)}", content, "application/octet-stream")
        title = {f"org.opencontainers.image.{name}": value for name, value in annotations.items()}
        return Descriptor(media_type, sha256(content), len(content), {"annotations": title} if title else {}).json

    layers = [push(content, "application/octet-stream", title=name) for name, content in files.items()]
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": push(b"{}", OCI_EMPTY), "layers": layers}
    send("PUT", "manifests/v1", json.dumps(manifest).encode(), OCI_MANIFEST)


def test_a_registry_s_tag_takes_the_network_away_from_its_runs(az: Az, site: Site) -> None:
    """What a step asked for would come from the server, which the network of an open run reaches."""
    ask = f"$Registry/{TOOLS} nc -w 5 {ADDRESS} {PORT}"
    az.run("acr", "update", "--name", "local", "--tags", "entrepot.egress=none", "--output", "none")
    try:
        said = az.refused("acr", "run", "--registry", "local", "--cmd", ask, "/dev/null")
    finally:
        az.run("acr", "update", "--name", "local", "--tags", "", "--output", "none")
    assert "its egress is none" in said, said
    assert any(reason in said for reason in ("unreachable", "No route", "timed out")), said


def test_a_registry_s_tag_names_the_hosts_that_its_runs_reach(az: Az) -> None:
    asked = "CONNECT evil.example:443 HTTP/1.1\\r\\nHost:x\\r\\n\\r\\n"
    ask = f"""$Registry/{TOOLS} sh -c 'printf "{asked}" | nc -w 20 entrepot-egress 3128'"""
    az.run(
        "acr", "update", "--name", "local", "--tags", "entrepot.egress=a.example,*.b.example:443", "--output", "none"
    )
    try:
        said = az.run("acr", "run", "--registry", "local", "--cmd", ask, "/dev/null")
    finally:
        az.run("acr", "update", "--name", "local", "--tags", "", "--output", "none")
    assert "its egress is a.example, *.b.example:443" in said, said
    assert "HTTP/1.1 403 Forbidden" in said, said
    assert said.count("Refused by the run's egress list: evil.example:443") == 2, said  # to the step, and of us


def test_a_timer_begins_a_run(az: Az, source: Path, repository: str) -> None:
    """That purges, as people have them do."""
    az.run(
        "acr",
        "build",
        "--registry",
        "local",
        "--image",
        f"{repository}:dev",
        "--image",
        f"{repository}:v1",
        str(source),
    )
    of = ["--registry", "local", "--name", task_name(repository)]
    purge = f"acr purge --filter '{repository}:dev' --ago 0d"
    every = ["--schedule", "* * * * *"]
    az.run("acr", "task", "create", *of, "--context", "/dev/null", "--cmd", purge, *every, "--output", "none")
    until = time.monotonic() + 150
    while not (found := az.json("acr", "task", "list-runs", *of)):
        assert time.monotonic() < until
        time.sleep(3)
    az.run("acr", "task", "delete", *of, "--yes")
    assert final(az, found[-1]["runId"])["status"] == "Succeeded"
    assert found[-1]["timerTrigger"]["timerTriggerName"] == "t1"
    assert found[-1]["runType"] == "AutoRun"
    assert tags(az, repository) == ["v1"]


def test_a_run_whose_worker_is_killed_begins_again_and_nothing_is_left_of_it(az: Az, site: Site, source: Path) -> None:
    words = "a line before the end of its worker"
    step = f"cmd: $Registry/{TOOLS} sh -c 'echo {words}; sleep 601'"
    (source / "acb.yaml").write_text(f"version: v1.1.0\nsteps:\n  - {step}\n")
    az.run("acr", "run", "--registry", "local", "--file", "acb.yaml", str(source), "--no-wait")
    run_id = az.json("acr", "task", "list-runs", "--registry", "local", "--top", "1")[0]["runId"]
    first = container_of(site, "sleep 601")
    # What a step says is kept twice a second.
    time.sleep(2)
    (worker,) = processes_of(site.server).jobs
    os.kill(worker, signal.SIGKILL)
    said = log_of(az, site, run_id)
    assert words in said
    assert "attempt 2" not in said
    # Another worker notices after half a minute, removes what is left, and begins again.
    second = container_of(site, "sleep 601", other_than=first)
    assert first not in site.docker.run("docker", "ps", "--no-trunc", "--quiet")
    az.run("acr", "task", "cancel-run", "--registry", "local", "--run-id", run_id)
    assert final(az, run_id)["status"] == "Canceled"
    again = az.run("acr", "task", "logs", "--registry", "local", "--run-id", run_id)
    assert "the run begins again (attempt 2)" in again, again
    assert words in again.partition("the run begins again")[0]
    assert second not in site.docker.run("docker", "ps", "--no-trunc", "--quiet")


def log_of(az: Az, site: Site, run_id: str) -> str:
    """What is there of it now; az itself would wait for the run's end."""
    url = f"{site.server.endpoint}{az.registry}/runs/{run_id}/listLogSasUrl?api-version=2019-06-01-preview"
    link = az.json("rest", "--method", "post", "--url", url)["logLink"]
    return site.docker.run("curl", "--silent", "--fail", "--cacert", site.server.ca, link)


def container_of(site: Site, command: str, other_than: str = "", within: float = 120.0) -> str:
    """The id of the step's container, once there is exactly one that is not the other."""
    until = time.monotonic() + within
    while True:
        lines = site.docker.run("docker", "ps", "--no-trunc", "--format", "{{.ID}} {{.Command}}").splitlines()
        found = [line.split()[0] for line in lines if command in line and not line.startswith(other_than or "-")]
        if len(found) == 1:
            return found[0]
        assert time.monotonic() < until, lines
        time.sleep(1)
