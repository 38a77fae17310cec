"""The job worker: the workflows of every feature, handed to the jobs room with what they work on."""

import sys
from collections.abc import Mapping
from datetime import timedelta

from entrepot.app import task_worker
from entrepot.app.audit import audit_parts
from entrepot.app.parts import hosts_of, limits_of, new_id, open_content, open_outbound
from entrepot.app.secret_key import open_sealer
from entrepot.app.upkeep import open_existing, waits_of
from entrepot.arm.operations import jobs as operations
from entrepot.auditing import jobs as auditing
from entrepot.db.database import Database
from entrepot.identities import jobs as identities
from entrepot.jobs.model import Workflow
from entrepot.jobs.run import Body
from entrepot.jobs.worker import worker_process
from entrepot.registries.imports import jobs as imports
from entrepot.registries.imports.copying import Works
from entrepot.registries.imports.model import Habits
from entrepot.registries.resource import jobs as registries
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
    worker_process(database, bodies(settings, database))


def bodies(settings: Settings, database: Database) -> Mapping[Workflow, Body]:
    """Every workflow there is, with its body. Raises SettingError."""
    store, sealer, limits = open_content(settings), open_sealer(settings), limits_of(settings)
    habits = Habits(limits.blob_bytes, limits.unlinked_grace)
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
        **imports.workflows(Works(store, habits, new_id), open_outbound(settings), sealer),
        **identities.workflows(sealer, timedelta(days=settings.signing_key_days)),
        **tasks.WORKFLOWS,
        **task_worker.workflows(settings, database, store, sealer),
        **webhooks.workflows(webhooks.Parts(sealer, open_outbound(settings), hosts_of(settings).login_server)),
    }
