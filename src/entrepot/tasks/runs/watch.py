"""Ends a run's work when its row says so, when its worker stops, or when it is in other hands."""

import threading
from typing import Final, Self

from entrepot.errors import Problem
from entrepot.jobs.run import HandedBack, Run
from entrepot.tasks.runs import queries

_EVERY_SECONDS: Final = 1.0


class Watch:
    """``ended`` is set when the work has to end, for whatever reason; ``is_canceled`` when somebody asked for it."""

    def __init__(self, run: Run, run_id: int) -> None:
        self.ended = threading.Event()
        self.is_canceled = False
        self._run = run
        self._run_id = run_id
        self._lost: BaseException | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, name="task-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def lose(self, error: BaseException) -> None:
        """The work cannot go on here, because of this."""
        self._lost = self._lost or error
        self.ended.set()

    def expect_ours(self) -> None:
        """Raises what the work was lost by."""
        if self._lost is not None:
            raise self._lost

    def _look(self) -> None:
        while not self._done.wait(_EVERY_SECONDS) and not self.ended.is_set():
            try:
                self.is_canceled = self._run.write(queries.is_canceled, self._run_id)
            except Problem:  # the catalog may come back
                continue
            except BaseException as error:  # noqa: BLE001  what no body catches: the run's own thread raises it
                self.lose(error)
                return
            if self._run.stopping:
                self.lose(HandedBack())
            elif self.is_canceled:
                self.ended.set()
