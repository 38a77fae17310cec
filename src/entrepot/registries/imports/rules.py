"""What an import's members may say: parsed strictly, each refusal with the member's name."""

import re
from typing import Final, NamedTuple

from entrepot.errors import Kind, Problem
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag, parse_repository, parse_tag
from entrepot.registries.imports.model import TARGETS_LIMIT, ImportBody, SourceBody
from entrepot.remote.place import parse_host

_LATEST: Final = Tag("latest")
_IMAGE_RULE: Final = "an image is REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST, without the name of its registry"
_SECRET_LIMIT: Final = 32 * 1024
_NAME_LIMIT: Final = 1024
_RESOURCE: Final = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.ContainerRegistry/registries/(?P<name>[A-Za-z0-9]{1,50})",
    re.IGNORECASE,
)


class Image(NamedTuple):
    """What is imported."""

    repository: RepositoryName
    reference: Tag | Digest


class ResourceName(NamedTuple):
    """A registry by its resource id."""

    subscription: str
    group: str
    name: str


def invalid(target: str, reason: str) -> Problem:
    return Problem(Kind.RESOURCE_INVALID, target=target, reason=reason)


def parse_image(text: str) -> Image:
    """Raises RESOURCE_INVALID."""
    name, at, digest = text.partition("@")
    try:
        if at:
            # A tag beside the digest says nothing more, as everywhere else.
            return Image(parse_repository(_without_tag(name)), Digest.parse(digest))
        repository, tag = _split_tag(name)
        return Image(parse_repository(repository), _LATEST if tag is None else parse_tag(tag))
    except Problem:
        raise invalid("source.sourceImage", f"'{text[:128]}' names no image: {_IMAGE_RULE}") from None


def parse_targets(body: ImportBody, image: Image) -> dict[str, list[str]]:
    """Tags by repository. Where no target is named, the image keeps its name. Raises RESOURCE_INVALID."""
    if len(body.target_tags) + len(body.untagged_target_repositories) > TARGETS_LIMIT:
        raise invalid("targetTags", f"an import has at most {TARGETS_LIMIT} targets")
    own_tag = image.reference if not isinstance(image.reference, Digest) else None
    found: dict[str, list[str]] = {}
    for number, text in enumerate(body.target_tags):
        repository, tag = _target(f"targetTags[{number}]", text, own_tag or _LATEST)
        tags = found.setdefault(repository, [])
        if tag not in tags:
            tags.append(tag)
    for number, text in enumerate(body.untagged_target_repositories):
        try:
            found.setdefault(parse_repository(text), [])
        except Problem:
            raise invalid(
                f"untaggedTargetRepositories[{number}]", f"'{text[:128]}' is not the name of a repository"
            ) from None
    return found or {image.repository: [own_tag] if own_tag else []}


def _target(member: str, text: str, usual: Tag) -> tuple[RepositoryName, Tag]:
    repository, tag = _split_tag(text)
    try:
        return parse_repository(repository), usual if tag is None else parse_tag(tag)
    except Problem:
        raise invalid(member, f"'{text[:128]}' is neither REPOSITORY:TAG nor REPOSITORY") from None


def _split_tag(text: str) -> tuple[str, str | None]:
    repository, colon, tag = text.partition(":")
    return repository, tag if colon else None


def _without_tag(name: str) -> str:
    return _split_tag(name)[0]


def parse_resource(text: str) -> ResourceName:
    """Raises RESOURCE_INVALID."""
    found = _RESOURCE.fullmatch(text)
    if found is None:
        raise invalid("source.resourceId", "it is not the resource id of a container registry")
    return ResourceName(found["subscription"], found["group"], found["name"])


def parse_registry_uri(text: str) -> str:
    """Its host. Raises RESOURCE_INVALID."""
    try:
        return parse_host(text)
    except ValueError as error:
        raise invalid("source.registryUri", str(error)) from None


def expect_one_source(source: SourceBody) -> None:
    """Raises RESOURCE_INVALID for none, for two, and for credentials that cannot be sent."""
    if source.resource_id and source.registry_uri:
        raise invalid("source.registryUri", "name the source by resourceId or by registryUri, not by both")
    if not source.resource_id and not source.registry_uri:
        raise invalid("source.registryUri", "name the source: its host here, or its id in resourceId")
    credentials = source.credentials
    if credentials is None:
        return
    if source.resource_id:
        raise invalid("source.credentials", "a registry named by resourceId is read with your own rights: leave it out")
    if not credentials.password or len(credentials.password) > _SECRET_LIMIT:
        raise invalid("source.credentials.password", f"it has 1 to {_SECRET_LIMIT} characters")
    if len(credentials.username) > _NAME_LIMIT or ":" in credentials.username:
        raise invalid("source.credentials.username", f"it has at most {_NAME_LIMIT} characters and no colon")
