"""The image of a run's machine, made of files of the worker's machine: no network is needed.

A static busybox is the shell; the docker client comes with the libraries that it is linked to. The archive has the same
bytes each time, so its digest is the image's tag, and an engine is given it once.
"""

import hashlib
import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from entrepot.tasks.engines.docker.api import Api, Made
from entrepot.tasks.engines.model import HOME, WORKSPACE, EngineFailed

REPOSITORY: Final = "entrepot-machine"
BUSYBOX: Final = Path("/bin/busybox")
CLIENTS: Final = (Path("/usr/bin/docker"), Path("/usr/local/bin/docker"))
BUILDX: Final = tuple(
    Path(folder) / "docker" / "cli-plugins" / "docker-buildx"
    for folder in ("/usr/libexec", "/usr/lib", "/usr/local/libexec", "/usr/local/lib")
)

EMPTY: Final[Mapping[str, str]] = MappingProxyType({})


class File(NamedTuple):
    """``time``: of its last change, in seconds since 1970."""

    content: bytes
    time: int = 0


# Their mount points have to be there: the machine's root is read-only.
_FOLDERS: Final = ("bin", "etc", "proc", "sys", "dev", "tmp", "var", "var/run", WORKSPACE[1:], "acb", HOME[1:])
_FILES: Final = {
    "etc/passwd": File(b"root:x:0:0:root:/acb/home:/bin/sh\n"),
    "etc/group": File(b"root:x:0:\n"),
}
_LIBRARY: Final = re.compile(r"(?:=> )?(/\S+) \(0x")
_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Programs:
    """Files of the worker's machine."""

    busybox: Path = BUSYBOX
    client: Path = CLIENTS[0]
    buildx: Path | None = None


def found_programs() -> Programs:
    """Raises EngineFailed, with what to install."""
    client = next((path for path in CLIENTS if path.exists()), None)
    if client is None:
        raise EngineFailed("the docker client is not installed (package docker-cli, or docker.io)")
    if not BUSYBOX.exists():
        raise EngineFailed(f"{BUSYBOX} is not installed (package busybox-static)")
    return Programs(BUSYBOX, client, next((path for path in BUILDX if path.exists()), None))


def ensure_image(api: Api, programs: Programs, *, with_buildx: bool) -> str:
    """The image's id; it is there afterwards. Raises EngineFailed.

    Without buildx a client falls back to the classic builder; with it, it insists on BuildKit's own interface.
    """
    archive = archive_of(programs if with_buildx else replace(programs, buildx=None))
    return imported(api, REPOSITORY, archive)


def imported(api: Api, repository: str, archive: bytes, entry_point: Sequence[str] = ()) -> str:
    """The id of the image of a root file system, which an engine is given once. Raises EngineFailed."""
    sha256 = hashlib.sha256(archive).hexdigest()
    name = f"{repository}:{sha256[:16]}"
    path = f"/images/{name}/json"
    found = api.do("GET", path, besides=(HTTPStatus.NOT_FOUND,))
    if found.status == HTTPStatus.OK and (known := found.read(_Image)).is_of(sha256, entry_point):
        return known.id
    changes = {"changes": f"ENTRYPOINT {json.dumps(entry_point)}"} if entry_point else {}
    # With its tag in the name: podman ignores one of its own.
    api.do("POST", "/images/create", {"fromSrc": "-", "repo": name} | changes, archive)
    return api.do("GET", path).read(Made).id


class _RootFs(msgspec.Struct, rename="pascal"):
    layers: list[str] = []


class _Image(msgspec.Struct, rename="pascal"):
    id: str
    root_fs: _RootFs = msgspec.field(name="RootFS", default_factory=_RootFs)
    config: dict[str, object] | None = None

    def is_of(self, sha256: str, entry_point: Sequence[str]) -> bool:
        """Whether it is this file system and says no more than where to begin: a run may have given it its name."""
        said = {name: value for name, value in (self.config or {}).items() if value}
        wanted = {"Entrypoint": list(entry_point)} if entry_point else {}
        return self.root_fs.layers == [f"sha256:{sha256}"] and said == wanted


def archive_of(programs: Programs) -> bytes:
    """A root file system as a tar. Raises EngineFailed when a program cannot be used here."""
    if libraries_of(programs.busybox):
        raise EngineFailed(f"{programs.busybox} needs libraries: the package busybox-static has one that does not")
    links = {f"bin/{applet}": "busybox" for applet in _applets(programs.busybox)}
    return packed(_files(programs), _FOLDERS, links)


def packed(files: Mapping[str, File], folders: Iterable[str] = (), links: Mapping[str, str] = EMPTY) -> bytes:
    """A tar of these: the same bytes for the same files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in folders:
            tar.addfile(_member(folder, tarfile.DIRTYPE))
        for name, file in files.items():
            member = _member(name, tarfile.REGTYPE)
            member.size, member.mtime = len(file.content), file.time
            tar.addfile(member, io.BytesIO(file.content))
        for name, target in links.items():
            link = _member(name, tarfile.SYMTYPE)
            link.linkname = target
            tar.addfile(link)
    return content.getvalue()


def _member(name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, 0o755
    return member


def _files(programs: Programs) -> dict[str, File]:
    """The loader finds each library where it is here, so there it is put."""
    found = {"bin/busybox": programs.busybox, "bin/docker": programs.client}
    if programs.buildx is not None:
        found["usr/libexec/docker/cli-plugins/docker-buildx"] = programs.buildx
    libraries = {str(library)[1:]: library for program in found.values() for library in libraries_of(program)}
    return _FILES | {name: File(path.read_bytes()) for name, path in (found | libraries).items()}


def libraries_of(program: Path) -> list[Path]:
    """None for a static one: then ``ldd`` fails, and says so."""
    asked = ["ldd", program]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineFailed(f"ldd {program}: {error}") from None
    return [Path(path) for path in _LIBRARY.findall(done.stdout)] if done.returncode == 0 else []


def _applets(busybox: Path) -> list[str]:
    try:
        done = subprocess.run([busybox, "--list"], capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineFailed(f"{busybox} --list: {error}") from None
    return [name for name in done.stdout.split() if name != "busybox"]
