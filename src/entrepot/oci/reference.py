"""Names of repositories and tags. Spec: OCI distribution-spec, "Pulling manifests"; lengths as docker's clients."""

import re
from typing import Final, NewType

from entrepot.errors import Kind, Problem
from entrepot.oci.digest import Digest

RepositoryName = NewType("RepositoryName", str)
Tag = NewType("Tag", str)

# Clients join host, "/" and name, and stop at 255 characters; a name alone may be as long as that leaves.
REPOSITORY_NAME_LIMIT: Final = 255
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


def parse_repository(text: str) -> RepositoryName:
    """Raises NAME_INVALID."""
    if len(text) > REPOSITORY_NAME_LIMIT or _NAME.fullmatch(text) is None:
        raise Problem(Kind.NAME_INVALID, name=text[:REPOSITORY_NAME_LIMIT])
    return RepositoryName(text)


def parse_tag(text: str) -> Tag:
    """Raises TAG_INVALID."""
    if _TAG.fullmatch(text) is None:
        raise Problem(Kind.TAG_INVALID, tag=text[:256])
    return Tag(text)


def parse_reference(text: str) -> Tag | Digest:
    """What follows ``/manifests/``: a digest if it holds a colon (no tag can), else a tag."""
    return Digest.parse(text) if ":" in text else parse_tag(text)
