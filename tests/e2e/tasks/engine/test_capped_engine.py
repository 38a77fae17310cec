"""An engine that may not raise its limits, as in some containers and CI machines, and is told to give much."""

from pathlib import Path

import pytest
from tests.e2e.docker.dockerd import NO_NETWORK, PRIVATE_ETC, dockerd
from tests.e2e.tasks.engine.machines import Host, machine

from entrepot.tasks.engines.docker.engine import find

pytestmark = [pytest.mark.xdist_group("task-engine"), pytest.mark.timeout(300)]


def test_an_engine_with_capped_limits_runs_machines_and_their_steps(short_folder: Path, tmp_path: Path) -> None:
    (short_folder / "etc").mkdir()
    within = ["unshare", "--mount", "sh", "-c", PRIVATE_ETC + 'exec "$@"', short_folder / "etc"]
    within += ["prlimit", "--nofile=4096:4096", "setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]
    with dockerd(within, [*NO_NETWORK, "--default-ulimit=nofile=1048576:1048576"]) as daemon:
        engine = find(short_folder / "runs", "tests", daemon.socket)
        with machine(Host(daemon, engine, engine.site.image), tmp_path) as bench:
            assert bench.step("--network none", "sh -c 'ulimit -n'") == "1024\n"
