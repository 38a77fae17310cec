"""Metrics for Prometheus. Several processes count into files of one folder (prometheus_client's multiprocess mode); the
parent serves their sum.
"""

from typing import Final

from prometheus_client import Counter, Histogram

REQUESTS: Final = Counter("entrepot_http_requests", "Requests answered.", ["surface", "method", "route", "status"])
SECONDS: Final = Histogram(
    "entrepot_http_request_seconds",
    "Time from a request's head to its answer being handed to the server.",
    ["surface", "method", "route"],
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600),
)
BYTES_IN: Final = Counter("entrepot_blob_received_bytes", "Blob bytes received.")
BYTES_OUT: Final = Counter("entrepot_blob_sent_bytes", "Blob bytes handed to the server for sending.")


class RequestMetrics:
    """Counts requests. Keeps the label sets it used: looking one up costs more than counting."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, surface: str, method: str, route: str, status: int, seconds: float) -> None:
        """``route`` is the row's pattern, so that names of repositories do not become labels."""
        key = (surface, method, route, status)
        found = self._known.get(key)
        if found is None:
            found = (REQUESTS.labels(surface, method, route, str(status)), SECONDS.labels(surface, method, route))
            self._known[key] = found
        found[0].inc()
        found[1].observe(seconds)
