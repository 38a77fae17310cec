"""No secret of a run gets anywhere but to whom it belongs: into no log, entry, metric, answer or row.

An act of ACTS uses secrets and keeps them in the vault; a place of PLACES is where none of them may be.
"""

import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.faults.auditing.acts import ACTS, Used
from tests.faults.auditing.vault import Vault
from tests.faults.plain import plain_server
from tests.issuer import outside_issuer
from tests.outside import authority
from tests.services import reserved_port, wait_until

from entrepot.db.database import CATALOG_FILE

# Every act is done in the fixture, and some are commands of their own.
pytestmark = pytest.mark.timeout(300)

AUDIT_FILE = "exported-audit.jsonl"


# --- where nothing of it may be ---------------------------------------------------------------------------------------


def log(used: Used) -> Iterator[bytes]:
    yield used.server.said.encode()


def audit(used: Used) -> Iterator[bytes]:
    yield entrepot("audit", "list", "--json-lines", "--data-dir", used.server.data_dir)
    yield entrepot("audit", "list", "--data-dir", used.server.data_dir)
    yield entrepot("audit", "verify", "--data-dir", used.server.data_dir)
    yield (used.server.data_dir / AUDIT_FILE).read_bytes()
    yield (used.server.data_dir / "audit" / "checkpoints.jsonl").read_bytes()


def metrics(used: Used) -> Iterator[bytes]:
    with urllib.request.urlopen(f"http://127.0.0.1:{used.metrics_port}/metrics", timeout=10) as answer:
        yield answer.read()


def answers(used: Used) -> Iterator[bytes]:
    yield bytes(used.answers)


def catalog(used: Used) -> Iterator[bytes]:
    for file in used.server.data_dir.glob(f"{CATALOG_FILE}*"):
        yield file.read_bytes()


PLACES: tuple[Callable[[Used], Iterator[bytes]], ...] = (log, audit, metrics, answers, catalog)


def entrepot(*words: str | Path) -> bytes:
    command = [sys.executable, "-m", "entrepot", *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Used]:
    """A server on which every act was done, and whose audit log is chained and exported."""
    data_dir = tmp_path_factory.mktemp("secrets") / "data"
    with reserved_port() as metrics_port:
        flags: tuple[str, ...] = ("--metrics-port", str(metrics_port), "--audit-file", str(data_dir / AUDIT_FILE))
        flags = (*flags, "--password-grant", "true", "--identity-endpoint", "true")
        outside = authority(tmp_path_factory.mktemp("outside"), "127.0.0.1")
        flags = (*flags, "--outbound-allow", "127.0.0.0/8", "--outbound-ca-file", str(outside.ca_file))
        with (
            outside_issuer(outside) as issuer,
            plain_server(data_dir, *flags, "--log-level", "debug", "--log-format", "json") as server,
            httpx.Client(base_url=server.endpoint, timeout=60) as http,
        ):
            used = Used(server, metrics_port, http, issuer)
            for act in ACTS:
                act(used)
            exported = data_dir / AUDIT_FILE
            wait_until(lambda: exported.exists() and b'"token.refuse"' in exported.read_bytes(), "it is exported", 30)
            yield used


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_no_secret_of_a_run_is_there(used: Used, place: Callable[[Used], Iterator[bytes]]) -> None:
    contents = list(place(used))
    assert any(contents)
    assert sorted({name for content in contents for name in used.vault.found_in(content)}) == []


def test_a_secret_would_be_found_in_any_form() -> None:
    vault = Vault()
    user, password = vault.keep_basic("one", "user", "pass word/+~ünïcode")
    assert vault.found_in(b"nothing") == []
    for form in (
        httpx.BasicAuth(user, password)._auth_header.encode(),
        str(httpx.QueryParams({"password": password})).encode(),
        f"x {password} y".encode(),
    ):
        assert "one" in " ".join(vault.found_in(form)), form
