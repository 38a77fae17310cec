"""Metrics of the catalog. Counted by whichever process commits; the server's ``/metrics`` sums them."""

from typing import Final

from prometheus_client import Counter

STORAGE_WARNINGS: Final = Counter(
    "entrepot_storage_warnings", "Registries filled past a share of their storage limit.", ["percent"]
)
