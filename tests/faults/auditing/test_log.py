"""The audit log of a running server, whose job worker may be killed at any moment."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.content import an_image
from tests.faults.plain import Repository, plain_server, repository_of
from tests.faults.serve.seen import processes_of
from tests.services import Registry, wait_until

PUSHES = 20
# A job worker that was killed is missed after half a minute; its successor then has its run.
TAKEN_OVER_WITHIN = 90.0


def entrepot(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "entrepot", *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def entries(data_dir: Path) -> list[dict[str, Any]]:
    done = entrepot("audit", "list", "--json-lines", "--data-dir", data_dir)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def pushed_of(data_dir: Path) -> list[dict[str, Any]]:
    return [entry for entry in entries(data_dir) if entry["action"] == "manifest.push"]


def push(app: Repository, number: int) -> None:
    image = an_image(number)
    for digest, content in image.blobs.items():
        assert app.http.post(f"/v2/app/blobs/uploads/?digest={digest}", content=content).status_code == 201
    headers = {"content-type": image.media_type}
    assert app.http.put(f"/v2/app/manifests/v{number}", content=image.body, headers=headers).status_code == 201


def kill_the_job_worker(server: Registry) -> None:
    (worker,) = processes_of(server).jobs
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: worker not in (jobs := processes_of(server).jobs) and len(jobs) == 1, "there is a new one")


def test_a_killed_job_worker_leaves_a_chain_that_its_successor_goes_on_with(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with plain_server(data_dir, "--workers", "2") as server, repository_of(server) as app:
        for number in range(PUSHES):
            push(app, number)
            if number in {5, 12}:
                kill_the_job_worker(server)

        def chained() -> bool:
            found = pushed_of(data_dir)
            return len(found) == PUSHES and all(entry["sequence"] for entry in found)

        wait_until(chained, "every push is chained", TAKEN_OVER_WITHIN)
        beside = entrepot("audit", "verify", "--data-dir", data_dir)
        assert beside.returncode == 0, beside.stdout
        push(app, PUSHES)
    # Stopped: the last push may wait for the next start, and nothing is missing.
    assert len(pushed_of(data_dir)) == PUSHES + 1
    stopped = entrepot("audit", "verify", "--data-dir", data_dir)
    assert stopped.returncode == 0, stopped.stdout
    assert "newest checkpoint: entry" in stopped.stdout


def test_a_job_worker_that_stops_signs_the_end(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with plain_server(data_dir, "--workers", "1") as server, repository_of(server) as app:
        for number in range(3):
            push(app, number)
        wait_until(lambda: all(entry["sequence"] for entry in entries(data_dir)), "all is chained", 30)
        last = entries(data_dir)[-1]["sequence"]
    signed = (data_dir / "audit" / "checkpoints.jsonl").read_text().splitlines()
    assert json.loads(signed[-1])["sequence"] >= last
