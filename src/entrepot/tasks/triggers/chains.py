"""Chains: a run pushes an image, which begins the run of another task. Each run knows the tasks that led to it."""

import msgspec

from entrepot.tasks.runs.model import Plan


def chain_after(label: str | None, request: str) -> tuple[str, ...]:
    """Of what a run leads to. ``label``: REGISTRY/TASK of its task, None for a quick run; ``request``: its plan."""
    chain = msgspec.json.decode(request, type=Plan).chain
    return chain if label is None else (*chain, label)
