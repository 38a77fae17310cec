"""A step that prints as fast as it can: its log is cut, and the registry's users and memory do not feel it."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.az.cli import Az
from tests.e2e.clients import ROOT
from tests.e2e.layouts import tar_of
from tests.e2e.tasks.conftest import LOG_BYTES, PYTHON, TOOLS, Site, of_registry
from tests.faults.serve.seen import processes_of
from tests.services import running, wait_until

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(300)]

MIB = 1024 * 1024
# What is kept of the end of a log.
END = 64 * 1024
# Whichever comes first.
FLOOD, SECONDS = 300_000_000, 30
# A long one: docker itself passes ten megabytes of short ones a second.
LINE = "flood" * 200


def test_the_registry_answers_while_a_step_floods_its_log(
    az: Az, site: Site, source: Path, repository: str, tmp_path: Path
) -> None:
    flood = f"timeout {SECONDS} yes {LINE} | head -c {FLOOD}; echo; echo the last words"
    (source / "acb.yaml").write_text(f"version: v1.1.0\nsteps:\n  - cmd: $Registry/{TOOLS} sh -c '{flood}'\n")
    with memory_of(site) as used, asking(site, pulled(site, repository), tmp_path) as answers:
        said = az.run("acr", "run", "--registry", "local", "--file", "acb.yaml", str(source))
    assert "was successful after" in said
    assert "the last words" in said
    assert LOG_BYTES < len(said.encode()) < LOG_BYTES + 2 * END
    found = [line.split() for line in answers.read_text().splitlines()]
    assert {status for status, _ in found} == {"200"}
    seconds = sorted(float(took) for _, took in found)
    assert len(seconds) > 100
    assert seconds[len(seconds) * 99 // 100] < 1
    assert max(used) - used[0] < 150 * MIB


def pulled(site: Site, repository: str) -> list[str]:
    """What a client asks for that looks for the registry and pulls an image of a megabyte."""
    image = f"{site.server.login_server}/{repository}:1"
    site.docker.run("docker", "import", "-", image, stdin=tar_of({"file": os.urandom(MIB)}))
    site.docker.run("docker", "push", image)
    (layer,) = of_registry(site, f"{repository}/manifests/1")["layers"]
    root = f"https://{site.server.login_server}/v2/"
    return [root, f"{root}{repository}/manifests/1", f"{root}{repository}/blobs/{layer['digest']}"]


@contextmanager
def asking(site: Site, urls: list[str], folder: Path) -> Iterator[Path]:
    """Where the answers are, once it has ended."""
    server, answers = site.server, folder / "answers"
    environment = {"ASK_CA": str(server.ca), "ASK_USER": server.user, "ASK_PASSWORD": server.password}
    command = [*site.inside.command, *PYTHON, "tests.e2e.tasks.asking", *urls]
    with answers.open("wb") as log, running(command, log, environment | {"PYTHONPATH": str(ROOT)}):
        wait_until(lambda: b"\n" in answers.read_bytes(), "the first answer")
        yield answers


@contextmanager
def memory_of(site: Site) -> Iterator[list[int]]:
    """Bytes of all processes of the server, again and again; the first before anything is done."""
    processes = (site.server.process.pid, *processes_of(site.server).every)
    used, over = [used_by(processes)], threading.Event()

    def look() -> None:
        while not over.wait(1):
            used.append(used_by(processes))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield used
    finally:
        over.set()
        looking.join()


def used_by(processes: tuple[int, ...]) -> int:
    """What they have for themselves, and their part of what they share."""
    lines = [line for process in processes for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()]
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
