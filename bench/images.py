"""Content to push: images of random layers, and blobs of any size that cost nothing to make."""

import hashlib
import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
PIECE: Final = 1 << 20


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Image:
    """An image of one platform: its manifest, and the blobs that it names, config first."""

    manifest: bytes
    blobs: tuple[bytes, ...]


def make_image(layer_sizes: tuple[int, ...]) -> Image:
    layers = tuple(random.randbytes(size) for size in layer_sizes)
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"n": os.urandom(8).hex()}}})
    blobs = (config.encode(), *layers)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(CONFIG, blobs[0]),
        "layers": [_descriptor(LAYER, layer) for layer in layers],
    }
    return Image(json.dumps(manifest, separators=(",", ":")).encode(), blobs)


class Stream:
    """A blob of random bytes, never whole in memory: one random piece again and again, the first one its own."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._first, self._piece = os.urandom(min(size, PIECE)), random.randbytes(PIECE)
        running = hashlib.sha256()
        for piece in self:
            running.update(piece)
        self.digest = f"sha256:{running.hexdigest()}"

    def __iter__(self) -> Iterator[memoryview]:
        yield memoryview(self._first)
        left, piece = self.size - len(self._first), memoryview(self._piece)
        while left > 0:
            yield piece[:left]
            left -= PIECE


def _descriptor(media_type: str, content: bytes) -> dict[str, str | int]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}
