"""The machine's az as a tree of files for an image: its interpreter, its packages, and the libraries of both.

Nothing can be pulled here, and Microsoft's image is of a gigabyte. Everything keeps its path. Of az's command modules
only those are there that are named: it loads all that it finds before its first command.
"""

import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.e2e.az.cli import PYTHON
from tests.e2e.layouts import BUSYBOX

MODULES: Final = ("acr", "cloud", "profile", "resource")
# Of the interpreter's library, and of the packages: nothing that az loads.
_LEFT_OUT: Final = frozenset({"test", "idlelib", "lib2to3", "tkinter", "ensurepip", "site-packages", "dist-packages"})
_PACKAGES_LEFT_OUT: Final = frozenset({"pip", "setuptools", "pygments"})
# Clients for asyncio, and of API versions that nothing asks for: half of all files.
_UNUSED: Final = re.compile(r"/azure/mgmt/(?:.*/)?aio/|/azure/mgmt/resource/resources/v20(?:1[789]|2[01])_")
_LIBRARY: Final = re.compile(r"(/\S+) \(0x")
_ASK: Final = (
    "import json, sys, sysconfig; paths = sysconfig.get_paths(); "
    "print(json.dumps([paths['stdlib'], paths['purelib'], sys.prefix, sys.executable]))"
)
_AZ: Final = f'#!/bin/sh\nexec {PYTHON} -m azure.cli "$@"\n'


def write_az(archive: Path, ca: Path) -> None:
    """A tar archive of a root with ``az``, busybox's ``sh``, and a CA as ``/ca.crt``."""
    library, packages, prefix, _ = json.loads(subprocess.check_output([PYTHON, "-c", _ASK], text=True))
    program = PYTHON.resolve()
    files = {program, Path(prefix, "pyvenv.cfg"), *_of_library(Path(library)), *_of_packages(Path(packages))}
    binaries = [program, *(path for path in files if ".so" in path.suffixes)]
    with tarfile.open(archive, "w") as tar:
        for path in sorted(files | set(_libraries_of(binaries))):
            tar.add(path.resolve(), str(path), recursive=False)
        _add(tar, "bin/sh", BUSYBOX.read_bytes())
        _add(tar, "bin/az", _AZ.encode())
        _add(tar, "ca.crt", ca.read_bytes())
        _add(tar, "tmp/.kept", b"")
        link = tarfile.TarInfo(str(PYTHON))
        link.type, link.linkname = tarfile.SYMTYPE, str(program)
        tar.addfile(link)


def _of_library(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name not in _LEFT_OUT and not path.name.startswith("config-"):
            yield from _below(path)


def _of_packages(folder: Path) -> Iterator[Path]:
    """Without the command modules that are not named."""
    modules = folder / "azure" / "cli" / "command_modules"
    for path in folder.iterdir():
        if path.name not in _PACKAGES_LEFT_OUT:
            yield from (each for each in _below(path) if _is_used(each, modules))


def _is_used(path: Path, modules: Path) -> bool:
    if path.is_relative_to(modules):
        return path.relative_to(modules).parts[0] in {*MODULES, "__init__.py"}
    return _UNUSED.search(str(path)) is None


def _below(path: Path) -> Iterator[Path]:
    for each in [path] if path.is_file() else path.rglob("*"):
        if each.is_file() and ".opt-" not in each.name and not {"test", "tests"} & set(each.parts[-3:-1]):
            yield each


def _libraries_of(binaries: Sequence[Path]) -> Iterator[Path]:
    said = subprocess.run(["ldd", *binaries], check=False, capture_output=True, text=True).stdout
    yield from (Path(path) for path in set(_LIBRARY.findall(said)))


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o755
    tar.addfile(member, io.BytesIO(content))
