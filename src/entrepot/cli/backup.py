"""`entrepot backup` and `entrepot restore`: a consistent copy, made beside a running server, and the way back."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from entrepot.cli.refusal import FAILED, Refusal, told
from entrepot.cli.sources import add_flags, load
from entrepot.errors import Problem
from entrepot.settings import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from entrepot.app.backup import Copied
    from entrepot.cli.parsing import Commands
    from entrepot.settings import Settings

_BACKUP: Final = "Copy catalog and blobs into a folder, beside a running server."
_RESTORE: Final = "Make a new data folder or database from a backup."


def register(commands: "Commands") -> None:
    backup = commands.add_parser("backup", help=_BACKUP, description=_BACKUP, allow_abbrev=False)
    backup.add_argument("target", type=Path, help="folder for the backup; used again, only new blobs are copied")
    restore = commands.add_parser("restore", help=_RESTORE, description=_RESTORE, allow_abbrev=False)
    restore.add_argument("source", type=Path, help="folder that `entrepot backup` wrote")
    for parser, run in ((backup, run_backup), (restore, run_restore)):
        add_flags(parser)
        parser.set_defaults(run=run)


def run_backup(arguments: argparse.Namespace) -> int:
    from entrepot.app.backup import back_up

    return _run(arguments, lambda settings: back_up(settings, arguments.target, _tell), "backed up")


def run_restore(arguments: argparse.Namespace) -> int:
    from entrepot.app.restore import restore

    return _run(arguments, lambda settings: restore(settings, arguments.source, _tell), "restored")


def _run(arguments: argparse.Namespace, work: "Callable[[Settings], Copied]", done: str) -> int:
    from entrepot.app.backup import BackupError

    loaded = load(arguments, os.environ)
    try:
        copied = work(loaded.settings)
    except SettingError as error:
        raise loaded.refusal(error) from error
    except BackupError as error:
        raise Refusal([str(error)]) from error
    except OSError as error:
        raise Refusal([f"{error.filename or 'a file'}: {error.strerror}"]) from error
    except Problem as problem:
        raise Refusal(told(problem)) from problem
    _end_progress()
    print(f"{done}: {copied.rows} catalog rows, {copied.blobs} blobs, {copied.size} bytes")
    if not copied.damaged:
        return 0
    print(
        "the bytes of these blobs are gone or damaged; pulls are told so until they are pushed again:", file=sys.stderr
    )
    print("\n".join(f"  {digest}" for digest in copied.damaged), file=sys.stderr)
    return FAILED


def _tell(so_far: "Copied") -> None:
    """Progress on one line of a terminal."""
    if sys.stderr.isatty():
        print(f"\r{so_far.blobs} blobs, {so_far.size / 1e6:.0f} MB", end="", file=sys.stderr, flush=True)


def _end_progress() -> None:
    if sys.stderr.isatty():
        print(file=sys.stderr)
