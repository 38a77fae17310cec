"""`entrepot tag` and `entrepot manifest`: the images of a repository, by their names and by their digests."""

import argparse
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from entrepot.cli.online.asking import Online, add_place, add_verb, add_yes, confirm, naming
from entrepot.cli.online.repository import locks
from entrepot.cli.refusal import USAGE, Refusal

if TYPE_CHECKING:
    from entrepot.cli.online.output import Columns
    from entrepot.cli.parsing import Commands
    from entrepot.client.content import Content
    from entrepot.client.model import Manifest, Tag

T = TypeVar("T")
_TAG: Final = "Tags of a repository."
_TAG_LIST: Final = "List the tags of a repository."
_TAG_DELETE: Final = "Remove a tag (untag): its manifest stays, and is pulled by digest."
_MANIFEST: Final = "Manifests of a repository."
_MANIFEST_LIST: Final = "List the manifests of a repository."
_MANIFEST_SHOW: Final = "Show a manifest: size, platform, tags, and the children of an index."
_MANIFEST_DELETE: Final = "Delete a manifest, with every tag that points to it."
_IMAGE: Final = "REPOSITORY:TAG or REPOSITORY@DIGEST"
_ORDERS: Final = {"newest": "timedesc", "oldest": "timeasc"}


class Image(NamedTuple):
    """One of the last two is empty."""

    repository: str
    tag: str
    digest: str


def parse_image(text: str) -> Image:
    """Raises Refusal."""
    repository, at, digest = text.partition("@")
    if not at:
        repository, _, tag = text.partition(":")
        if repository and tag:
            return Image(repository, tag, "")
    elif repository and digest:
        return Image(repository.partition(":")[0], "", digest)
    raise Refusal([f"{text}: write it as {_IMAGE}"], USAGE)


def register(commands: "Commands") -> None:
    tag = commands.add_parser("tag", help=_TAG, description=_TAG, allow_abbrev=False)
    verbs = tag.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    _add_listing(add_verb(verbs, "list", _TAG_LIST, _list_tags))
    delete = add_verb(verbs, "delete", _TAG_DELETE, _delete_tag)
    delete.add_argument("image", metavar="REPOSITORY:TAG", help="the tag")
    manifest = commands.add_parser("manifest", help=_MANIFEST, description=_MANIFEST, allow_abbrev=False)
    verbs = manifest.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    _add_listing(add_verb(verbs, "list", _MANIFEST_LIST, _list_manifests))
    show = add_verb(verbs, "show", _MANIFEST_SHOW, _show_manifest)
    show.add_argument("--raw", action="store_true", help="print the manifest itself, byte by byte as it was pushed")
    delete_manifest = add_verb(verbs, "delete", _MANIFEST_DELETE, _delete_manifest)
    for verb in (show, delete_manifest):
        verb.add_argument("image", metavar="IMAGE", help=_IMAGE)
    for verb in (delete, show, delete_manifest):
        add_place(verb)
    for verb in (delete, delete_manifest):
        add_yes(verb)


def _add_listing(parser: argparse.ArgumentParser) -> None:
    add_place(parser)
    parser.add_argument("--order", choices=tuple(_ORDERS), help="by time; without it by name or digest")
    parser.add_argument("--top", type=int, metavar="COUNT", help="only so many")
    parser.add_argument("repository", help="the repository")


def _first(found: Iterable[T], arguments: argparse.Namespace) -> Iterable[T]:
    if arguments.top is not None and arguments.top < 1:
        raise Refusal(["--top is a number of 1 or more"], USAGE)
    return islice(found, arguments.top)


def _list_tags(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_list

    content, name = online.content(arguments), arguments.repository
    tags = content.tags(name, _ORDERS.get(arguments.order, ""))
    with naming("repository", name, content.repositories):
        show_list(online.form, _first(tags, arguments), _tag_columns())


def _delete_tag(online: Online, arguments: argparse.Namespace) -> None:
    content, image = online.content(arguments), parse_image(arguments.image)
    if not image.tag:
        raise Refusal(
            [f"{arguments.image}: write it as REPOSITORY:TAG; entrepot manifest delete takes a digest"], USAGE
        )
    with _naming(content, image):
        content.digest_of(image.repository, image.tag)
        confirm(arguments, f"Remove the tag {image.tag} of {image.repository}?")
        content.delete_tag(image.repository, image.tag)


def _list_manifests(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_list

    content, name = online.content(arguments), arguments.repository
    manifests = content.manifests(name, _ORDERS.get(arguments.order, ""))
    with naming("repository", name, content.repositories):
        show_list(online.form, _first(manifests, arguments), _manifest_columns())


def _show_manifest(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_one

    content, image = online.content(arguments), parse_image(arguments.image)
    with _naming(content, image):
        if arguments.raw:
            sys.stdout.buffer.write(content.raw_manifest(image.repository, image.digest or image.tag))
            return
        found = content.manifest(image.repository, _digest_of(content, image))
    children: Columns[Manifest] = (("CHILDREN", lambda one: " ".join(each.digest for each in one.references or ())),)
    show_one(online.form, found, (*_manifest_columns(), *children))


def _delete_manifest(online: Online, arguments: argparse.Namespace) -> None:
    content, image = online.content(arguments), parse_image(arguments.image)
    with _naming(content, image):
        found = content.manifest(image.repository, _digest_of(content, image))
        tags = f", which has the tags {', '.join(found.tags)}" if found.tags else ""
        confirm(arguments, f"Delete {found.digest} of {image.repository}{tags}?")
        content.delete_manifest(image.repository, found.digest)


def _digest_of(content: "Content", image: Image) -> str:
    return image.digest or content.digest_of(image.repository, image.tag)


@contextmanager
def _naming(content: "Content", image: Image) -> Generator[None]:
    """An image that is not there: its repository is not, or it has other tags."""
    repository = image.repository
    within = naming("repository", repository, content.repositories, "NAME_UNKNOWN")
    if image.tag:
        one = naming("tag", image.tag, lambda: (tag.name for tag in content.tags(repository)), "MANIFEST_UNKNOWN")
    else:
        one = naming("manifest", image.digest, tuple[str, ...], "MANIFEST_UNKNOWN")
    with within, one:
        yield


def _tag_columns() -> "Columns[Tag]":
    from entrepot.cli.online.output import moment

    return (
        ("TAG", lambda one: one.name),
        ("DIGEST", lambda one: one.digest),
        ("CREATED", lambda one: moment(one.created_time)),
        ("CHANGED", lambda one: moment(one.last_update_time)),
        ("LOCKED", lambda one: locks(one.changeable_attributes)),
    )


def _manifest_columns() -> "Columns[Manifest]":
    from entrepot.cli.online.output import moment, size

    return (
        ("DIGEST", lambda one: one.digest),
        ("TAGS", lambda one: " ".join(one.tags)),
        ("SIZE", lambda one: size(one.image_size)),
        ("PLATFORM", lambda one: "/".join(filter(None, (one.os, one.architecture)))),
        ("TYPE", lambda one: one.artifact_type or one.media_type),
        ("CREATED", lambda one: moment(one.created_time)),
        ("LAST PULLED", lambda one: moment(one.last_pulled_time)),
        ("LOCKED", lambda one: locks(one.changeable_attributes)),
    )
