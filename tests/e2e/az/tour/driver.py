"""Runs inside az's own Python: one process for many commands, lines of JSON in and out.

``{"az": [WORD...]}`` runs a command, ``{"table": "acr"}`` lists those of a group, ``{"http": {...}}`` sends a request
from where az is. Nothing waits out az's fixed pauses. Of all this only what comes with az may be imported.
"""

import base64
import io
import json
import sys
import time
from contextlib import redirect_stdout

import requests
from azure.cli.core import get_default_cli  # pyright: ignore[reportMissingImports, reportUnknownVariableType]  az's own Python has it

PAUSE = 0.1
CHANNEL = sys.stdout
SAID = io.StringIO()
_sleep = time.sleep


def pause(seconds: float) -> None:
    _sleep(min(seconds, PAUSE))


def run(words: list[str]) -> dict[str, object]:
    """A command, with what it printed and how it ended."""
    SAID.seek(0)
    SAID.truncate()
    printed = io.StringIO()
    with redirect_stdout(printed):
        try:
            code = get_default_cli().invoke(words, out_file=printed)
        except SystemExit as end:
            code = end.code
    return {"code": code, "out": printed.getvalue(), "said": SAID.getvalue()}


def table(group: str) -> list[str]:
    """The names of the group's commands."""
    cli = get_default_cli()
    cli.invocation = cli.invocation_cls(
        cli_ctx=cli, parser_cls=cli.parser_cls, commands_loader_cls=cli.commands_loader_cls, help_cls=cli.help_cls
    )
    loader = cli.invocation.commands_loader
    loader.load_command_table([group])
    return sorted(name for name in loader.command_table if name.startswith(f"{group} "))


def send(method: str, url: str, headers: dict[str, str], body: str) -> dict[str, object]:
    answer = requests.request(
        method, url, headers=headers, data=base64.b64decode(body), allow_redirects=False, timeout=30
    )
    return {
        "status": answer.status_code,
        "headers": dict(answer.headers),
        "body": base64.b64encode(answer.content).decode(),
    }


def main() -> None:
    sys.stderr = SAID  # before az makes the handlers of its log
    time.sleep = pause
    for line in sys.stdin:
        asked = json.loads(line)
        if "az" in asked:
            answer: object = run(asked["az"])
        elif "table" in asked:
            answer = table(asked["table"])
        else:
            answer = send(**asked["http"])
        CHANNEL.write(json.dumps(answer) + "\n")
        CHANNEL.flush()


main()
