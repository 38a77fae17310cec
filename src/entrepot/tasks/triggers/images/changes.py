"""A base image has another digest: what its trigger makes of that, once.

One change is one evaluation and at most one run of a task, however many of its tags and stages are concerned.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from entrepot.errors import Problem
from entrepot.tasks.model import BaseImageKind
from entrepot.tasks.runs.model import Image, ImageUpdate
from entrepot.tasks.triggers.images import queries
from entrepot.tasks.triggers.images.model import KIND, Beginning, Occasion, Watched
from entrepot.tasks.triggers.queries import Evaluation, insert_evaluation, set_run

# Tasks that lead to each other: more is taken for a loop.
CHAIN_LIMIT: Final = 32


def conclude(tx: Connection, images: Sequence[Watched], occasion: Occasion, beginning: Beginning, now: datetime) -> int:
    """Of the images of one task whose tags have another digest now, the same for all; how many runs that began.

    Twice is safe: one occasion has one evaluation.
    """
    task, digest = images[0], images[0].seen or ""
    counted = [each for each in images if task.counts_all or each.type == BaseImageKind.RUNTIME]
    told = f"{_names(counted or images)} is {digest} now"
    why_not = _why_not(tx, counted, digest, occasion.chain)
    made = insert_evaluation(tx, _evaluation(task, occasion, f"{told}{why_not or '.'}", now))
    if made is None or why_not:
        return 0
    update = ImageUpdate(
        str(uuid4()),
        occasion.at,
        tuple(Image(each.registry, each.repository, each.tag, digest) for each in counted),
    )
    try:
        run = beginning.begin(tx, task.task_id, update, occasion.chain, now)
    except Problem as problem:
        reason = problem.detail.get("reason", problem.kind.name)
        queries.set_reason(tx, made, f"{told}, but no run could be made: {reason}")
        return 0
    set_run(tx, made, run)
    if task.endpoint:
        beginning.tell(tx, made)
    return 1


def unchanged(tx: Connection, images: Sequence[Watched], occasion: Occasion, now: datetime) -> None:
    """Of one task: pushed again, and the same as before."""
    reason = f"{_names(images)} was pushed again with the digest that it had: nothing changed, so no run begins."
    insert_evaluation(tx, _evaluation(images[0], occasion, reason, now))


def _evaluation(task: Watched, occasion: Occasion, reason: str, now: datetime) -> Evaluation:
    return Evaluation(task.task_id, KIND, task.trigger, f"{task.seen} {occasion.id}", now, reason)


def _why_not(tx: Connection, counted: Sequence[Watched], digest: str, chain: tuple[str, ...]) -> str:
    """Empty where a run is to begin."""
    if not counted:
        return ": only a stage of a build needs it, and baseImageTriggerType Runtime leaves those out. No run begins."
    cut = why_cut(counted[0].label, chain)
    if cut:
        return cut
    waiting = queries.waiting_run(tx, counted[0].task_id, digest)
    return f": the run {waiting}, which has not begun yet, finds it so. No other begins." if waiting else ""


def why_cut(label: str, chain: tuple[str, ...]) -> str:
    """Why a chain of tasks does not go on with this one; empty where it does."""
    if label.lower() in (each.lower() for each in chain):
        way = " → ".join((*chain, label))
        return f": this task's own runs led to that ({way}), which would never end. The loop is cut, no run begins."
    if len(chain) >= CHAIN_LIMIT:
        return f": {CHAIN_LIMIT} tasks led to that, one after the other ({chain[0]} first). No run begins."
    return ""


def _names(images: Iterable[Watched]) -> str:
    return ", ".join(each.name for each in images)
