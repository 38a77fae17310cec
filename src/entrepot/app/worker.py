"""The job worker: the workflows of every feature, handed to the jobs room with what they work on."""

import sys
from datetime import timedelta

from entrepot.app.audit import audit_parts
from entrepot.app.parts import hosts_of, limits_of, new_id, open_content, open_outbound, upstreams_of
from entrepot.app.secret_key import open_sealer
from entrepot.app.task_engine import found_engine
from entrepot.app.task_site import Kept
from entrepot.app.task_worker import task_work
from entrepot.app.upkeep import open_existing, waits_of
from entrepot.arm.operations import jobs as operations
from entrepot.auditing import jobs as auditing
from entrepot.caching.images import fills
from entrepot.db.database import Database
from entrepot.identities import jobs as identities
from entrepot.jobs.model import Workflow
from entrepot.jobs.run import Body
from entrepot.jobs.worker import worker_process
from entrepot.registries.imports import jobs as imports
from entrepot.registries.resource import jobs as registries
from entrepot.remote.copies.model import Habits, Works
from entrepot.retention import jobs as retention
from entrepot.retention.deletion import jobs as deletion
from entrepot.retention.history import jobs as history
from entrepot.retention.purging import worker as purging
from entrepot.settings import Settings
from entrepot.tasks.resource import jobs as tasks
from entrepot.telemetry.logs import configure_logs
from entrepot.webhooks import jobs as webhooks


def run(settings: Settings) -> None:
    """Work until SIGTERM, as the whole of this process. Raises SettingError, ``Problem``."""
    configure_logs(settings.log_format or ("console" if sys.stderr.isatty() else "json"), settings.log_level)
    database = open_existing(settings)
    store, sealer = open_content(settings), open_sealer(settings)
    work = task_work(settings, database, Kept(store, sealer), found_engine(settings, database))
    # Beside a pool's runs a worker does nothing: its machine may belong to others.
    others = {} if settings.pool is not None else {**bodies(settings, database, Kept(store, sealer)), **work.upkeep}
    worker_process(database, {**others, **work.runs}, intake=work.intake)


def bodies(settings: Settings, database: Database, kept: Kept) -> dict[Workflow, Body]:
    """What any worker does that belongs to no pool, but for tasks. Raises SettingError."""
    limits, store, sealer = limits_of(settings), kept.store, kept.sealer
    works = Works(store, Habits(limits.blob_bytes, limits.unlinked_grace), new_id)
    return {
        **retention.workflows(
            store, waits_of(settings), settings.gc_rate, timedelta(seconds=settings.event_keep_seconds)
        ),
        **deletion.workflows(new_id),
        **history.WORKFLOWS,
        **purging.workflows(new_id),
        **auditing.workflows(audit_parts(settings)),
        **operations.WORKFLOWS,
        **registries.WORKFLOWS,
        **imports.workflows(works, open_outbound(settings), sealer),
        **fills.workflows(works, upstreams_of(settings, database)),
        **identities.workflows(sealer, timedelta(days=settings.signing_key_days)),
        **tasks.WORKFLOWS,
        **webhooks.workflows(webhooks.Parts(sealer, open_outbound(settings), hosts_of(settings).login_server)),
    }
