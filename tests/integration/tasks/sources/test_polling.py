"""Looks at a real git server: the first remembers, later ones find what is new, and what fails is asked less often."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update
from tests.githooks import github, push
from tests.gits import Repository, git_server, make_repository
from tests.integration.conftest import Until
from tests.integration.tasks.sources.conftest import MakeTask, Task
from tests.integration.working import working
from tests.outside import authority
from tests.registry import Registry

from entrepot.app.secret_key import open_sealer
from entrepot.db.task_tables import task_source
from entrepot.jobs.wake import Jobs
from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound
from entrepot.tasks.runs.schedule import Scheduler
from entrepot.tasks.sources.evaluating import Evaluator
from entrepot.tasks.sources.polling import POLL, Polling, workflows

HOUR = timedelta(hours=1)


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    made = tmp_path / "repositories"
    made.mkdir()
    return made


@pytest.fixture
def app(repositories: Path) -> Repository:
    made = make_repository(repositories / "team" / "app.git")
    made.commit("first", {"Dockerfile": "FROM scratch\n"})
    return made


@contextmanager
def looking(registry: Registry, folder: Path) -> Iterator[None]:
    """A worker that looks at repositories on this machine."""
    jobs, sealer = Jobs(registry.database), open_sealer(registry.settings)
    outbound = Outbound(Permitted.of(["127.0.0.1"]), authority(folder / "ca", "127.0.0.1").trusting)
    polling = Polling(Evaluator(sealer, Scheduler(sealer)), jobs, outbound, folder / "looks", HOUR)
    try:
        with working(registry, workflows(polling)):
            yield
    finally:
        outbound.close()


def row(registry: Registry) -> Any:  # noqa: ANN401  a row
    return registry.query(lambda tx: tx.execute(select(task_source)).one())


async def look(registry: Registry, until: Until) -> None:
    """Once more, now."""

    def wake(tx: Connection) -> None:
        tx.execute(update(task_source).values(checked_at=None))
        Jobs(registry.database).wake(tx, POLL, row_id)

    async def has_looked() -> bool:
        return row(registry).checked_at is not None

    row_id = row(registry).id
    registry.query(wake)
    await until(has_looked, within=60)


async def commits(task: Task) -> list[str]:
    return [each["sourceTrigger"]["commitId"] for each in await task.runs()]


async def test_what_is_new_since_the_look_before_begins_a_run(
    make_task: MakeTask, registry: Registry, repositories: Path, app: Repository, until: Until, tmp_path: Path
) -> None:
    with git_server(repositories) as server, looking(registry, tmp_path):
        task = await make_task(f"{server.url}/team/app.git")
        await look(registry, until)
        assert await commits(task) == []
        await look(registry, until)
        assert await commits(task) == []
        second = app.commit("second", {"a": "2"})
        app.commit("elsewhere", {"b": "2"}, branch="other")
        await look(registry, until)
        assert await commits(task) == [second]
        (state,) = (await task.why())["sources"]
        assert state["seen"] == {"refs/heads/main": second}
        assert "problem" not in state
        # What a webhook tells of, too, is the same change.
        app.git("checkout", "-q", "main")
        third = app.commit("third", {"a": "3"})
        assert "runId" in await task.received(github, push(third))
        await look(registry, until)
        assert await commits(task) == [third, second]
        # Force pushed back: that commit had its run.
        app.push(f"{second}:refs/heads/main")
        await look(registry, until)
        assert len(await commits(task)) == 2
        # Where webhooks come, looks are rare.
        assert row(registry).due_at > datetime.now(UTC) + 9 * HOUR


async def test_pull_requests_are_found_by_their_references(
    make_task: MakeTask, registry: Registry, repositories: Path, app: Repository, until: Until, tmp_path: Path
) -> None:
    with git_server(repositories) as server, looking(registry, tmp_path):
        task = await make_task(f"{server.url}/team/app.git")
        await task.put("pullrequest")
        await look(registry, until)
        head = app.commit("topic", {"a": "2"}, branch="topic")
        app.push("topic:refs/pull/7/head")
        app.push("topic:refs/pull/7/merge")
        app.push("topic:refs/pull/x/head")
        await look(registry, until)
        (run,) = await task.runs()
        assert (run["sourceTrigger"]["pullRequestId"], run["sourceTrigger"]["commitId"]) == ("7", head)
        assert run["sourceTrigger"]["eventType"] == "pullrequest"


async def test_a_repository_that_cannot_be_looked_at_says_why_and_is_asked_less_often(
    make_task: MakeTask, registry: Registry, repositories: Path, app: Repository, until: Until, tmp_path: Path
) -> None:
    with git_server(repositories) as server, looking(registry, tmp_path):
        server.password = "correct"
        task = await make_task(f"{server.url}/team/app.git")
        await look(registry, until)
        await look(registry, until)
        problem = (await task.why())["sources"][0]["problem"]
        assert "the token is missing, wrong, expired" in problem
        assert "the-git-token" not in problem
        assert row(registry).failures == 2
        assert row(registry).due_at > datetime.now(UTC) + 3 * HOUR
        # Once it answers, its branch is the trigger's or is told to be missing.
        server.password = ""
        await look(registry, until)
        assert (row(registry).failures, row(registry).problem) == (0, None)
        await task.put(trigger={"name": "source", "sourceRepository": repository(task, "master")})
        await look(registry, until)
        assert "no branch master" in (await task.why())["sources"][0]["problem"]
        assert await commits(task) == []


async def test_a_repository_at_a_private_address_is_not_asked(
    make_task: MakeTask, registry: Registry, until: Until, tmp_path: Path
) -> None:
    with looking(registry, tmp_path):
        task = await make_task("http://127.0.0.2:9/team/app.git")
        await look(registry, until)
        assert "its address is not public" in (await task.why())["sources"][0]["problem"]


async def test_a_worker_looks_by_itself_and_not_for_a_task_that_is_disabled(
    make_task: MakeTask, registry: Registry, repositories: Path, app: Repository, until: Until, tmp_path: Path
) -> None:
    with git_server(repositories) as server:
        task = await make_task(f"{server.url}/team/app.git", status="Disabled")
        assert "nextCheck" not in (await task.why())["sources"][0]
        await task.put()
        with looking(registry, tmp_path):

            async def has_looked() -> bool:
                return row(registry).checked_at is not None

            await until(has_looked, within=60)
            await task.put(status="Disabled")
            state = row(registry)
            assert (state.due_at, state.seen) == (None, None)


def repository(task: Task, branch: str) -> dict[str, str]:
    return {"sourceControlType": "Github", "repositoryUrl": task.url, "branch": branch}
