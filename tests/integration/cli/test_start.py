"""What a client command loads before it does anything: a person waits for it each time."""

import json
import subprocess
import sys

import pytest

# One with a right sign-in would go on from here; without one every other part has been asked for.
RUN = """
import json, resource, sys
from entrepot.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([used.ru_utime + used.ru_stime, sorted(sys.modules)]))
"""
# Of the server alone.
SERVER = {"sqlalchemy", "starlette", "granian", "dbos", "pydantic", "cryptography", "obstore", "structlog", "jinja2"}
ROOMS = {"access", "app", "arm", "catalog", "content", "db", "gate", "jobs", "registries", "settings", "web"}
CPU_SECONDS = 0.4


def started(*words: str) -> tuple[float, set[str]]:
    """CPU seconds, and the modules that were loaded."""
    done = subprocess.run([sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=True, timeout=60)
    seconds, modules = json.loads(done.stdout.splitlines()[-1])
    return seconds, set(modules)


@pytest.mark.parametrize("words", [("registry", "list"), ("tag", "list", "--help"), ("login", "--help")], ids=" ".join)
def test_a_client_command_loads_no_part_of_the_server(
    words: tuple[str, ...], tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    _, modules = started(*words)
    assert modules & (SERVER | {f"entrepot.{room}" for room in ROOMS}) == set()


def test_help_is_there_at_once() -> None:
    """The best of three: others use the machine too."""
    assert min(started("tag", "--help")[0] for _ in range(3)) < CPU_SECONDS
