"""Every command block of the README and of the pages runs as it stands there, against a fresh server.

A page's commands run in one shell, in a folder where the server's data is ``data``. What a page shows of their output
is what they print.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.documents import PAGES, Command, commands_of
from tests.e2e import containerd as daemon
from tests.e2e.clients import NPM, Shell, podman_in
from tests.e2e.docker.dockerd import Engine
from tests.services import entrepot

# For all commands of a page; those of az take a second or two each.
PATIENCE = 180.0

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(240)]

# Pages on pushing from CI need an issuer: test_federation.py.
FEDERATION = PAGES[0].parent / "docs" / "guide" / "federation"
RUN = [page for page in PAGES if commands_of(page) and FEDERATION not in (page.parent, page.with_suffix(""))]
MARK = "=== next command ==="


@pytest.fixture(scope="module")
def containerd() -> Iterator[Path]:
    with daemon.containerd() as socket:
        yield socket


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_the_commands_of_a_page_work_and_print_what_it_shows(
    page: Path, engine: Engine, signed_out: Shell, request: pytest.FixtureRequest
) -> None:
    environment = {"ENTREPOT_TASK_ENGINE": str(engine.socket)}
    with entrepot(signed_out.folder / "data", environment=environment) as registry:
        port = registry.login_server.partition(":")[2]
        commands = commands_of(page)
        shell = podman_in(signed_out).having(
            PATH=programs(signed_out.folder / "bin"),
            NODE_PATH=str(NPM / "node_modules"),
            AZURE_CORE_COLLECT_TELEMETRY="no",
        )
        Path(shell.environment["REGISTRY_AUTH_FILE"]).write_text("{}")
        if any(command.text.startswith("ctr ") for command in commands):
            shell = shell.having(CONTAINERD_ADDRESS=str(request.getfixturevalue("containerd")))
        printed = shell.run("sh", "-euc", script(commands, port), within=PATIENCE).split(f"{MARK}\n")
    for command, output in zip(commands, printed, strict=True):
        assert command.prints(output), f"{command.text}\nprinted\n{output}"


def programs(folder: Path) -> str:
    """A PATH on which every program has the name that people call it by: the tests have two versions of helm."""
    newest = shutil.which("helm4")
    assert newest is not None
    folder.mkdir()
    (folder / "helm").symlink_to(newest)
    (folder / "node").symlink_to(NPM / "node")
    return os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])


def script(commands: list[Command], port: str) -> str:
    """The pages' server listens on 5000, the test's elsewhere."""
    lines = f"\necho '{MARK}'\n".join(command.text for command in commands)
    return "exec 2>&1\n" + re.sub(r"\b5000\b", port, lines)
