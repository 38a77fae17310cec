"""A job worker in this process for a test that waits for what it does; hurried, and one at a time."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.registry import Registry

from entrepot.db.database import open_database
from entrepot.jobs.model import Pace, Workflow
from entrepot.jobs.run import Body
from entrepot.jobs.worker import run_worker

_HURRIED = Pace(look=0.05, beat=0.2, retry_after=0.1, stop_within=5.0)


@contextmanager
def working(registry: Registry, bodies: Mapping[Workflow, Body]) -> Iterator[None]:
    """These workflows run on the registry's catalog until the block ends."""
    url, stop = registry.settings.database_url, threading.Event()
    database = open_database(url.get_secret_value() if url else None, registry.settings.data_dir)
    thread = threading.Thread(target=run_worker, args=(database, bodies, stop, _HURRIED))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        database.close()
