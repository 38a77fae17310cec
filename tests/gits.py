"""A real git server over http: git's own http-backend behind a small web server on loopback.

with git_server(folder) as server:
    make_repository(folder / "app.git", ...)
    ...  # http://127.0.0.1:PORT/app.git
"""

import base64
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

# Whoever commits in a test, at a time that makes the same commits the same each time.
_AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Test"), ("EMAIL", "test@example.com"), ("DATE", "2026-01-01T00:00:00Z"))
}


def git(at: Path, *arguments: str | Path, text: str = "") -> str:
    """The git of this machine, without the configuration of whoever runs the tests."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(at), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C", **_AUTHOR}
    command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *map(str, arguments)]
    done = subprocess.run(command, cwd=at, env=environment, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass
class Repository:
    """A bare repository, and the clone in which it is written."""

    bare: Path
    work: Path

    def commit(self, message: str, files: dict[str, str], branch: str = "main") -> str:
        """On top of the branch, which is made where it is not there; the commit."""
        if branch not in self.git("branch", "--list", branch):
            git(self.work, "checkout", "-q", "-B", branch)
        else:
            git(self.work, "checkout", "-q", branch)
        for name, content in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        git(self.work, "add", "--all")
        git(self.work, "commit", "-q", "--allow-empty", "-m", message)
        self.push(f"{branch}:refs/heads/{branch}")
        return git(self.work, "rev-parse", "HEAD")

    def push(self, what: str) -> None:
        git(self.work, "push", "-q", "--force", str(self.bare), what)

    def git(self, *arguments: str | Path) -> str:
        return git(self.work, *arguments)


def make_repository(bare: Path) -> Repository:
    work = bare.with_name(f"{bare.stem}-work")
    for path in (bare, work):
        path.mkdir(parents=True)
    git(bare, "init", "-q", "--bare")
    git(work, "init", "-q")
    return Repository(bare, work)


@dataclass
class GitServer:
    """``password``: asked for with the user name ``reader`` where it is not empty. ``moved``: 301 of these paths.

    ``large``: what a git-lfs server has beside the repositories, by sha256; this part is a fake of one.
    """

    port: int
    password: str = ""
    is_smart: bool = True
    moved: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    large: dict[str, bytes] = field(default_factory=dict)
    large_at: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def authorization(self) -> str:
        return "Basic " + base64.b64encode(f"reader:{self.password}".encode()).decode()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, root: Path, address: str) -> None:
        super().__init__((address, 0), _Answering)
        self.root = root
        self.told = GitServer(self.server_port)


class _Answering(BaseHTTPRequestHandler):
    server: _Listener  # pyright: ignore[reportIncompatibleVariableOverride]  the one that made it

    def do_GET(self) -> None:
        told = self.server.told
        sent = self.headers.get("authorization")
        told.asked.append((self.path, sent))
        for path, target in told.moved.items():
            if self.path.startswith(path):
                self._answer(301, {"location": target + self.path.removeprefix(path)})
                return
        if told.password and sent != told.authorization:
            self._answer(401, {"www-authenticate": 'Basic realm="git"'})
        elif self.path.endswith("/info/lfs/objects/batch") or self.path.startswith("/large/"):
            self._large()
        elif told.is_smart:
            self._backend()
        else:
            self._file()

    def do_POST(self) -> None:
        self.do_GET()

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _file(self) -> None:
        path = self.server.root / urlsplit(self.path).path.lstrip("/")
        self._answer(200 if path.is_file() else 404, {}, path.read_bytes() if path.is_file() else b"")

    def _large(self) -> None:
        told = self.server.told
        if self.command == "GET":
            self._answer(200, {}, told.large[self.path.removeprefix("/large/")])
            return
        ask = json.loads(self.rfile.read(int(self.headers["content-length"])))
        at = told.large_at or told.url
        found: list[dict[str, Any]] = []
        for each in ask["objects"]:
            action = {"download": {"href": f"{at}/large/{each['oid']}", "header": {"x-sent": "1"}}}
            is_there = each["oid"] in told.large
            found.append({**each, **({"actions": action} if is_there else {"error": {"code": 404, "message": "gone"}})})
        self._answer(200, {"content-type": "application/vnd.git-lfs+json"}, json.dumps({"objects": found}).encode())

    def _backend(self) -> None:
        parts = urlsplit(self.path)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("git-protocol", ""),
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": str(self.server.root),
        }
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        done = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True, check=False)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        self._answer(int(headers.pop("Status", "200").split()[0]), headers, body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Nothing."""


@contextmanager
def git_server(root: Path, tls: SSLContext | None = None, address: str = "127.0.0.1") -> Iterator[GitServer]:
    listener = _Listener(root, address)
    if tls is not None:
        listener.socket = tls.wrap_socket(listener.socket, server_side=True)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    try:
        yield listener.told
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join(10)
