"""Labels: what a worker has that others lack, and what a run needs of the worker that takes it.

A worker has those of its setting; a run needs those that a tag of its task names, or of its registry. A worker takes
runs that need nothing it has not got, so also those that need nothing.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Final

TAG: Final = "entrepot.labels"
# Of what a run names, in characters; no worker has more.
_LIMIT: Final = 255


def written(labels: Iterable[str]) -> str:
    """As rows have them: in lower case, each once, in order, comma-separated."""
    return ",".join(sorted({each.strip().lower() for each in labels} - {""}))


def labels_of(tags: Iterable[Mapping[str, str]]) -> str:
    """By the last that has the tag: the task's own after its registry's. What no worker has is waited for."""
    said = [each[TAG] for each in tags if TAG in each]
    return written(said[-1].split(","))[:_LIMIT] if said else ""


def read(text: str) -> frozenset[str]:
    """From its column."""
    return frozenset(text.split(",")) - {""}


def selections(labels: Iterable[str]) -> list[str]:
    """Each that a run may need of a worker with these labels, as it is written."""
    ordered = sorted(labels)
    return [",".join(some) for count in range(len(ordered) + 1) for some in combinations(ordered, count)]
