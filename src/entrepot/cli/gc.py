"""`entrepot gc`: do the garbage collection that is due now, or say why something is kept or when it goes.

The server's job worker collects by itself; this is for people who want to see it, or cannot wait.
"""

import argparse
import os
import sys
from typing import TYPE_CHECKING, Final

from entrepot.cli.refusal import USAGE, Refusal, told
from entrepot.cli.sources import add_flags, load
from entrepot.errors import Problem
from entrepot.settings import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from entrepot.cli.parsing import Commands
    from entrepot.retention.collect import Site
    from entrepot.retention.model import Tally

_TEXT: Final = "Garbage collection by hand, beside a running server or without one."
_RUN: Final = "Do what is due now. The waits of the settings hold here too: nothing goes earlier than by itself."
_EXPLAIN: Final = "Say why a blob or a manifest is kept, or when it goes."


def register(commands: "Commands") -> None:
    parser = commands.add_parser("gc", help=_TEXT, description=_TEXT, allow_abbrev=False)
    verbs = parser.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    run = verbs.add_parser("run", help=_RUN, description=_RUN, allow_abbrev=False)
    run.add_argument("--dry-run", action="store_true", help="only tell what would be done; change nothing")
    explain = verbs.add_parser("explain", help=_EXPLAIN, description=_EXPLAIN, allow_abbrev=False)
    explain.add_argument("digest", help="of a blob or a manifest: sha256:...")
    explain.add_argument("--repository", help="only as far as this repository is concerned")
    for verb, function in ((run, run_collection), (explain, run_explanation)):
        add_flags(verb)
        verb.set_defaults(run=function, parser=verb)


def run_collection(arguments: argparse.Namespace) -> int:
    return _with_site(arguments, _plan if arguments.dry_run else _collect)


def run_explanation(arguments: argparse.Namespace) -> int:
    return _with_site(arguments, lambda site: _explain(site, arguments.digest, arguments.repository))


def _with_site(arguments: argparse.Namespace, work: "Callable[[Site], None]") -> int:
    loaded = load(arguments, os.environ)
    from entrepot.app.upkeep import opened

    try:
        with opened(loaded.settings) as site:
            work(site)
    except SettingError as error:
        raise loaded.refusal(error) from error
    except Problem as problem:
        raise Refusal(told(problem)) from problem
    return 0


def _collect(site: "Site") -> None:
    from entrepot.retention.collect import Collector
    from entrepot.retention.sweep import Sweeper

    done = Collector(site).collect(_never, _show_progress) + Sweeper(site).remove_empty(_never)
    _end_progress()
    print(f"reviewed:  {done.kept + done.postponed + done.condemned + done.unlinked} links")
    print(f"condemned: {done.condemned} links, {done.condemned_bytes} bytes; revived: {done.revived}")
    print(f"deleted:   {done.deleted} blobs, {done.deleted_bytes} bytes; their files go when no download can need them")
    print(f"freed:     {done.freed} files, {done.freed_bytes} bytes")
    removed = f"{done.repositories} empty repositories, {done.files} expired files"
    print(f"ended:     {done.uploads} uploads; removed: {removed}")
    if done.stuck:
        print(f"stuck:     {done.stuck} files, to be tried again")


def _plan(site: "Site") -> None:
    from entrepot.retention.plan import plan

    would = plan(site)
    print("nothing is changed; due now:")
    print(f"condemn: {would.condemned} links, {would.condemned_bytes} bytes")
    print(f"delete:  {would.deleted} blobs, {would.deleted_bytes} bytes")
    print(f"free:    {would.freed} files, {would.freed_bytes} bytes")
    removed = f"{would.repositories} empty repositories, {would.files} expired files"
    print(f"end:     at most {would.uploads} uploads; remove: {removed}")


def _explain(site: "Site", digest: str, repository: str | None) -> None:
    from entrepot.oci.digest import Digest
    from entrepot.retention.explain.explain import Question, explain

    try:
        asked = Question(Digest.parse(digest), repository, site.now(), site.waits)
    except Problem as problem:
        raise Refusal([f"{digest}: not a digest: sha256: and 64 hex digits, or sha512: and 128"], USAGE) from problem
    for line in site.doors.read(explain, asked):
        print(line)


def _never() -> bool:
    """Only SIGINT stops it; whatever it was doing is done later."""
    return False


def _show_progress(so_far: "Tally") -> None:
    """On one line of a terminal."""
    if sys.stderr.isatty():
        counts = f"{so_far.condemned} condemned, {so_far.deleted} deleted, {so_far.freed} freed"
        print(f"\r{counts}, {so_far.freed_bytes / 1e6:.0f} MB", end="", file=sys.stderr, flush=True)


def _end_progress() -> None:
    if sys.stderr.isatty():
        print(file=sys.stderr)
