"""What a task's builds stand on before its first run: as its Dockerfiles say (ACR-TASKS 4.5).

Its context is fetched by a job, as for a run, and thrown away again. What a shell would put in is not known yet; the
first run tells all.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import Connection

from entrepot.errors import Problem
from entrepot.jobs.model import Json, Workflow
from entrepot.jobs.run import Body, Run
from entrepot.remote.sign_in import Credentials
from entrepot.tasks.context import ContextInvalid, parse_context
from entrepot.tasks.contexts.fetching import fetch
from entrepot.tasks.contexts.inside import resolve
from entrepot.tasks.contexts.model import ContextFailed, Means
from entrepot.tasks.contexts.texts import fetch_text
from entrepot.tasks.dockerfile import TEXT_LIMIT, DockerfileInvalid, bases
from entrepot.tasks.execution.builds import Build, parse_build
from entrepot.tasks.execution.dependencies import dependencies
from entrepot.tasks.execution.model import Dependency, QuickBuild
from entrepot.tasks.execution.planning import build_of
from entrepot.tasks.firing import Places
from entrepot.tasks.language.findings import TaskInvalid
from entrepot.tasks.language.reading import Task
from entrepot.tasks.model import BaseImage
from entrepot.tasks.removing import remove_tree
from entrepot.tasks.resource.queries import TaskRow, find_task_of
from entrepot.tasks.resource.tasks import full_settings, settings_of
from entrepot.tasks.runs.attempt import Site
from entrepot.tasks.runs.base_images import bases_of
from entrepot.tasks.runs.reading import Reading, read_job
from entrepot.tasks.runs.requests import TaskStepOverrides
from entrepot.tasks.triggers.images.model import KIND, SCAN
from entrepot.tasks.triggers.images.queries import is_resolved, trigger_of
from entrepot.tasks.triggers.images.tracking import Tracker, accounts_of
from entrepot.tasks.triggers.queries import Evaluation, insert_evaluation
from entrepot.tasks.wishes import of_task

# What a template finds as the run's name, where none has begun.
_NAME: Final = "ca0"
_PROBLEM_LIMIT: Final = 500


def workflows(site: Site, places: Places) -> Mapping[Workflow, Body]:
    """What a worker that takes runs does for tasks that have had none."""

    def scan(run: Run, task_id: int) -> None:
        run.step("scan", _scan, run, site, places, task_id)

    return {SCAN: scan}


def _scan(run: Run, site: Site, places: Places, task_id: int) -> Json:
    """Twice is safe: it comes to the same. What a run has told meanwhile counts more."""
    row = run.read(find_task_of, task_id)
    if row is None:
        return None
    since, problem, found = run.now, "", ()
    folder = site.folder / f"scan-{task_id}-{run.attempt}"
    try:
        found = _bases(site, row, folder)
    except Problem as wrong:
        problem = str(wrong.detail.get("reason", wrong.kind.name))
    except (ContextFailed, ContextInvalid, TaskInvalid, DockerfileInvalid) as wrong:
        problem = str(wrong)
    finally:
        remove_tree(folder)
    if problem:
        run.write(_tell, task_id, problem, since)
    else:
        run.write(_track, Tracker(places.own), row, _Scanned(found, since))
    return None


class _Scanned(NamedTuple):
    """What was found, and when the look for it began."""

    bases: tuple[BaseImage, ...]
    since: datetime


def _track(tx: Connection, tracker: Tracker, row: TaskRow, found: _Scanned) -> None:
    if find_task_of(tx, row.id) is not None and not is_resolved(tx, row.id):
        tracker.track(tx, row.id, found.bases, accounts_of(settings_of(row).credentials), found.since)


def _tell(tx: Connection, task_id: int, problem: str, now: datetime) -> None:
    trigger = trigger_of(tx, task_id)
    if trigger is not None:
        reason = f"What it builds on is not known before its first run: {problem[:_PROBLEM_LIMIT]}"
        insert_evaluation(tx, Evaluation(task_id, KIND, trigger.name, f"scan {now:%Y-%m-%dT%H:%M:%SZ}", now, reason))


def _bases(site: Site, row: TaskRow, folder: Path) -> tuple[BaseImage, ...]:
    """Raises Problem, ContextFailed, ContextInvalid, TaskInvalid, DockerfileInvalid."""
    plan, secrets = of_task(full_settings(site.sealer, row), TaskStepOverrides(), "")
    files, scratch = folder / "files", folder / "scratch"
    for each in (files, scratch):
        each.mkdir(parents=True, mode=0o700)
    known = {server: Credentials(*pair) for server, pair in secrets.registries.items()}
    means = Means(site.outbound, scratch, credentials=known.get)
    fetched = fetch(parse_context(secrets.context or plan.context, secrets.token), files, means)
    name, server = site.registry(row.registry_id)
    reading = Reading(_NAME, name, server, row.name, fetched.commit, fetched.branch)
    reader = replace(site.reader, fetch=partial(fetch_text, means))
    job = read_job(plan, secrets, reading, reader, fetched.root)
    return bases_of(each for build in _builds(job) for each in _dependencies(build, fetched.root))


def _builds(job: Task | QuickBuild) -> list[Build]:
    if isinstance(job, QuickBuild):
        return [build_of(job)]
    return [parse_build(step.build) for step in job.steps if step.build]


def _dependencies(build: Build, root: Path) -> list[Dependency]:
    """Raises DockerfileInvalid."""
    path = build.dockerfile_path
    if not path:
        return []
    try:
        with resolve(root, path).open(encoding="utf-8", errors="replace") as file:
            text = file.read(TEXT_LIMIT + 1)
    except (OSError, ValueError):
        raise DockerfileInvalid(f"there is no {path}") from None
    return dependencies(build, bases(text, build.arguments, build.target), "")
