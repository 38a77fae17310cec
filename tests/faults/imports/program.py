"""The worker that is killed in these tests: it does imports, and nothing else."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import structlog
from tests.faults.here import PACE

from entrepot.app.parts import open_content, open_outbound
from entrepot.app.secret_key import open_sealer
from entrepot.db.database import open_database
from entrepot.jobs.worker import worker_process
from entrepot.registries.imports.jobs import workflows
from entrepot.remote.copies.model import Habits, Works
from entrepot.settings import Settings

BLOB_LIMIT = 64 * 1024 * 1024


def bring(settings: Settings, log: Path) -> None:
    """To be called in a process of its own."""
    with log.open("ab") as said:
        os.dup2(said.fileno(), sys.stdout.fileno())
        os.dup2(said.fileno(), sys.stderr.fileno())
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    url = settings.database_url
    database = open_database(url.get_secret_value() if url else None, settings.data_dir)
    works = Works(open_content(settings), Habits(BLOB_LIMIT, timedelta(days=1)), lambda: uuid4().hex)
    worker_process(database, workflows(works, open_outbound(settings), open_sealer(settings)), PACE)
