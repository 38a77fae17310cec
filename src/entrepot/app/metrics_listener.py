"""``/metrics`` on a listener of its own: the sum over the server's processes, in Prometheus' text format.

prometheus_client's multiprocess mode: each process counts into files of one folder, made afresh at each start.
"""

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.multiprocess import (
    MultiProcessCollector,
    mark_process_dead,  # pyright: ignore[reportUnknownVariableType]  # it has no types
)
from prometheus_client.registry import Collector

from entrepot.settings import SettingError, Settings

_NOWHERE: Final = CollectorRegistry()  # the collector registers itself somewhere; we ask it ourselves


class _LiveProcesses(Collector):
    """What the processes counted; gauges only of those that still live."""

    def __init__(self, folder: Path, quiet: threading.Lock) -> None:
        self._folder = folder
        self._quiet = quiet
        self._collector = MultiProcessCollector(_NOWHERE, str(folder))  # pyright: ignore[reportUnknownMemberType]  # nor has this

    def collect(self) -> Iterable[Metric]:
        with self._quiet:
            self._forget_the_dead()
            return list(self._collector.collect())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]  # the same

    def _forget_the_dead(self) -> None:
        processes = {file.stem.rpartition("_")[2] for file in self._folder.glob("gauge_live*.db")}
        for process in processes:
            if not Path("/proc", process).exists():
                mark_process_dead(int(process), str(self._folder))


def serve_metrics(settings: Settings, folder: Path, quiet: threading.Lock) -> None:
    """Serve ``/metrics`` from a thread, when a port was given. Raises SettingError.

    ``quiet`` is held while a thread works, so that the server does not fork in the middle of it.
    """
    if settings.metrics_port is None:
        return
    registry = CollectorRegistry()
    registry.register(_LiveProcesses(folder, quiet))
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        address = f"{settings.metrics_host}:{settings.metrics_port}"
        raise SettingError("metrics_port", f"cannot listen on {address}: {error.strerror}") from error
