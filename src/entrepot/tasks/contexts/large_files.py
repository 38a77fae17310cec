"""What git-lfs keeps beside a repository: a commit has pointers, and the server has the files.

Spec: git-lfs, docs/spec.md and docs/api/batch.md. The program git-lfs would take addresses from the repository and
call them without the guard. Here files come from the repository's own server, or from where that one sends us.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec

from entrepot.tasks.contexts.gateway import Gateway, told
from entrepot.tasks.contexts.model import ContextFailed

_POINTER: Final = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,15})\n"
)
_POINTER_LIMIT: Final = 1024
_MEDIA_TYPE: Final = "application/vnd.git-lfs+json"
_BATCH: Final = 100
_ANSWER_LIMIT: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pointer:
    """A file that is to be replaced by what it names; ``size``: bytes."""

    path: Path
    oid: str
    size: int


class _Action(msgspec.Struct):
    href: str
    header: dict[str, str] = {}


class _Actions(msgspec.Struct):
    download: _Action | None = None


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Object(msgspec.Struct):
    oid: str
    actions: _Actions | None = None
    error: _Error | None = None


class _Answer(msgspec.Struct):
    objects: list[_Object] = []


def pointers(folder: Path, names: Sequence[str]) -> Iterator[Pointer]:
    """Those of these files that are pointers. Their folders were made by git, and are none of links."""
    for name in names:
        path = folder / name
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _POINTER_LIMIT:
            continue
        found = _POINTER.fullmatch(path.read_bytes())
        if found is not None:
            yield Pointer(path, found[1].decode(), int(found[2]))


def fetch_large_files(gateway: Gateway, url: str, wanted: Sequence[Pointer], scratch: Path) -> None:
    """``url``: the repository's. Raises ContextFailed, OutboundError, Canceled."""
    endpoint = f"{url.removesuffix('/').removesuffix('.git')}.git/info/lfs"
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        actions = _ask(gateway, endpoint, batch)
        for pointer in batch:
            action = actions.get(pointer.oid)
            if action is None:
                raise ContextFailed(f"the server has no large file {pointer.oid}")
            _replace(gateway, action, pointer, scratch / "large-file")


def _ask(gateway: Gateway, endpoint: str, batch: Sequence[Pointer]) -> dict[str, _Action]:
    objects = [{"oid": pointer.oid, "size": pointer.size} for pointer in batch]
    body = {"operation": "download", "transfers": ["basic"], "hash_algo": "sha256", "objects": objects}
    headers = {"accept": _MEDIA_TYPE, "content-type": _MEDIA_TYPE}
    url = f"{endpoint}/objects/batch"
    with gateway.opened("POST", url, headers, msgspec.json.encode(body)) as stream:
        said = bytearray()
        for piece in stream.pieces:
            said += piece
            if len(said) > _ANSWER_LIMIT:
                raise ContextFailed("the server says too much of its large files")
        if stream.status != HTTPStatus.OK:
            raise ContextFailed(f"error fetching large files: {told(stream)}")
    try:
        found = msgspec.json.decode(said, type=_Answer).objects
    except msgspec.DecodeError as error:
        raise ContextFailed(f"error fetching large files: {url} gave no list of them") from error
    for each in found:
        if each.error is not None:
            raise ContextFailed(f"the server has no large file {each.oid}: {each.error.message[:200]}")
    return {each.oid: each.actions.download for each in found if each.actions and each.actions.download}


def _replace(gateway: Gateway, action: _Action, pointer: Pointer, came: Path) -> None:
    hashed, size = hashlib.sha256(), 0
    # What the action says of itself counts, and our credentials are for the repository's own server.
    with gateway.opened("GET", action.href, action.header) as stream, came.open("wb") as file:
        if stream.status != HTTPStatus.OK:
            raise ContextFailed(f"error fetching large files: {told(stream)}")
        for piece in stream.pieces:
            gateway.came(piece)
            size += len(piece)
            if size > pointer.size:
                break
            hashed.update(piece)
            file.write(piece)
    if size != pointer.size or hashed.hexdigest() != pointer.oid:
        raise ContextFailed(f"the server gave other bytes than those of the large file {pointer.oid}")
    came.chmod(pointer.path.stat().st_mode & 0o777)
    shutil.move(came, pointer.path)  # the two may lie on different file systems
