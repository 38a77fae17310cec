"""One Docker Engine for each worker; the tests that use it carry the same group, so one worker runs them all."""

from collections.abc import Iterator

import pytest
from tests.e2e.clients import Shell
from tests.e2e.docker.dockerd import Build, Engine, dockerd
from tests.e2e.layouts import BUSYBOX, tar_of, unique
from tests.services import Registry


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with dockerd() as started:
        yield started


@pytest.fixture
def signed_out(engine: Engine, shell: Shell) -> Shell:
    return engine.seen_from(shell)


@pytest.fixture
def docker(signed_out: Shell, server: Registry) -> Shell:
    login = ["docker", "login", "--username", server.user, "--password-stdin", server.login_server]
    signed_out.run(*login, stdin=server.password)
    return signed_out


@pytest.fixture
def build(docker: Shell) -> Build:
    """FROM scratch with a static busybox; each image has one layer, with ``content`` or bytes of its own."""

    def import_as(name: str, content: bytes = b"") -> None:
        files = tar_of({"bin/busybox": BUSYBOX.read_bytes(), "content": content or unique()})
        changes = ['--change=ENTRYPOINT ["/bin/busybox"]', '--change=CMD ["echo", "hello from busybox"]']
        docker.run("docker", "import", *changes, "-", name, stdin=files)

    return import_as
