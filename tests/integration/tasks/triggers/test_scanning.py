"""What a task stands on before its first run: a worker reads the Dockerfiles of its context."""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.gits import GitServer, Repository, git_server, make_repository
from tests.integration.tasks.triggers.conftest import HOST, WATCHING, Json, World
from tests.integration.working import working
from tests.registry import Registry

from entrepot.app.parts import open_content
from entrepot.app.secret_key import open_sealer
from entrepot.app.task_site import Kept, site_of
from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound, tls_context
from entrepot.tasks import scanning
from entrepot.tasks.engines.model import Engine, EngineFailed
from entrepot.tasks.language.rendering import Renderer
from entrepot.tasks.runs.attempt import Site
from entrepot.tasks.runs.reading import Reader

APP = "the-app"
DOCKERFILE = f"""\
ARG VERSION=1
FROM --platform=$BUILDPLATFORM {HOST}/tools:${{VERSION}} AS build
FROM {HOST}/base:1
COPY --from=build /a /a
COPY --from=docker.io/library/busybox:1 /bin/sh /sh
"""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = make_repository(tmp_path / "repositories" / "app.git")
    made.commit("first", {"src/Dockerfile": DOCKERFILE})
    return made


@pytest.fixture
def server(repository: Repository) -> Iterator[GitServer]:
    with git_server(repository.bare.parent) as running:
        yield running


class NoEngine:
    """Nothing is to be run."""

    def get(self) -> Engine:
        raise EngineFailed("nothing is to be run")

    def name(self) -> str | None:
        return None


def site_in(folder: Path, registry: Registry, renderer: Renderer) -> Site:
    settings = registry.settings
    made = site_of(settings, registry.database, Kept(open_content(settings), open_sealer(settings)), NoEngine())
    outbound = Outbound(Permitted.of(["127.0.0.1"]), tls_context(None))
    return replace(made, folder=folder, outbound=outbound, reader=Reader(renderer, {}))


Scanned = Callable[[], AbstractContextManager[None]]
Until = Callable[..., Awaitable[None]]


@pytest.fixture
def scanned(world: World, tmp_path: Path) -> Scanned:
    """A worker that reads what tasks stand on, in a ``with``."""

    @contextmanager
    def work() -> Iterator[None]:
        renderer = Renderer()
        site = site_in(tmp_path / "runs", world.registry, renderer)
        with working(world.registry, scanning.workflows(site, world.triggers.places)):
            yield
        renderer.close()
        assert list((tmp_path / "runs").glob("scan-*")) == []

    return work


async def with_context(world: World, url: str, step: Json) -> None:
    properties = {
        "platform": {"os": "linux"},
        "step": {**step, "contextPath": f"{url}/app.git#main:src"},
        "trigger": {"baseImageTrigger": WATCHING},
    }
    answer = await world.arm.put(world.path(APP), {"location": "eastus", "properties": properties})
    assert answer.status == 200, answer.body


DOCKER: Json = {"type": "Docker", "dockerFilePath": "Dockerfile"}
STEPS = "version: v1.1.0\nsteps:\n  - build: -t {{.Run.Registry}}/app:1 --build-arg VERSION=2 -f Dockerfile .\n"
TASK_FILE: Json = {"type": "EncodedTask", "encodedTaskContent": b64encode(STEPS.encode()).decode()}


@pytest.mark.parametrize(("step", "version"), [(DOCKER, "1"), (TASK_FILE, "2")], ids=["docker", "task-file"])
async def test_a_task_that_never_ran_is_begun_by_its_base(
    world: World, server: GitServer, scanned: Scanned, until: Until, step: Json, version: str
) -> None:
    await world.push("base", "1")
    await with_context(world, server.url, step)
    with scanned():
        await until(lambda: has_images(world), within=60)
    shown = {(each["type"], each["registry"], each["repository"], each["tag"]) for each in await world.shown(APP)}
    assert shown == {
        ("Runtime", HOST, "base", "1"),
        ("BuildTime", HOST, "tools", version),
        ("BuildTime", "registry.hub.docker.com", "library/busybox", "1"),
    }
    world.follow()
    assert await world.runs(APP) == []
    await world.push("base", "1")
    world.follow()
    assert len(await world.runs(APP)) == 1


async def has_images(world: World) -> bool:
    return bool(await world.shown(APP))


async def test_what_cannot_be_read_is_told(world: World, server: GitServer, scanned: Scanned, until: Until) -> None:
    await with_context(world, server.url, {"type": "Docker", "dockerFilePath": "None"})

    async def is_told() -> bool:
        return bool(await world.reasons(APP))

    with scanned():
        await until(is_told, within=60)
    (reason,) = await world.reasons(APP)
    assert reason == "What it builds on is not known before its first run: there is no None"
