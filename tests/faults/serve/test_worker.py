"""`entrepot worker`: one more process for background jobs, beside a server."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.services import Registry, running, wait_until

WORKER = [sys.executable, "-m", "entrepot", "worker"]
NOBODY_LISTENS = "postgresql://entrepot@127.0.0.1:1/entrepot"


def test_a_worker_works_beside_the_servers_own_and_ends_when_it_is_told_to(server: Registry, tmp_path: Path) -> None:
    said = tmp_path / "log"
    with said.open("wb") as log, running([*WORKER, "--data-dir", server.data_dir], log) as process:
        wait_until(lambda: process.poll() is not None or "worker_started" in said.read_text(), "it has registered")
        process.terminate()
        assert process.wait(30) == 0, said.read_text()
    assert "worker_stopped" in said.read_text()


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ((), "--data-dir: {folder} holds no registry"),
        (("--database-url", NOBODY_LISTENS), "CATALOG_UNAVAILABLE: the catalog does not answer"),
    ],
    ids=["nothing-there", "no-database"],
)
def test_a_worker_without_a_registry_is_refused_in_one_line(
    tmp_path: Path, flags: tuple[str, ...], reason: str
) -> None:
    folder = tmp_path / "nowhere"
    command = [*WORKER, "--data-dir", str(folder), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, f"entrepot worker: {reason.format(folder=folder)}\n")
