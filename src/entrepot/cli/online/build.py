"""`entrepot build`: a Dockerfile, built in the registry."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from entrepot.cli.online.asking import Online, add_registry, add_verb
from entrepot.cli.online.running import add_how, begin
from entrepot.cli.refusal import USAGE, Refusal

if TYPE_CHECKING:
    from entrepot.cli.parsing import Commands
    from entrepot.client.runs import Runs

_TEXT: Final = "Build a folder in the registry, and show the log while it does."
_FOLDER: Final = "the folder to send, or where the registry finds the files: a git repository, a tar file, oci://..."
_TAG: Final = "what to call the image, REPOSITORY[:TAG]; several times for more; without it nothing is pushed"
_SECRET: Final = "a build argument that no log shows, as secret of the build"  # noqa: S105  a text
_PIECE: Final = 16 * 1024 * 1024
_IN_MEMORY: Final = 16 * 1024 * 1024


def register(commands: "Commands") -> None:
    build = add_verb(commands, "build", _TEXT, _build)
    build.add_argument("folder", help=_FOLDER)
    build.add_argument("-t", "--tag", action="append", default=[], metavar="IMAGE", help=_TAG)
    build.add_argument("-f", "--file", default="Dockerfile", help="the Dockerfile, in the folder (default: Dockerfile)")
    build.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE", help="a build argument")
    build.add_argument("--secret-build-arg", action="append", default=[], metavar="NAME=VALUE", help=_SECRET)
    build.add_argument("--target", help="the stage to build")
    build.add_argument("--platform", default="linux", metavar="OS[/ARCHITECTURE[/VARIANT]]", help="what to build for")
    build.add_argument("--no-cache", action="store_true", help="use nothing of earlier builds")
    build.add_argument("--no-push", action="store_true", help="build only")
    add_how(build)
    add_registry(build)


def _build(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.client.runs import Runs

    request: dict[str, Any] = {
        "type": "DockerBuildRequest",
        "dockerFilePath": arguments.file,
        "imageNames": arguments.tag,
        "isPushEnabled": bool(arguments.tag) and not arguments.no_push,
        "noCache": arguments.no_cache,
        "platform": platform_of(arguments.platform),
        "arguments": [
            *(_argument(each, is_secret=False) for each in arguments.build_arg),
            *(_argument(each, is_secret=True) for each in arguments.secret_build_arg),
        ],
        **({"target": arguments.target} if arguments.target else {}),
    }
    runs = Runs(online.management, online.registry(arguments.registry).id)
    begin(online, runs, {**request, "sourceLocation": _source(runs, arguments)}, arguments)


def platform_of(text: str) -> dict[str, str]:
    """Raises Refusal."""
    names = ("os", "architecture", "variant")
    parts = text.split("/")
    if len(parts) > len(names) or not all(parts):
        raise Refusal([f"--platform {text}: OS, OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT is expected"], USAGE)
    return dict(zip(names, parts, strict=False))


def _argument(given: str, *, is_secret: bool) -> dict[str, Any]:
    name, sign, value = given.partition("=")
    if not name or not sign:
        raise Refusal([f"{name}: NAME=VALUE is expected"], USAGE)
    return {"type": "Argument", "name": name, "value": value, "isSecret": is_secret}


def _source(runs: "Runs", arguments: argparse.Namespace) -> str:
    """What the run works on, once it is there. Raises Refusal."""
    folder = Path(arguments.folder)
    if not folder.is_dir():
        if "://" in arguments.folder:
            return arguments.folder
        raise Refusal([f"{arguments.folder}: there is no such folder"], USAGE)
    from entrepot.cli.online.output import size
    from entrepot.cli.online.packing import pack

    if not (folder / arguments.file).is_file():
        raise Refusal([f"{folder / arguments.file}: there is no such file; --file names the Dockerfile"], USAGE)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as archive:
        try:
            count = pack(folder, arguments.file, archive)
        except (OSError, ValueError) as error:
            raise Refusal([f"{arguments.folder} cannot be packed: {error}"], USAGE) from error
        print(f"Sending {count} files, {size(archive.tell())}", file=sys.stderr)
        archive.seek(0)
        return runs.upload(_pieces(archive))


def _pieces(archive: IO[bytes]) -> Iterator[bytes]:
    while piece := archive.read(_PIECE):
        yield piece
