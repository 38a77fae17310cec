"""The image of a run's machine, made of files of the worker's machine: no network is needed.

A static busybox is the shell; the docker client comes with the libraries that it is linked to. The archive has the same
bytes each time, so its digest is the image's tag, and an engine is given it once.
"""

import hashlib
import io
import re
import subprocess
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from entrepot.tasks.engines.docker.api import Api
from entrepot.tasks.engines.model import HOME, WORKSPACE, EngineFailed

REPOSITORY: Final = "entrepot-machine"
BUSYBOX: Final = Path("/bin/busybox")
CLIENTS: Final = (Path("/usr/bin/docker"), Path("/usr/local/bin/docker"))
BUILDX: Final = tuple(
    Path(folder) / "docker" / "cli-plugins" / "docker-buildx"
    for folder in ("/usr/libexec", "/usr/lib", "/usr/local/libexec", "/usr/local/lib")
)

# Their mount points have to be there: the machine's root is read-only.
_FOLDERS: Final = ("bin", "etc", "proc", "sys", "dev", "tmp", "var", "var/run", WORKSPACE[1:], "acb", HOME[1:])
_FILES: Final = {
    "etc/passwd": b"root:x:0:0:root:/acb/home:/bin/sh\n",
    "etc/group": b"root:x:0:\n",
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
    """The image's name; it is there afterwards. Raises EngineFailed.

    Without buildx a client falls back to the classic builder; with it, it insists on BuildKit's own interface.
    """
    archive = archive_of(programs if with_buildx else replace(programs, buildx=None))
    name = f"{REPOSITORY}:{hashlib.sha256(archive).hexdigest()[:16]}"
    if api.do("GET", f"/images/{name}/json", besides=(404,)).status == 404:  # noqa: PLR2004  HTTP's "not found"
        repository, _, tag = name.partition(":")
        api.do("POST", "/images/create", {"fromSrc": "-", "repo": repository, "tag": tag}, archive)
    return name


def archive_of(programs: Programs) -> bytes:
    """A root file system as a tar. Raises EngineFailed when a program cannot be used here."""
    if _libraries(programs.busybox):
        raise EngineFailed(f"{programs.busybox} needs libraries: the package busybox-static has one that does not")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in _FOLDERS:
            tar.addfile(_member(folder, tarfile.DIRTYPE))
        for name, file in _files(programs).items():
            member = _member(name, tarfile.REGTYPE)
            member.size = len(file)
            tar.addfile(member, io.BytesIO(file))
        for applet in _applets(programs.busybox):
            link = _member(f"bin/{applet}", tarfile.SYMTYPE)
            link.linkname = "busybox"
            tar.addfile(link)
    return content.getvalue()


def _member(name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, 0o755
    return member


def _files(programs: Programs) -> dict[str, bytes]:
    """The loader finds each library where it is here, so there it is put."""
    found = {"bin/busybox": programs.busybox, "bin/docker": programs.client}
    if programs.buildx is not None:
        found["usr/libexec/docker/cli-plugins/docker-buildx"] = programs.buildx
    libraries = {str(library)[1:]: library for program in found.values() for library in _libraries(program)}
    return _FILES | {name: path.read_bytes() for name, path in (found | libraries).items()}


def _libraries(program: Path) -> list[Path]:
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
