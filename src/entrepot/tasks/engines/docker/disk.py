"""The disks of runs: what they pulled and built upon is kept within a budget, and a run that fills a disk is ended.

Only what a run brought counts: images that were not there before a run pulled them, and the build cache, which cannot
be told apart and is a cache. Containers, volumes and images of the operator's own are never touched.
"""

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec

from entrepot.tasks.engines.docker.api import Api
from entrepot.tasks.engines.docker.places import places
from entrepot.tasks.engines.docker.proxy.model import RUN_LABEL
from entrepot.tasks.engines.model import DiskFull, EngineFailed

_LOOK_SECONDS: Final = 2.0
_TIDY_SECONDS: Final = 600.0
_KEPT: Final = (404, 409)
# Who wrote less than this is not what filled the disk.
_TELLING: Final = 64 * 1024 * 1024


class _Labeled(msgspec.Struct, rename="pascal"):
    labels: dict[str, str] | None = None
    size_rw: int = 0
    usage_data: dict[str, int] | None = None

    @property
    def size(self) -> int:
        return max(self.size_rw, (self.usage_data or {}).get("Size", 0), 0)


class _Cached(msgspec.Struct, rename="pascal"):
    size: int = 0


class _Usage(msgspec.Struct, rename="pascal"):
    containers: list[_Labeled] | None = None
    volumes: list[_Labeled] | None = None
    build_cache: list[_Cached] | None = None


class _Image(msgspec.Struct, rename="pascal"):
    repo_tags: list[str] | None = None
    size: int = 0


@dataclass(slots=True)
class Disk:
    """``root``: the engine's data, as the worker sees it. ``pulled``: a file with the images that runs brought, oldest
    first. ``runs``: where the places of runs are. ``budget``: bytes that images and the build cache may take.
    ``least``: bytes that have to stay free, for the engine and for the places.
    """

    api: Api
    root: Path
    pulled: Path
    runs: Path
    budget: int
    least: int
    _lock: Lock = field(default_factory=Lock)
    _looked: float = 0.0
    _tidied: float = 0.0

    def brought(self, image: str) -> None:
        """A run is about to pull an image. What is there already is somebody else's, or is in the list."""
        if self.api.ask("GET", f"/images/{image}/json").status == 404:  # noqa: PLR2004  HTTP's "not found"
            with self._lock, self.pulled.open("a", encoding="utf-8") as file:
                file.write(f"{image}\n")

    def watch(self, run: str) -> None:
        """Called often while a run's line or client runs. Raises DiskFull for the run that wrote most."""
        now = time.monotonic()
        with self._lock:
            if now - self._looked < _LOOK_SECONDS:
                return
            self._looked = now
        if self._free() >= self.least:
            return
        if _free(self.root) < self.least:
            self._tidy(0)
        if self._free() < self.least and self._most(run) == run:
            raise DiskFull(
                f"the disk of the engine, or of the files of runs, is full ({self._free() // 1_000_000} MB are left,"
                f" task_disk_free_bytes asks for {self.least // 1_000_000} MB), and this run wrote most to it"
            )

    def tidy(self) -> None:
        """Now and then. Raises EngineFailed."""
        now = time.monotonic()
        with self._lock:
            if self._tidied and now - self._tidied < _TIDY_SECONDS:
                return
            self._tidied = now
        self._tidy(self.budget)

    def _free(self) -> int:
        return min(_free(self.root), _free(self.pulled.parent))

    def _most(self, asking: str) -> str:
        """The run whose containers, volumes and folders have most; the one that asks where nothing can be told of any:
        what a build writes is told of nobody.
        """
        usage = self.api.do("GET", "/system/df").read(_Usage)
        written = Counter({run: place.size() for run, place in places(self.runs).items()})
        for each in [*(usage.containers or []), *(usage.volumes or [])]:
            if run := (each.labels or {}).get(RUN_LABEL):
                written[run] += each.size
        found = written.most_common(1)
        return found[0][0] if found and found[0][1] > _TELLING else asking

    def _tidy(self, budget: int) -> None:
        """The oldest images first, then the build cache by the engine's own order: what was not used for longest."""
        usage = self.api.do("GET", "/system/df").read(_Usage)
        cached = sum(each.size for each in usage.build_cache or [])
        images = {
            tag: image.size
            for image in self.api.do("GET", "/images/json").read(list[_Image])
            for tag in image.repo_tags or []
        }
        with self._lock:
            ours = [name for name in dict.fromkeys(_lines(self.pulled)) if name in images]
            taken = cached + sum(images[name] for name in ours)
            for name in list(ours):
                if taken <= budget:
                    break
                if self.api.do("DELETE", f"/images/{name}", besides=_KEPT).status not in _KEPT:
                    taken -= images[name]
                    ours.remove(name)
            self.pulled.write_text("".join(f"{name}\n" for name in ours), encoding="utf-8")
        if taken > budget and cached:
            keep = max(0, budget - (taken - cached))
            self.api.ask("POST", "/build/prune", {"keep-storage": str(keep), "all": "1"})


def _free(folder: Path) -> int:
    told = os.statvfs(folder)
    return told.f_bavail * told.f_frsize


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


class _About(msgspec.Struct):
    root: str = msgspec.field(name="DockerRootDir", default="")


def disk_of(api: Api, folder: Path, runs: Path, budget: int, least: int) -> Disk | None:
    """None where the worker does not see the engine's disk. ``folder``: of the engine's, on the worker; ``runs``: those
    of its runs. Raises EngineFailed.
    """
    root = Path(api.do("GET", "/info").read(_About).root or "/nonexistent")
    if not root.is_dir():
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EngineFailed(f"{folder}: {error}") from None
    return Disk(api, root, folder / "pulled", runs, budget, least)
