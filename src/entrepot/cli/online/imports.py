"""`entrepot import`, `entrepot operation` and `entrepot usage`: what a registry is doing, and how much it holds."""

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from entrepot.cli.online.asking import Online, add_registry, add_verb
from entrepot.cli.refusal import INTERRUPTED, USAGE, Refusal

if TYPE_CHECKING:
    from entrepot.cli.online.output import Columns
    from entrepot.cli.parsing import Commands
    from entrepot.client.model import Operation, Registry, Usage

_IMPORT: Final = "Copy an image from another registry into one of yours, and show how it comes along."
_SOURCE: Final = "HOST/REPOSITORY[:TAG|@DIGEST]; with --from without the host"
_FROM: Final = "take it from this registry of the deployment"
_IMAGE: Final = "what to call it here, REPOSITORY[:TAG]; several times for more; without it as it is called there"
_UNTAGGED: Final = "copy it into this repository without a tag; several times for more"
_USER: Final = "user name at the source; its password is read without being seen"
_SECRET: Final = "the password at the source is the first line of standard input; without it a prompt"  # noqa: S105  a text
_NO_WAIT: Final = "print the operation and do not wait for its end"
_OPERATION: Final = "Long operations, such as imports and deletions of registries."
_SHOW: Final = "Show how a long operation stands, for whoever began it."
_USAGE: Final = "Show what a registry holds, and the limits of its tier."


def register(commands: "Commands") -> None:
    copy = add_verb(commands, "import", _IMPORT, _import)
    add_registry(copy)
    copy.add_argument("source", help=_SOURCE)
    copy.add_argument("--from", dest="source_registry", metavar="NAME", help=_FROM)
    copy.add_argument("--image", action="append", default=[], metavar="IMAGE", help=_IMAGE)
    copy.add_argument("--untagged", action="append", default=[], metavar="REPOSITORY", help=_UNTAGGED)
    copy.add_argument("--force", action="store_true", help="move tags that are there already")
    copy.add_argument("--referrers", action="store_true", help="signatures, SBOMs and other referrers, too")
    copy.add_argument("--username", metavar="NAME", help=_USER)
    copy.add_argument("--secret-stdin", action="store_true", help=_SECRET)
    copy.add_argument("--no-wait", action="store_true", help=_NO_WAIT)
    operation = commands.add_parser("operation", help=_OPERATION, description=_OPERATION, allow_abbrev=False)
    verbs = operation.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    show = add_verb(verbs, "show", _SHOW, _show_operation)
    show.add_argument("--wait", action="store_true", help="show how it goes on until it has ended")
    show.add_argument("name", help="the operation")
    add_registry(add_verb(commands, "usage", _USAGE, _usage))


def _import(online: Online, arguments: argparse.Namespace) -> None:
    body = {
        "source": _source(online, arguments),
        "targetTags": arguments.image,
        "untaggedTargetRepositories": arguments.untagged,
        "mode": "Force" if arguments.force else "NoForce",
        "includeReferrers": arguments.referrers,
    }
    registry = online.registry(arguments.registry)
    address = online.management.start(f"{registry.id}/importImage", body)
    if arguments.no_wait:
        _print(online, online.management.operation(address))
    else:
        _follow(online, address)


def _source(online: Online, arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.source_registry is not None:
        if arguments.username or arguments.secret_stdin:
            raise Refusal(["a registry of the deployment is read with your own rights: leave --username out"], USAGE)
        found: Registry = online.registry(arguments.source_registry)
        return {"sourceImage": arguments.source, "resourceId": found.id}
    host, slash, image = arguments.source.partition("/")
    if not slash:
        raise Refusal([f"{arguments.source}: write it as {_SOURCE}"], USAGE)
    source = {"sourceImage": image, "registryUri": host}
    if arguments.username is None and not arguments.secret_stdin:
        return source
    from entrepot.cli.online.credentials import read_secret

    password = read_secret("password", from_stdin=arguments.secret_stdin)
    return {**source, "credentials": {"username": arguments.username or "", "password": password}}


def _show_operation(online: Online, arguments: argparse.Namespace) -> None:
    address = online.management.find_operation(arguments.name)
    if arguments.wait:
        _follow(online, address)
    else:
        _print(online, online.management.operation(address))


def _follow(online: Online, address: str) -> None:
    """Raises Refusal when it fails, and when somebody does not want to wait."""
    from entrepot.client.management import SUCCEEDED, failed

    name = address.partition("?")[0].rpartition("/")[2]
    ended: Operation | None = None
    try:
        for status in _told(online.management.follow(address)):
            ended = status
    except KeyboardInterrupt:
        how = f"it goes on by itself; follow it with: entrepot operation show {name} --wait"
        raise Refusal(["", how], INTERRUPTED) from None
    assert ended is not None  # noqa: S101  an operation stands somehow
    if ended.status != SUCCEEDED:
        raise failed(ended)
    _print(online, ended)


def _told(found: "Iterator[Operation]") -> "Iterator[Operation]":
    """Each change on a line of standard error, in the place of the one before on a terminal."""
    from entrepot.cli.online.output import plain

    on_terminal, before = sys.stderr.isatty(), ""
    for status in found:
        line = plain("; ".join(f"{target}: {text}" for target, text in status.properties.items()))
        if line and line != before:
            print(
                f"\r\x1b[2K{line}" if on_terminal else line,
                end="" if on_terminal else "\n",
                file=sys.stderr,
                flush=True,
            )
            before = line
        yield status
    if on_terminal and before:
        print(file=sys.stderr)


def _usage(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_list
    from entrepot.client.model import Usages

    registry = online.registry(arguments.registry)
    show_list(online.form, online.management.get(f"{registry.id}/listUsages", Usages).value, _usage_columns())


def _usage_columns() -> "Columns[Usage]":
    return (
        ("WHAT", lambda one: one.name),
        ("USED", lambda one: _counted(one.current_value, one.unit)),
        ("LIMIT", lambda one: "none" if one.limit < 0 else _counted(one.limit, one.unit)),
    )


def _counted(count: int, unit: str) -> str:
    from entrepot.cli.online.output import size

    return size(count) if unit == "Bytes" else str(count)


def _print(online: Online, found: "Operation") -> None:
    from entrepot.cli.online.output import moment, show_one

    columns: Columns[Operation] = (
        ("OPERATION", lambda one: one.name),
        ("STATUS", lambda one: one.status),
        ("BEGAN", lambda one: moment(one.start_time)),
        ("ENDED", lambda one: moment(one.end_time)),
        ("PROGRESS", lambda one: "; ".join(f"{target}: {text}" for target, text in one.properties.items())),
        ("ERROR", lambda one: "" if one.error is None else f"{one.error.code}: {one.error.message}"),
    )
    show_one(online.form, found, columns)
