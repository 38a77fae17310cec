"""Any other registry, told on the command line: ``--peer 'name=[URL] command'``.

In URL and command ``{port}``, ``{data}``, ``{cert}``, ``{key}`` and ``{ca}`` are filled in; braces of its own are
written twice. The URL says whether it speaks TLS, and it may carry credentials, as in
``https://user:secret@127.0.0.1:{port}``; without one it is ``http://127.0.0.1:{port}``. Tokens are fetched the way the
registry's own challenge asks for.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from bench.contenders.lab import Lab, wait_until_ready
from bench.model import Running
from bench.processes import Command, free_port
from bench.registry import ChallengedTokens, OverHttp, basic


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to start a peer."""

    name: str
    url: str
    command: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        name, _, rest = text.partition("=")
        url, _, command = rest.partition(" ") if rest.startswith(("http://", "https://")) else ("", "", rest)
        if not name or not command.strip():
            raise ValueError(f"a peer is name=[URL] command, not {text!r}")
        return cls(name, url or "http://127.0.0.1:{port}", command.strip())


class Custom:
    """A peer that only its recipe knows."""

    def __init__(self, lab: Lab, recipe: Recipe) -> None:
        self._lab, self._recipe = lab, recipe

    @property
    def name(self) -> str:
        return self._recipe.name

    def version(self) -> str:
        return self._recipe.command

    def start(self, folder: Path) -> Running:
        data, files = folder / "data", self._lab.certificates
        data.mkdir()
        filled = {
            "port": free_port(),
            "data": data,
            "cert": files.certificate,
            "key": files.key,
            "ca": files.authority,
        }
        owned = self._lab.start(Command(shlex.split(self._recipe.command.format(**filled))), folder)
        parts = urlsplit(self._recipe.url.format(**filled))
        url = f"{parts.scheme}://{parts.hostname}:{parts.port}"
        seconds = wait_until_ready(owned, url, "/v2/", 200, 401)
        tokens = ChallengedTokens(url, basic(parts.username, parts.password or "") if parts.username else None)
        return Running(self.name, url, (owned,), seconds, tokens, OverHttp(url, tokens), folder)
