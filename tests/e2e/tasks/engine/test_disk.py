"""The engine's disk, with a real engine."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.e2e.clients import Shell
from tests.e2e.tasks.engine.machines import Host, machine

from entrepot.tasks.engines.docker.disk import Disk, disk_of
from entrepot.tasks.engines.model import HOME_VOLUME, WORKSPACE_VOLUME, DiskFull

pytestmark = [pytest.mark.xdist_group("task-engine"), pytest.mark.timeout(300)]

MIB = 1024 * 1024


def disk(host: Host, folder: Path, budget: int, least: int) -> Disk:
    made = disk_of(host.engine.site.api, folder, host.engine.folder, budget, least)
    assert made is not None
    return made


@pytest.mark.parametrize("place", ["/x", "/workspace/x", "/acb/home/x"])
def test_the_run_that_fills_the_disk_is_ended_and_no_other(host: Host, tmp_path: Path, place: str) -> None:
    told = os.statvfs(tmp_path)
    watched = disk(host, tmp_path, 0, told.f_bavail * told.f_frsize - 200 * MIB)
    small = replace(host, engine=replace(host.engine, site=replace(host.engine.site, disk=watched)))
    with machine(small, tmp_path) as filling, machine(small, tmp_path) as other:
        other.detached("quiet")
        flags = f"--volume {WORKSPACE_VOLUME}:/workspace --volume {HOME_VOLUME}:/acb/home"
        # Others write to this disk, too, and may make room again: it goes on until it is stopped.
        line = f"dd if=/dev/zero of={place} bs=1M count=4000; sleep 100"
        with pytest.raises(DiskFull, match="this run wrote most to it"):
            filling.says(f"docker run --rm {flags} {filling.image} sh -c '{line}'")
        assert other.says("docker ps --format '{{.Names}}'") == "quiet\n"


def test_of_images_only_those_that_runs_brought_go(host: Host, tmp_path: Path, admin: Shell) -> None:
    names = [f"{tmp_path.name}-{which}:1" for which in ("brought", "own")]
    for name in names:
        admin.run("docker", "tag", host.image, name)
    kept = disk(host, tmp_path / "ledger", 0, 0)
    kept.brought(names[1])  # it is there before any run asks for it
    assert not kept.pulled.exists()
    kept.pulled.write_text(f"{names[0]}\n")
    kept.tidy()
    left = admin.run("docker", "images", "--format", "{{.Repository}}:{{.Tag}}")
    assert names[0] not in left
    assert names[1] in left
    assert kept.pulled.read_text() == ""
    admin.run("docker", "rmi", names[1])
