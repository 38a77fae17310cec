"""Who may call out: one kit, and a few files that talk to this machine only."""

import ast
from collections.abc import Iterator

from tests.architecture.source import Source, sources

# Whatever opens a connection: HTTP clients, sockets, mail, LDAP.
MODULES = frozenset(
    {
        "aiohttp",
        "ftplib",
        "http.client",
        "httpcore",
        "httpx",
        "imaplib",
        "ldap3",
        "poplib",
        "requests",
        "smtplib",
        "socket",
        "socketserver",
        "telnetlib",
        "urllib.request",
        "urllib3",
        "websockets",
        "xmlrpc",
    }
)
CALLS = frozenset({"open_connection", "open_unix_connection", "create_connection", "connect_tcp", "connect_unix"})

# Who may, and what it does with it.
ALLOWED = {
    "src/entrepot/outbound/": "the guarded client itself",
    "src/entrepot/client/": "asks the server that a person signed in to, from the person's own machine",
    "src/entrepot/auditing/syslog.py": "sends to the syslog server that the operator names in the settings, no HTTP",
    "src/entrepot/identities/ldap.py": "asks the directory that the operator names in the settings, over LDAP",
    "src/entrepot/app/readiness.py": "asks the server of this machine whether it is ready, and tells systemd",
    "src/entrepot/app/listeners.py": "listens",
    "src/entrepot/app/web_workers.py": "hands listening sockets on",
    "src/entrepot/app/job_keeper.py": "hands listening sockets on",
    "src/entrepot/tasks/engines/docker/": "asks the engine of this machine, over its unix socket; listens for runs",
    "src/entrepot/jobs/worker.py": "asks for this machine's name",
}


def test_only_the_guarded_client_calls_out() -> None:
    assert [f"{source.name}: {name}" for source in sources() if not _is_allowed(source) for name in _ways(source)] == []


def test_every_exception_is_still_needed() -> None:
    needed = {prefix for source in sources() for prefix in ALLOWED if source.name.startswith(prefix) and _uses(source)}
    assert needed == set(ALLOWED)


def _is_allowed(source: Source) -> bool:
    return source.name.startswith(tuple(ALLOWED))


def _uses(source: Source) -> bool:
    return any(True for _ in _ways(source))


def _ways(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if _opens(alias.name))
            case ast.ImportFrom(module=str(module), names=names):
                yield from (module for _ in range(_opens(module)))
                yield from (f"{module}.{alias.name}" for alias in names if _opens(f"{module}.{alias.name}"))
            case ast.Call(func=ast.Attribute(attr=name)) if name in CALLS:
                yield name
            case _:
                pass


def _opens(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in MODULES)
