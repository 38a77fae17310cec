"""What the commands on the directory share: its opening, and what they refuse."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from entrepot.cli.refusal import USAGE, Refusal, told
from entrepot.cli.sources import add_flags, load
from entrepot.errors import Problem
from entrepot.settings import SettingError

if TYPE_CHECKING:
    from entrepot.app.directory import Directory

    # argparse has no public name for what it hands out.
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

_FILE_LIMIT: Final = 64 * 1024


def add_verb(
    verbs: "Verbs", name: str, text: str, run: Callable[["Directory", argparse.Namespace], None]
) -> argparse.ArgumentParser:
    """A command of a command, which works on the directory of the settings."""
    parser = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
    add_flags(parser)

    def run_it(arguments: argparse.Namespace) -> int:
        return _with_directory(arguments, run)

    parser.set_defaults(run=run_it, parser=parser)
    return parser


def _with_directory(arguments: argparse.Namespace, work: Callable[["Directory", argparse.Namespace], None]) -> int:
    loaded = load(arguments, os.environ)
    from entrepot.app.directory import Directory

    try:
        work(Directory(loaded.settings), arguments)
    except SettingError as error:
        raise loaded.refusal(error) from error
    except Problem as problem:
        raise Refusal(told(problem)) from problem
    return 0


def read_text(path: str) -> str:
    """Raises Refusal."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            return file.read(_FILE_LIMIT)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise Refusal([f"{path}: {reason}"], USAGE) from None
