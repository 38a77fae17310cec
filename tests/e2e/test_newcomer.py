"""A newcomer: the README's first command in a fresh copy of the repository, with an empty home."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.documents import ROOT, blocks_of
from tests.services import answers, reserved_port, running, wait_until

# What a checkout leaves beside the files of the repository.
NOT_CLONED = shutil.ignore_patterns(".git", ".*_cache", ".venv", "__pycache__", "build", "data")
SETS_UP_WITHIN = 240.0
# A second or two on a machine that has nothing else to do (scripts/bench measures that); here others run beside it.
STARTS_WITHIN = 30.0


@dataclass(frozen=True)
class Newcomer:
    """Somebody in the folder of the repository, who has nothing else."""

    repository: Path
    home: Path
    log: Path

    @contextmanager
    def starting(self, command: str, port: int) -> Iterator[None]:
        """Until it answers ``/livez`` with a certificate of the CA that it made."""
        ca = self.repository / "data" / "tls" / "ca.crt"
        start = ["sh", "-c", f'cd "$0" && exec {command} "$@"', str(self.repository), "--port", str(port)]
        environment = {"HOME": str(self.home), "XDG_CACHE_HOME": "", "ENTREPOT_CACHE": ""}
        with self.log.open("ab") as log, running(start, log, environment) as process:
            wait_until(lambda: process.poll() is not None or answers(port, ca), "it answers", SETS_UP_WITHIN)
            assert process.poll() is None, self.said
            yield

    @property
    def said(self) -> str:
        return self.log.read_text()


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    shutil.copytree(ROOT, tmp_path / "entrepot", ignore=NOT_CLONED)
    (tmp_path / "home").mkdir()
    return Newcomer(tmp_path / "entrepot", tmp_path / "home", tmp_path / "log")


@pytest.mark.timeout(300)
def test_the_readmes_first_command_sets_up_what_it_needs_and_serves_and_the_next_time_at_once(
    newcomer: Newcomer,
) -> None:
    command = next(blocks_of(ROOT / "README.md")).text.split("#")[0].strip()
    assert command == "scripts/serve"
    with reserved_port() as port:
        with newcomer.starting(command, port):
            assert newcomer.said.count("making .venv") == 1
        begun = time.monotonic()
        with newcomer.starting(command, port):
            assert time.monotonic() - begun < STARTS_WITHIN
    assert newcomer.said.count("making .venv") == 1, "the second start sets up nothing"
