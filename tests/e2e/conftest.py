"""Servers, one of a kind for each worker, and for each test a repository and a home of its own."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from tests.e2e.clients import Shell, certificates_of, http_of, shell_in
from tests.e2e.layouts import Layout
from tests.services import Registry, entrepot


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with entrepot(tmp_path_factory.mktemp("server") / "data") as registry:
        yield registry


@pytest.fixture(scope="session")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One from which everybody pulls without signing in."""
    folder = tmp_path_factory.mktemp("public") / "data"
    with entrepot(folder, environment={"ENTREPOT_ANONYMOUS_PULL": "true"}) as registry:
        yield registry


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return shell_in(tmp_path / "shell")


@pytest.fixture
def trusting(shell: Shell, server: Registry) -> Shell:
    """For clients that know no other way to be told of a CA than Go's own."""
    return shell.having(SSL_CERT_FILE=str(server.ca))


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """Named for the test, so that a server's log tells who asked; new in each run."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"e2e/{words[:60].strip('-')}/{uuid4().hex[:8]}"


@pytest.fixture
def image(server: Registry, repository: str) -> str:
    """How clients write the repository."""
    return f"{server.login_server}/{repository}"


@pytest.fixture
def http(server: Registry) -> Iterator[httpx.Client]:
    with http_of(server) as client:
        yield client


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


@pytest.fixture
def certificates(server: Registry, tmp_path: Path) -> Path:
    return certificates_of(server, tmp_path / "certificates")
