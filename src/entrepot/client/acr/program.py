"""The commands: ``acr purge``, ``acr tag``, ``acr manifest``, ``acr login``, ``acr version``."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final, NoReturn

import httpx

from entrepot.client.acr import selecting, signing
from entrepot.client.acr.purging import Failed, Purge, Wanted
from entrepot.client.acr.selecting import Pattern, Wrong
from entrepot.client.content import Content
from entrepot.client.refusals import ClientError, Refused

# What scripts that look at the version expect: the one whose flags and texts these are.
LIKE: Final = "0.19"
MOST_AT_ONCE: Final = 32
_AT_ONCE: Final = os.cpu_count() or 1
_PAGE: Final = 100
_SECONDS: Final = 60


def main(words: Sequence[str], transport: httpx.BaseTransport | None = None) -> int:
    """The exit code. ``transport``: instead of the run's socket."""
    try:
        arguments = _parser().parse_args(words)
        if arguments.run is None:
            arguments.parser.print_help()
            return 0
        arguments.transport = transport
        arguments.run(arguments)
    except (Wrong, Failed, ClientError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Wrong(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("acr", description="The Azure Container Registry CLI, as Entrepot has it.", allow_abbrev=False)
    parser.set_defaults(run=None, parser=parser)
    verbs = parser.add_subparsers(parser_class=_Parser)
    _purge_parser(verbs.add_parser("purge", help="Delete images from a registry.", allow_abbrev=False))
    for kind, listing, deleting in (
        ("tag", _list_tags, _delete_tags),
        ("manifest", _list_manifests, _delete_manifests),
    ):
        of_kind = verbs.add_parser(kind, help=f"Manage {kind}s inside a repository", allow_abbrev=False)
        of_kind.set_defaults(parser=of_kind)
        acts = of_kind.add_subparsers(parser_class=_Parser)
        for act, run in (("list", listing), ("delete", deleting)):
            leaf = acts.add_parser(act, help=f"{act.title()} {kind}s of a repository", allow_abbrev=False)
            leaf.set_defaults(run=run)
            leaf.add_argument("--repository", required=True, help="the repository")
            if act == "delete":
                leaf.add_argument("names", nargs="*", metavar=kind.upper())
            _registry_flags(leaf)
    login = verbs.add_parser("login", help="Sign in, and keep it as docker does", allow_abbrev=False)
    login.set_defaults(run=_log_in)
    login.add_argument("server")
    login.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    _sign_in_flags(login)
    told = verbs.add_parser("version", help="Print version information", allow_abbrev=False)
    told.set_defaults(run=_print_version)
    return parser


def _sign_in_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-u", "--username", default="", help="user name; as docker is signed in without")
    parser.add_argument("-p", "--password", default="", help="its password")
    parser.add_argument("-c", "--config", action="append", default=[], help="a configuration of docker's; repeatable")


def _registry_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-r", "--registry", default="", help="the registry; the run's own without")
    _sign_in_flags(parser)


def _purge_parser(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_purge)
    add = parser.add_argument
    add("-f", "--filter", action="append", default=[], help="REPOSITORY:TAG, two regular expressions; repeatable")
    add("--ago", default="", help="only what was pushed longer ago: 2d3h6m; at most 150 years")
    add("--keep", type=int, default=0, help="how many of the newest that would go stay, in each repository")
    untagged = parser.add_mutually_exclusive_group()
    untagged.add_argument("--untagged", action="store_true", help="delete manifests without tags, too")
    untagged.add_argument("--untagged-only", action="store_true", help="delete manifests without tags, and no tags")
    add("--dry-run", action="store_true", help="delete nothing, say what would go")
    add("--include-locked", action="store_true", help="unlock what is locked, and delete it")
    add("--concurrency", type=int, default=_AT_ONCE, help=f"requests at once, 1 to {MOST_AT_ONCE}")
    add("--repository-page-size", type=int, default=_PAGE, help="repositories that are asked for at once")
    add("--filter-timeout-seconds", type=int, default=_SECONDS, help="no filter takes long here: it is not needed")
    add("--verbose", action="store_true", help="accepted: there is nothing more to say")
    _registry_flags(parser)


def _opened(arguments: argparse.Namespace) -> tuple[str, Content]:
    """The login server, and what it holds. Raises Wrong."""
    server = signing.login_server(arguments.registry)
    header = signing.sign_in(server, arguments.username, arguments.password, arguments.config)
    return server, signing.reach(header, arguments.transport)


# --- purge ------------------------------------------------------------------------------------------------------------


def _purge(arguments: argparse.Namespace) -> None:
    """Raises Wrong, Failed, ClientError."""
    _check(arguments)
    ago = _ago(arguments.ago)
    server, content = _opened(arguments)
    filters = _filters(arguments, content)
    if arguments.dry_run:
        print(
            "DRY RUN: The following output shows what WOULD be deleted if the purge command was executed. Nothing is "
            "deleted."
        )
    wanted = Wanted(
        datetime.now(UTC) - ago,
        arguments.keep,
        arguments.untagged or arguments.untagged_only,
        arguments.dry_run,
        arguments.include_locked,
    )
    purge = Purge(content, server, wanted, _at_once(arguments.concurrency), _Lines().say)
    try:
        purge.run(filters)
    except Failed as failed:
        if "insufficient permissions" not in str(failed):
            print(f"Failed to complete purge: {failed} ")
        raise
    finally:
        verb = "to be deleted" if arguments.dry_run else ""
        kinds = (("tags", purge.count.tags), ("manifests", purge.count.manifests))
        lines = [f"Number of {kind} {verb}: {n}" if verb else f"Number of deleted {kind}: {n}" for kind, n in kinds]
        print("", *lines, sep="\n")


def _check(arguments: argparse.Namespace) -> None:
    if not arguments.untagged_only:
        if not arguments.filter:
            raise Wrong("--filter is required when not using --untagged-only")
        if not arguments.ago:
            raise Wrong("--ago is required when not using --untagged-only")
    if arguments.keep < 0:
        raise Wrong("--keep is 0 at least")
    if arguments.repository_page_size < 1:
        raise Wrong("--repository-page-size is 1 at least")


def _ago(text: str) -> timedelta:
    if not text:
        return timedelta()
    ago, is_cut = selecting.parse_ago(text)
    if is_cut:
        print("Warning: ago value exceeds maximum duration of 150 years, capping to 150 years")
    return ago


def _filters(arguments: argparse.Namespace, content: Content) -> Mapping[str, Pattern | None]:
    names = list(content.repositories(arguments.repository_page_size))
    if not arguments.filter:
        return dict.fromkeys(names)
    found = selecting.tag_filters(arguments.filter, names)
    return dict.fromkeys(found) if arguments.untagged_only else found


def _at_once(asked: int) -> int:
    if asked <= 0:
        print(f"Specified concurrency value invalid. Set to default value: {_AT_ONCE} ")
        return min(_AT_ONCE, MOST_AT_ONCE)
    if asked > MOST_AT_ONCE:
        print(f"Specified concurrency value too large. Set to maximum value: {MOST_AT_ONCE} ")
    return min(asked, MOST_AT_ONCE)


class _Lines:
    """Whole ones, whichever thread says them, and at once: a log is being read while it comes."""

    def __init__(self) -> None:
        self._lock = Lock()

    def say(self, line: str) -> None:
        with self._lock:
            print(line, flush=True)


# --- the rest ---------------------------------------------------------------------------------------------------------


def _list_tags(arguments: argparse.Namespace) -> None:
    server, content = _opened(arguments)
    names = [tag.name for tag in content.tags(arguments.repository)]
    print(f'Listing tags for the "{arguments.repository}" repository:')
    for name in names:
        print(f"{server}/{arguments.repository}:{name}")


def _delete_tags(arguments: argparse.Namespace) -> None:
    server, content = _opened(arguments)
    for name in arguments.names:
        try:
            content.delete_tag(arguments.repository, name)
        except Refused as refused:
            raise Wrong(f"failed to delete tags: {refused}") from None
        print(f"{server}/{arguments.repository}:{name}")


def _list_manifests(arguments: argparse.Namespace) -> None:
    server, content = _opened(arguments)
    digests = [manifest.digest for manifest in content.manifests(arguments.repository)]
    print(f'Listing manifests for the "{arguments.repository}" repository:')
    for digest in digests:
        print(f"{server}/{arguments.repository}@{digest}")


def _delete_manifests(arguments: argparse.Namespace) -> None:
    server, content = _opened(arguments)
    for digest in arguments.names:
        try:
            content.delete_manifest(arguments.repository, digest)
        except Refused as refused:
            raise Wrong(f"failed to delete manifests: {refused}") from None
        print(f"{server}/{arguments.repository}@{digest}")


def _log_in(arguments: argparse.Namespace) -> None:
    """Kept as docker keeps it, so later steps have it too."""
    server = signing.login_server(arguments.server)
    password = sys.stdin.readline().rstrip("\r\n") if arguments.password_stdin else arguments.password
    if not password:
        raise Wrong("password required")
    if not arguments.password_stdin:
        print("WARNING! Using --password via the CLI is insecure. Use --password-stdin.", file=sys.stderr)
    header = signing.sign_in(server, arguments.username, password, [])
    next(signing.reach(header, arguments.transport).repositories(1), None)
    signing.keep(server, header, arguments.config)
    print("Login Succeeded")


def _print_version(_arguments: argparse.Namespace) -> None:
    print(f"Version: {LIKE}, Revision: entrepot")
