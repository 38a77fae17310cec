"""The platform that an image's config names. Spec: OCI image-spec config.md, "architecture" and "os"."""

from dataclasses import dataclass
from typing import Final

import msgspec

CONFIG_TYPES: Final = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)
CONFIG_READ_LIMIT: Final = 4 * 1024 * 1024
_TEXT_LIMIT: Final = 64


@dataclass(frozen=True, slots=True)
class Platform:
    """Either may be missing: not every config is an image's."""

    architecture: str | None = None
    os: str | None = None


class _Config(msgspec.Struct):
    architecture: str | None = None
    os: str | None = None


def read_platform(config: bytes) -> Platform:
    """What the config says; nothing when it is not readable as an image config, which is no reason to refuse a push."""
    try:
        found = msgspec.json.decode(config, type=_Config)
    except (msgspec.DecodeError, RecursionError):
        return Platform()
    return Platform(_bounded(found.architecture), _bounded(found.os))


def _bounded(text: str | None) -> str | None:
    return text if text and len(text) <= _TEXT_LIMIT and text.isprintable() else None
