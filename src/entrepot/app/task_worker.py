"""What a worker does for tasks: runs, and what looks at triggers and clears up."""

import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from entrepot.access.sealing import Sealer
from entrepot.app.parts import hosts_of, new_id
from entrepot.app.task_engine import Engines
from entrepot.app.task_site import Kept, site_of
from entrepot.catalog.files.keep import keep
from entrepot.catalog.files.model import NewFile
from entrepot.catalog.files.queries import set_expiry
from entrepot.catalog.model import RegistryId
from entrepot.content.model import ContentStore
from entrepot.db.database import Database
from entrepot.gate.hosts import Hosts
from entrepot.jobs.model import Workflow
from entrepot.jobs.run import Body, Run
from entrepot.jobs.wake import Jobs
from entrepot.outbound.client import Outbound
from entrepot.settings import Settings
from entrepot.tasks import forgetting, scanning
from entrepot.tasks.firing import Places, Triggers
from entrepot.tasks.runs import jobs as runs
from entrepot.tasks.runs.schedule import Scheduler, workflow_of
from entrepot.tasks.sources import polling
from entrepot.tasks.sources.evaluating import Evaluator
from entrepot.tasks.workers.intake import RunIntake
from entrepot.tasks.workers.rules import architecture_of, queue_of

# A log that no run names, because its worker died just before.
_UNNAMED: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TaskWork:
    """What a worker does for tasks. ``upkeep``: if it belongs to no pool."""

    runs: Mapping[Workflow, Body]
    upkeep: Mapping[Workflow, Body]
    intake: RunIntake


def task_work(settings: Settings, database: Database, kept: Kept, engines: Engines) -> TaskWork:
    """What a job worker does for tasks. Raises SettingError."""
    site = site_of(settings, database, kept, engines)
    triggers = triggers_of(settings, database, kept.sealer, site.outbound)
    keeping = keeping_of(settings, kept.store)
    every = timedelta(seconds=settings.task_poll_seconds)
    evaluator = Evaluator(kept.sealer, triggers.scheduler)
    upkeep = {
        **runs.upkeep(keeping),
        **triggers.workflows(),
        **polling.workflows(polling.Polling(evaluator, triggers.jobs, site.outbound, site.folder, every)),
        **forgetting.workflows(keeping.time),
    }
    intake = intake_of(settings, database, engines)
    work: Mapping[Workflow, Body] = {}
    if settings.task_runs:
        work = {
            **runs.working(intake.workflow, site, keeping, triggers.learn),
            **scanning.workflows(site, triggers.places),
        }
    return TaskWork(work, upkeep, intake)


def triggers_of(settings: Settings, database: Database, sealer: Sealer, outbound: Outbound) -> Triggers:
    """What begins runs by itself, but for git."""
    hosts = hosts_of(settings)
    return Triggers(
        Scheduler(sealer),
        Jobs(database),
        outbound,
        Places(own_registries(hosts), hosts.login_server),
        timedelta(seconds=settings.task_base_image_seconds),
    )


def keeping_of(settings: Settings, store: ContentStore) -> runs.Keeping:
    """Where the logs of runs go."""
    return runs.Keeping(_keep_in(store), set_expiry, timedelta(seconds=settings.task_keep_seconds))


def intake_of(settings: Settings, database: Database, engines: Engines) -> RunIntake:
    """Which runs this worker takes."""
    pool, architecture, labels = settings.pool or "", architecture_of(platform.machine()), settings.task_labels
    return RunIntake(
        workflow_of(queue_of(pool, architecture, labels), settings.task_runs),
        Jobs(database),
        pool,
        architecture,
        frozenset(labels),
        settings.task_runs,
        settings.task_runs_per_registry,
        settings.task_drain_seconds,
        engines.name,
    )


def own_registries(hosts: Hosts) -> Callable[[str], str | None]:
    """The registry of this deployment that is called so; another port of the same host is another registry's."""

    def own(host: str) -> str | None:
        found = hosts.find(host)
        return found.registry if found is not None and found.authority == host.lower() else None

    return own


def _keep_in(store: ContentStore) -> Callable[[Run, int, Iterable[bytes]], str]:
    def keep_log(run: Run, registry_id: int, pieces: Iterable[bytes]) -> str:
        file = NewFile(new_id(), RegistryId(registry_id), run.now, run.now + _UNNAMED)
        keep(run, store, file, pieces)
        return file.id

    return keep_log
