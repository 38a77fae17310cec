"""The image ``acr``, made of the worker's own Python and of the modules that its programs load: no network is needed.

One program is ``acr``; the other is the gateway of runs whose egress is a list, which is no business of a step's.
Every file lies in it where it lies here, so that the interpreter and the loader find all as they do here.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final

from entrepot.tasks.engines.docker.api import Api
from entrepot.tasks.engines.docker.image import File, imported, libraries_of, packed
from entrepot.tasks.engines.model import ACR_IMAGE, EngineFailed

_PROGRAM: Final = "acr.py"
_GATEWAY: Final = "gateway.py"
_START: Final = """\
import sys
sys.path[:] = {path!r}
from entrepot.client.acr.program import main
sys.exit(main(sys.argv[1:]))
"""
_START_GATEWAY: Final = """\
import sys
sys.path[:] = {path!r}
from entrepot.tasks.engines.docker.gateway.inside import main
main()
"""
# All that the programs load, with what it loads when it is first used.
_LOADED: Final = """\
import encodings.ascii, encodings.idna, encodings.latin_1, encodings.utf_8, encodings.unicode_escape, json, sys
import concurrent.futures.thread, httpcore._backends.sync, httpcore._sync.http11
import entrepot.client.acr.program, entrepot.tasks.engines.docker.gateway.inside
print(json.dumps([[module.__file__, getattr(module, "__cached__", None)]
                  for module in list(sys.modules.values()) if getattr(module, "__file__", None)]))
"""
# Where the loader looks for libraries that lie elsewhere than it expects by itself.
_LOADERS: Final = Path("/etc/ld.so.cache")
_SECONDS: Final = 120


@dataclass(slots=True)
class AcrImage:
    """Made once by a process, when a step first asks for it."""

    _id: str = ""
    _lock: Lock = field(default_factory=Lock)

    def ensure(self, api: Api) -> str:
        """Its id; it is there afterwards. Raises EngineFailed."""
        with self._lock:
            if not self._id:
                self._id = imported(api, ACR_IMAGE, archive_of(_python()), _start(_PROGRAM))
            return self._id


def gateway_start() -> list[str]:
    """How the gateway is begun in a container of the image."""
    return list(_start(_GATEWAY))


def _python() -> Path:
    return Path(sys.executable).resolve()


def _start(program: str) -> tuple[str, ...]:
    return str(_python()), "-I", "-S", f"/{program}"


def archive_of(python: Path) -> bytes:
    """A root file system as a tar: the same bytes as long as the files are the same. Raises EngineFailed."""
    starts = {
        name: File(text.format(path=_search_path()).encode())
        for name, text in ((_PROGRAM, _START), (_GATEWAY, _START_GATEWAY))
    }
    # Compiled files are good for a source of their time alone.
    files = {str(path)[1:]: File(path.read_bytes(), int(path.stat().st_mtime)) for path in sorted(_files(python))}
    return packed(starts | files)


def _search_path() -> list[str]:
    """Without the working folder: in the image that is the run's."""
    return [path for path in sys.path if Path(path).is_absolute()]


def _files(python: Path) -> set[Path]:
    modules = {Path(os.path.abspath(path)) for path in _modules() if Path(path).is_file()}  # noqa: PTH100  links stay
    programs = [python, *(path for path in modules if path.suffix == ".so")]
    libraries = {library for program in programs for library in libraries_of(program)}
    return {python, *modules, *libraries, *([_LOADERS] if _LOADERS.is_file() else [])}


def _modules() -> Iterable[str]:
    """Files of modules, and of their compiled forms. The first look makes what is not compiled yet."""
    environment = {"PYTHONPATH": os.pathsep.join(_search_path()), "PATH": os.defpath}
    asked = [sys.executable, "-S", "-c", _LOADED]
    try:
        done = subprocess.run(asked, capture_output=True, timeout=_SECONDS, check=True, env=environment)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or b""
        raise EngineFailed(f"the image acr cannot be made: {error} {said[-500:].decode(errors='replace')}") from None
    pairs: list[list[str | None]] = json.loads(done.stdout)
    return [path for pair in pairs for path in pair if path]
