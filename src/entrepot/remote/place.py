"""Where an image lies at another registry, and under which name its API knows it."""

import re
from dataclasses import dataclass
from typing import Final, Self

from entrepot.oci.reference import RepositoryName

# Host and port, in lower case.
AUTHORITY: Final = r"(?:\[[0-9a-f:.]{2,45}\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?::[0-9]{1,5})?"
_AUTHORITY: Final = re.compile(AUTHORITY)
_DOCKER_HUB: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_DOCKER_HUB_API: Final = "registry-1.docker.io"
_OFFICIAL: Final = "library/"
HOST_RULE: Final = "a registry is named by its host, such as mcr.microsoft.com, with a port if need be, without a path"


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """A repository of another registry. ``host``: with its port, as its API is called. It is always called by https."""

    host: str
    repository: RepositoryName

    @classmethod
    def of(cls, host: str, repository: RepositoryName) -> Self:
        """``host``: from ``parse_host``. Docker Hub has its API elsewhere, and short names for its official images."""
        if host not in _DOCKER_HUB:
            return cls(host, repository)
        return cls(api_of(host), repository if "/" in repository else RepositoryName(_OFFICIAL + repository))

    def url(self, kind: str, reference: str) -> str:
        """Of ``manifests``, ``blobs`` or ``referrers``."""
        return f"https://{self.host}/v2/{self.repository}/{kind}/{reference}"


def api_of(host: str) -> str:
    """Where the registry has its API: Docker Hub has several names. ``host``: from ``parse_host``."""
    return _DOCKER_HUB_API if host in _DOCKER_HUB else host


def parse_host(text: str) -> str:
    """``mcr.microsoft.com`` of that, or of ``https://mcr.microsoft.com/``. Raises ValueError, which says the rule."""
    host = text.strip().lower().removeprefix("https://").removesuffix("/")
    if _AUTHORITY.fullmatch(host) is None:
        raise ValueError(HOST_RULE)
    return host
