"""A job worker in a process of its own, with every workflow that a server has; in a hurry."""

import os
import sys
from pathlib import Path

from pydantic import SecretStr
from tests.registry import settings_for

from entrepot.app.parts import open_content
from entrepot.app.secret_key import open_sealer
from entrepot.app.task_site import Kept
from entrepot.app.upkeep import open_existing
from entrepot.app.worker import bodies
from entrepot.jobs.model import Pace
from entrepot.jobs.worker import worker_process

PACE = Pace(look=0.05, beat=0.25, dead_after=5.0, retry_after=0.2, stop_within=2.0)


def work(data_dir: Path, database_url: str | None) -> None:
    """Ends with the process."""
    with (data_dir / "worker.log").open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    named = {} if database_url is None else {"database_url": SecretStr(database_url)}
    settings = settings_for(data_dir, **named)
    database = open_existing(settings)
    worker_process(database, bodies(settings, database, Kept(open_content(settings), open_sealer(settings))), PACE)
