"""An OCI artifact as a context: each layer is the file or folder that its title names (ACR-TASKS 4.6)."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Final

import msgspec

from entrepot.errors import Problem
from entrepot.oci.digest import ALGORITHMS, Digest, Hash
from entrepot.remote.client import PART, RemoteRepository
from entrepot.remote.place import RemotePlace
from entrepot.tasks.context import Artifact
from entrepot.tasks.contexts.model import Bounds, ContextFailed, Means, Watch
from entrepot.tasks.contexts.unpack import unpack

_TITLE: Final = "org.opencontainers.image.title"
# What clients of ORAS write beside a folder, which they pack as a tar file.
_IS_FOLDER: Final = "io.deis.oras.content.unpack"
_PIECE: Final = 1024 * 1024


class _Layer(msgspec.Struct):
    digest: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    annotations: dict[str, str] = {}


class _Manifest(msgspec.Struct):
    layers: list[_Layer] = []


def fetch_artifact(context: Artifact, folder: Path, means: Means) -> None:
    """Layers without a title are no files. Raises ContextFailed, Canceled."""
    watch = Watch.over(means)
    place = RemotePlace.of(context.host, context.repository)

    def pause(seconds: float) -> None:
        means.canceled.wait(min(seconds, watch.left()))
        watch.left()

    remote = RemoteRepository(means.outbound, place, means.credentials(context.host), pause)
    try:
        pulled = remote.manifest(context.reference)
        if pulled is None:
            raise ContextFailed(f"{place.host} has no {context.repository} {context.reference}")
        bounds = means.bounds
        for layer in _layers(pulled.manifest.body, bounds):
            came = means.scratch / "layer"
            with came.open("wb") as file:
                _Pull(remote, watch, file, Digest.parse(layer.digest), layer.size).run()
            if layer.annotations.get(_IS_FOLDER) == "true":
                bounds = unpack(_pieces(came), folder, bounds, watch)
            else:
                came.replace(_place(folder, layer.annotations[_TITLE]))
    except Problem as problem:
        raise ContextFailed(str(problem.detail.get("reason", problem))) from problem


def _layers(body: bytes, bounds: Bounds) -> list[_Layer]:
    try:
        layers = msgspec.json.decode(body, type=_Manifest).layers
    except msgspec.DecodeError as error:
        raise ContextFailed("it is no artifact with files") from error
    titled = [layer for layer in layers if layer.annotations.get(_TITLE)]
    if not titled:
        raise ContextFailed(f"no layer of the artifact has the annotation {_TITLE}, which names its file")
    if len(titled) > bounds.entries or sum(layer.size for layer in titled) > bounds.unpacked:
        raise ContextFailed("the artifact has more or larger files than are allowed for a context")
    return titled


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _place(folder: Path, title: str) -> Path:
    """Where the file lies. Raises ContextFailed for a title that leads elsewhere, also through a link."""
    path = PurePosixPath(title)
    if path.is_absolute() or ".." in path.parts or not path.parts or not title.isprintable():
        raise ContextFailed(f"the title {title[:200]!r} leads out of the folder")
    above = folder
    try:
        for part in path.parts[:-1]:
            above /= part
            if above.is_symlink():
                raise _in_the_way(title)
            above.mkdir(exist_ok=True)
    except OSError as error:
        raise _in_the_way(title) from error
    if (folder / path).is_dir() and not (folder / path).is_symlink():
        raise _in_the_way(title)
    return folder / path


def _in_the_way(title: str) -> ContextFailed:
    return ContextFailed(f"the title {title[:200]!r} is refused: another layer has something else there")


class _Pull:
    """One blob into a file; what came before a connection broke off is kept."""

    def __init__(self, remote: RemoteRepository, watch: Watch, file: IO[bytes], digest: Digest, size: int) -> None:
        self.remote, self.watch, self.file, self.digest, self.size = remote, watch, file, digest, size
        self.hashed: Hash = ALGORITHMS[digest.algorithm]()
        self.at = 0

    def run(self) -> None:
        while self.at < self.size:
            before = self.at
            self.remote.patiently_blob(self._part)
            if self.at == before:
                break
        if self.at != self.size or self.hashed.hexdigest() != self.digest.encoded:
            raise ContextFailed(f"{self.remote.place.host} gave other bytes than {self.digest} names")

    def _part(self) -> None:
        stop = min(self.size, self.at + PART)
        with self.remote.blob(self.digest, self.at, stop, self.size) as pieces:
            for piece in pieces:
                self.watch.left()
                self.file.write(piece)
                self.hashed.update(piece)
                self.at += len(piece)
