"""Names of images as docker reads them, and as ACR tells of them (ACR-TASKS 4.5)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from entrepot.errors import Problem
from entrepot.oci.digest import Digest
from entrepot.oci.reference import parse_repository, parse_tag
from entrepot.tasks.engines.model import ACR_IMAGE

# What stands for the first word of a ``cmd``, in ACR's engine at the commit that ACR-TASKS was read from (3.3); but
# ``acr`` is an image of our own.
ALIASES: Final[Mapping[str, str]] = {
    "acr": ACR_IMAGE,
    "az": "mcr.microsoft.com/acr/azure-cli:2ff604c",
    "bash": "mcr.microsoft.com/acr/bash:2ff604c",
    "curl": "mcr.microsoft.com/acr/curl:2ff604c",
    "cssc": "mcr.microsoft.com/acr/cssc:2ff604c",
}
# What ACR calls Docker Hub, whatever the text called it.
HUB: Final = "registry.hub.docker.com"
_HUB: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", HUB})
_HOST: Final = re.compile(r"[a-zA-Z0-9.-]+(:[0-9]+)?|\[[0-9a-fA-F:.]+\](:[0-9]+)?")


@dataclass(frozen=True, slots=True)
class ImageName:
    """``reference``: the text as it was used. ``tag`` is empty where only a digest says which image it is."""

    registry: str
    repository: str
    tag: str
    digest: str
    reference: str

    def with_digest(self, digest: str) -> Self:
        return replace(self, digest=digest)

    @property
    def place(self) -> tuple[str, str]:
        """Registry and repository."""
        return self.registry, self.repository


def parse_image(text: str) -> ImageName | None:
    """None for what is no image's name, such as a name with a variable in it."""
    name, _, digest = text.partition("@")
    registry, repository, tag = _parts(name)
    if name.endswith(":"):
        return None
    if not tag and not digest:
        tag = "latest"
    try:
        parse_repository(repository)
        if tag:
            parse_tag(tag)
        if "@" in text:
            Digest.parse(digest)
    except Problem:
        return None
    return ImageName(registry, repository, tag, digest, text) if _HOST.fullmatch(registry) else None


def _parts(name: str) -> tuple[str, str, str]:
    """A first part with a dot or a port is a host, and so is ``localhost``."""
    first, _, rest = name.partition("/")
    if not has_registry(name):
        first, rest = HUB, name
    repository, _, tag = rest.partition(":")
    if registry_of(first) != HUB:
        return first, repository, tag
    return HUB, repository if "/" in repository else f"library/{repository}", tag


def registry_of(host: str) -> str:
    """As images are told to lie in it: Docker Hub has one name of many."""
    host = host.lower()
    return HUB if host in _HUB else host


def has_registry(name: str) -> bool:
    """Whether the text itself names one."""
    first, slash, _ = name.partition("/")
    return bool(slash) and (bool(set(first) & set(".:")) or first == "localhost")


def to_push(names: list[str]) -> list[str]:
    """Each once, in order; one that names neither tag nor digest means ``latest``. A host's port is no tag."""
    full = [each if "@" in each or ":" in each.rpartition("/")[2] else f"{each}:latest" for each in names]
    return list(dict.fromkeys(full))


def with_server(name: str, server: str, others: tuple[str, ...]) -> str:
    """As quick builds name images: below the login server, unless they name one that the run is signed in to."""
    known = (f"{server}/", "library/", *(f"{each}/" for each in others))
    return name if name.startswith(known) else f"{server}/{name}"
