"""What a worker process of these tests runs.

In its folder it leaves a file for whatever it reaches, and waits for files that a test makes.
"""

import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import structlog
from sqlalchemy import Connection
from tests.integration.jobs.effects import note

from entrepot.db.database import open_database
from entrepot.jobs.model import Every, Pace, Queue, Workflow
from entrepot.jobs.run import Body, Run
from entrepot.jobs.worker import worker_process

QUEUE = Queue("test", at_once=8)
WAITING = Workflow("test.waiting", QUEUE)
DEADLY = Workflow("test.deadly", QUEUE)
STUCK = Workflow("test.stuck", QUEUE)
TICKING = Workflow("test.ticking", QUEUE, Every(1))
NEWER = Workflow("test.newer", QUEUE)  # only the second release knows it

# Long enough that a worker on a busy machine is not taken for dead.
PACE = Pace(look=0.1, beat=0.25, dead_after=2.5, retry_after=0.2, stop_within=1.5)


def reached(folder: Path, point: str) -> Path:
    """The file that a worker makes when it gets to a point; ``point`` names thing and process id."""
    return folder / f"reached-{point}"


def gate(folder: Path, thing: str) -> Path:
    """The file that lets the workflow of a thing go on."""
    return folder / f"go-{thing}"


class Bodies:
    """What the workflows of one worker process do; everything that they do is noted with its process and release."""

    def __init__(self, folder: Path, release: str) -> None:
        self._folder = folder
        self._me = str(os.getpid())
        self._by = f"{self._me} {release}"
        known: dict[Workflow, Body] = {
            WAITING: self._waiting,
            DEADLY: self._deadly,
            STUCK: self._stuck,
            TICKING: self._ticking,
        }
        self.known: Mapping[Workflow, Body] = known if release == "1" else known | {NEWER: self._waiting}

    def _note(self, run: Run, thing: str, what: str) -> None:
        run.once(what, note, thing, what, self._by, run.attempt)

    def _wait(self, thing: str) -> str:
        """Twice is safe: it changes nothing. Answers who waited."""
        reached(self._folder, f"{thing}-{self._me}").touch()
        while not gate(self._folder, thing).exists():
            time.sleep(0.01)
        return self._me

    def _waiting(self, run: Run, thing: str) -> None:
        self._note(run, thing, "begin")
        run.step("wait", self._wait, thing)
        self._note(run, thing, "end")

    def _deadly(self, run: Run, thing: str, point: str) -> None:
        """Ends its own process in the first attempt, inside the change or right after it."""

        def die_at(here: str) -> None:
            if run.attempt == 1 and point == here:
                os.kill(os.getpid(), signal.SIGKILL)

        def change(tx: Connection) -> None:
            note(tx, thing, "change", self._by, run.attempt)
            die_at("inside")

        run.once("change", change)
        die_at("after")
        self._note(run, thing, "end")

    def _stuck(self, _: Run, thing: str) -> None:
        self._wait(thing)

    def _ticking(self, run: Run) -> None:
        self._note(run, "tick", run.id)


def watch_the_network(folder: Path) -> None:
    """Write down every connection that anything in this process opens."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "socket.connect":
            with (folder / f"connected-{os.getpid()}").open("a") as log:
                print(arguments[1], file=log)

    sys.addaudithook(hook)


def work(url: str, folder: Path, release: str) -> None:
    """To be called in a process of its own, which ends with it."""
    with (folder / "log").open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    watch_the_network(folder)
    logging.basicConfig(level=logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    worker_process(open_database(url, folder), Bodies(folder, release).known, PACE)
