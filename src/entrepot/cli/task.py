"""`entrepot task`: task files, looked at before they run, and run here."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from entrepot.cli import task_exec
from entrepot.cli.online import task_hook, task_runs, task_why
from entrepot.cli.refusal import FAILED, USAGE, Refusal

if TYPE_CHECKING:
    from entrepot.cli.parsing import Commands
    from entrepot.tasks.language.findings import Finding
    from entrepot.tasks.language.reading import Given

_TEXT: Final = "Task files, looked at and run on this machine; tasks of a registry, and their runs."
_LINT: Final = "Say what is wrong with a task file, with line and column."
_RENDER: Final = "Print a task file as YAML, with aliases and templates put in."
_SCHEMA: Final = "Print the JSON Schema of task files, for editors."
_LIMIT: Final = 1024 * 1024
_VALUE: Final = re.compile(r"\.Values\.(\w+)")


def register(commands: "Commands") -> None:
    parser = commands.add_parser("task", help=_TEXT, description=_TEXT, allow_abbrev=False)
    verbs = parser.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    lint = verbs.add_parser("lint", help=_LINT, description=_LINT, allow_abbrev=False)
    lint.add_argument("--strict", action="store_true", help="keys that nobody knows are errors")
    lint.set_defaults(run=_lint)
    render = verbs.add_parser("render", help=_RENDER, description=_RENDER, allow_abbrev=False)
    render.set_defaults(run=_render)
    for verb in (lint, render):
        verb.add_argument("file", help="the task file, or - for standard input")
        verb.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a value: {{.Values.NAME}}")
    task_exec.register(verbs)
    task_runs.register(verbs)
    task_why.register(verbs)
    task_hook.register(verbs)
    schema = verbs.add_parser("schema", help=_SCHEMA, description=_SCHEMA, allow_abbrev=False)
    schema.set_defaults(run=_schema)


def _lint(arguments: argparse.Namespace) -> int:
    from entrepot.tasks.language.findings import TaskInvalid
    from entrepot.tasks.language.reading import read_task

    text = _read(arguments.file)
    try:
        task = read_task(text, _given(arguments))
    except TaskInvalid as wrong:
        findings, steps = wrong.findings, 0
    else:
        findings, steps = task.warnings, len(task.steps)
    for finding in findings:
        print(_line(arguments.file, finding, strict=arguments.strict))
    if any(finding.is_error or arguments.strict for finding in findings):
        _tell_absent(arguments.file, text, arguments.set)
        return FAILED
    print(f"{arguments.file}: good, {steps} {'step' if steps == 1 else 'steps'}")
    return 0


def _tell_absent(file: str, text: str, given: list[str]) -> None:
    """Values that are empty text because nobody gave them: often they are why the rest is wrong."""
    absent = set(_VALUE.findall(text)) - {each.partition("=")[0] for each in given}
    if absent:
        print(f"{file}: note: no value is given for {', '.join(sorted(absent))} (--set NAME=VALUE)")


def _line(file: str, finding: "Finding", *, strict: bool) -> str:
    """As compilers write it, so that editors find the place."""
    place = "" if finding.place is None else f"{finding.place.line}:{finding.place.column}:"
    return f"{file}:{place} {'error' if finding.is_error or strict else 'warning'}: {finding}"


def _render(arguments: argparse.Namespace) -> int:
    from entrepot.tasks.language.findings import TaskInvalid
    from entrepot.tasks.language.reading import rendered

    try:
        print(rendered(_read(arguments.file), _given(arguments)), end="")
    except TaskInvalid as wrong:
        raise Refusal([_line(arguments.file, each, strict=False) for each in wrong.findings]) from wrong
    return 0


def _read(name: str) -> str:
    try:
        if name == "-":
            return sys.stdin.read(_LIMIT)
        with Path(name).open(encoding="utf-8", newline="") as file:
            return file.read(_LIMIT)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise Refusal([f"{name}: {reason}"], USAGE) from None


def _given(arguments: argparse.Namespace) -> "Given":
    from entrepot.tasks.engines.model import WORKSPACE_VOLUME
    from entrepot.tasks.language.reading import Given, Run

    values: dict[str, object] = {}
    for each in arguments.set:
        name, _, value = each.partition("=")
        if not name:
            raise Refusal([f"--set {each}: NAME=VALUE is expected"], USAGE)
        values[name] = value
    # A text that stands where the run's own will: without one, `$Registry/app:$ID .` would be another YAML.
    run = Run(
        id="run1",
        registry="registry.example.com",
        registry_name="registry",
        date="20260101-000000z",
        shared_volume=WORKSPACE_VOLUME,
    )
    return Given(run, values=values, load=_load)


def _load(source: str) -> str:
    """Further aliases, from files of this machine alone."""
    if "://" in source:
        raise OSError(0, "is an address, and addresses are read when the task runs")
    with Path(source).open(encoding="utf-8", newline="") as file:
        return file.read(_LIMIT)


def _schema(arguments: argparse.Namespace) -> int:  # noqa: ARG001  commands have one shape
    from entrepot.tasks.language.schema import schema

    print(json.dumps(schema(), indent=2))
    return 0
