"""What every command does that begins a run or follows one."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from entrepot.cli.online.asking import Online
from entrepot.cli.refusal import FAILED, INTERRUPTED, Refusal

if TYPE_CHECKING:
    from entrepot.cli.online.output import Columns
    from entrepot.client.runs import Run, Runs


def add_how(parser: argparse.ArgumentParser) -> None:
    """What every command has that begins a run."""
    parser.add_argument("--pool", metavar="NAME", help="the agent pool that does it")
    parser.add_argument("--no-wait", action="store_true", help="print the run and do not wait for its end")


def begin(online: Online, runs: "Runs", request: Mapping[str, object], arguments: argparse.Namespace) -> None:
    """Ask for a run and, unless --no-wait is given, show its log until it has ended. Raises Refusal."""
    run = runs.schedule({**request, **({"agentPoolName": arguments.pool} if arguments.pool else {})})
    if arguments.no_wait:
        show(online, run)
        return
    print(f"The run is {run.name}", file=sys.stderr)
    follow(runs, run.name)


def follow(runs: "Runs", name: str) -> None:
    """Raises Refusal when it does not succeed, and when somebody does not want to wait."""
    from entrepot.client.runs import SUCCEEDED

    try:
        write(text.encode(errors="replace") for text in runs.follow(name))
    except KeyboardInterrupt:
        how = f"it goes on by itself: entrepot task logs {name} --follow, entrepot task cancel {name}"
        raise Refusal(["", how], INTERRUPTED) from None
    status = runs.get(name).properties.status
    if status != SUCCEEDED:
        raise Refusal([f"the run {name} ended as {status}"], FAILED)


def write(pieces: Iterator[bytes]) -> None:
    """As the containers wrote it; the lines of this machine."""
    for piece in pieces:
        sys.stdout.buffer.write(piece.replace(b"\r\n", b"\n"))
        sys.stdout.buffer.flush()


def show(online: Online, run: "Run") -> None:
    from entrepot.cli.online.output import show_one

    show_one(online.form, run, columns())


def columns() -> "Columns[Run]":
    from entrepot.cli.online.output import moment

    return (
        ("RUN", lambda one: one.name),
        ("STATUS", lambda one: one.properties.status),
        ("TASK", lambda one: one.properties.task),
        ("POOL", lambda one: one.properties.agent_pool_name),
        ("ASKED FOR", lambda one: moment(one.properties.create_time)),
        ("BEGAN", lambda one: moment(one.properties.start_time)),
        ("ENDED", lambda one: moment(one.properties.finish_time)),
        ("WHY", lambda one: one.properties.run_error_message),
    )
