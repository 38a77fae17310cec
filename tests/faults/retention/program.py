"""A job worker that purges slowly, for a test that kills it."""

import sys
from pathlib import Path
from uuid import uuid4

from entrepot.db.database import open_database
from entrepot.jobs.model import Pace
from entrepot.jobs.worker import worker_process
from entrepot.retention.purging.worker import Habits, workflows

# Some seconds for what a test has; others find soon that a worker is dead.
PACE = Pace(look=0.05, beat=0.2, dead_after=2.0, retry_after=0.2)
HABITS = Habits(rate=40.0, page=7, turn=0.3)

if __name__ == "__main__":
    _, url, folder = sys.argv
    database = open_database(url or None, Path(folder))
    worker_process(database, workflows(lambda: uuid4().hex, HABITS), PACE)
