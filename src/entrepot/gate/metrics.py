"""Metrics of the gate, counted by the web workers; the server's ``/metrics`` sums them."""

from typing import Final

from prometheus_client import Counter

THROTTLED: Final = Counter(
    "entrepot_http_throttled",
    "Requests refused because a request rate was used up, by pool and by whose it was.",
    ["pool", "scope"],
)
