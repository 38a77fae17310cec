"""`entrepot check`: the content store against the catalog, and the catalog against itself."""

import argparse
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from entrepot.cli.refusal import Refusal, told
from entrepot.cli.sources import add_flags, load
from entrepot.errors import Problem
from entrepot.settings import SettingError

if TYPE_CHECKING:
    from entrepot.cli.parsing import Commands
    from entrepot.retention.check.check import Check
    from entrepot.retention.check.model import Finding
    from entrepot.settings import Settings

_TEXT: Final = "Compare the content store with the catalog, beside a running server or without one."
_EPILOG: Final = (
    "Exit code 0: all is well; 1: something was found; 3: it could not be looked at. Nothing is ever deleted by this "
    "command: what is extra is retired, and goes like every deleted blob."
)
_FOUND: Final = 1
_UNABLE: Final = 3
_MEGABYTE: Final = 1_000_000
_RATE: Final = 100


def register(commands: "Commands") -> None:
    parser = commands.add_parser("check", help=_TEXT, description=_TEXT, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument(
        "--repair",
        action="store_true",
        help="put right what can be: hide blobs that are missing or wrong until their digest is pushed again, retire "
        "what is extra, recount figures",
    )
    parser.add_argument(
        "--rehash",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="read every blob and compare its digest; without it only whether its bytes are there",
    )
    parser.add_argument(
        "--rate", type=_a_rate, default=_RATE, metavar="MB/s", help=f"how fast to read blobs (default: {_RATE})"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per finding, and a last one in sum")
    parser.add_argument(
        "--engine", action="store_true", help="look at the container engine that runs tasks, and at nothing else"
    )
    add_flags(parser)
    parser.set_defaults(run=run)


def _a_rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0
    if not 0 < rate < float("inf"):
        raise argparse.ArgumentTypeError("use a number of megabytes per second above 0")
    return rate


def run(arguments: argparse.Namespace) -> int:
    loaded = load(arguments, os.environ)
    if arguments.engine:
        return _engine(loaded.settings)
    from entrepot.app.upkeep import opened
    from entrepot.retention.check.check import Check

    hash_rate = max(1, int(arguments.rate * _MEGABYTE)) if arguments.rehash else None
    try:
        with opened(loaded.settings) as site:
            return _report(Check(site, hash_rate), repairing=arguments.repair, as_json=arguments.json)
    except SettingError as error:
        raise Refusal(loaded.refusal(error).lines, _UNABLE) from error
    except Problem as problem:
        raise Refusal(told(problem), _UNABLE) from problem


def _engine(settings: "Settings") -> int:
    from entrepot.app.task_engine import engine_lines
    from entrepot.tasks.engines.model import EngineFailed

    try:
        print("\n".join(engine_lines(settings)))
    except EngineFailed as failed:
        print(f"engine: none at {settings.task_engine}: {failed}")
        return _FOUND
    return 0


def _report(check: "Check", *, repairing: bool, as_json: bool) -> int:
    repaired = 0
    for finding in check.findings():
        is_repaired = repairing and check.repair(finding)
        repaired += is_repaired
        print(_json_of(finding, is_repaired) if as_json else _line_of(finding, is_repaired), flush=True)
    print(_json_sum(check, repaired) if as_json else _sum(check, repaired))
    return _FOUND if check.found else 0


def _json_of(finding: "Finding", is_repaired: bool) -> str:  # noqa: FBT001  it is told, it switches nothing
    told = {"finding": finding.fault, "subject": finding.subject, **finding.detail, "repaired": is_repaired}
    return json.dumps(told)


def _line_of(finding: "Finding", is_repaired: bool) -> str:  # noqa: FBT001  the same
    detail = ", ".join(f"{name} {value}" for name, value in finding.detail.items())
    end = "; put right" if is_repaired else ""
    return f"{finding.fault}: {finding.subject}{f' ({detail})' if detail else ''}{end}"


def _json_sum(check: "Check", repaired: int) -> str:
    return json.dumps({"found": check.found, "repaired": repaired, "looked_at": asdict(check.looked)})


def _sum(check: "Check", repaired: int) -> str:
    looked = check.looked
    counts = f"{looked.manifests} manifests, {looked.blobs} blobs, {looked.keys} keys of the store"
    lines = [f"{counts}; {looked.hashed_bytes} bytes hashed"]
    if looked.elsewhere:
        lines.append(f"{looked.elsewhere} blobs lie in other regions' stores: check them there")
    if looked.young:
        lines.append(f"{looked.young} keys ({looked.young_bytes} bytes) are unknown but young: the sweep takes them")
    found = sum(check.found.values())
    lines.append(f"{found} findings, {repaired} put right" if found else "all is well")
    return "\n".join(lines)
