"""Looks at base images that no event tells of: those of other registries, again and again, and own ones that are new.

A registry is asked for a digest alone, without an image's bytes, and with the one that is known. After a failure the
next look comes later each time.
"""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeAlias
from uuid import uuid4

from sqlalchemy import Connection

from entrepot.errors import Problem
from entrepot.jobs.model import Json
from entrepot.jobs.run import Run
from entrepot.remote.sign_in import Credentials
from entrepot.tasks.triggers.chains import chain_after
from entrepot.tasks.triggers.images import queries
from entrepot.tasks.triggers.images.changes import conclude
from entrepot.tasks.triggers.images.model import Beginning, Occasion, Watched

# Registries that are asked at once in the whole deployment, and how many looks are taken up together.
_AT_ONCE: Final = 4
_TAKEN: Final = 32
# Tasks of one transaction: SQLite has one writer, and pushes wait for it.
_TASKS: Final = 50
_LONGEST: Final = timedelta(days=1)
# A run that goes on may be who pushed.
_A_MOMENT: Final = timedelta(seconds=30)
_PROBLEM_LIMIT: Final = 500

# What a task signs in with to ask for its image; None: nothing. Raises Problem.
Account: TypeAlias = Callable[[Run, Watched], Credentials | None]
# The digest of an image's tag at its registry, None where there is none. Raises Problem.
Ask: TypeAlias = Callable[[Watched, Credentials | None], str | None]


def look_at_own(tx: Connection, beginning: Beginning, now: datetime) -> bool:
    """At one that is due; False where none is. Its events go on from there."""
    image = queries.take_due_own(tx, now)
    if image is None or image.own is None:
        return False
    found = queries.present(tx, image.own, image.repository, image.tag)
    before = image.seen
    if found is not None:
        image.repository_id, image.sequence = found.repository_id, found.sequence
        image.seen = found.digest or before
    queries.set_seen(tx, image, now, None, None)
    if image.seen != before:
        conclude(tx, [image], _occasion(tx, image, now), beginning, now)
    return True


class _Answer(NamedTuple):
    """What a registry said: the digest, or why it is not known."""

    digest: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Looker:
    """``every``: how long after a look the next one comes, more or less."""

    account: Account
    ask: Ask
    beginning: Beginning
    every: timedelta

    def look(self, run: Run) -> Json:
        """Twice is safe: a digest that was seen is no change any more."""
        with ThreadPoolExecutor(_AT_ONCE, "base-images") as pool:
            while not run.stopping:
                images = _apart(run.read(queries.due_elsewhere, run.now, _TAKEN))
                if not images:
                    break
                # Threads of the pool touch no catalog.
                calls = [pool.submit(self._question(run, image)) for image in images]
                for image, call in zip(images, calls, strict=True):
                    while run.write(self._learn, image, call.result(), run.now) == _TASKS:
                        pass
        return None

    def _question(self, run: Run, image: Watched) -> Callable[[], _Answer]:
        """For a thread."""
        try:
            account = self.account(run, image)
        except Problem as problem:
            failed = _Answer(None, _reason(problem))
            return lambda: failed
        return lambda: self._asked(image, account)

    def _asked(self, image: Watched, account: Credentials | None) -> _Answer:
        try:
            digest = self.ask(image, account)
        except Problem as problem:
            return _Answer(None, _reason(problem))
        return _Answer(digest, None if digest else f"There is no {image.name}.")

    def _learn(self, tx: Connection, asked: Watched, answer: _Answer, now: datetime) -> int:
        """Whom it concerns, some at a time; how many those were."""
        found = queries.concerned(tx, asked, answer.digest, now, _TASKS)
        for image in found:
            self._learn_one(tx, image, answer, now)
        return len(found)

    def _learn_one(self, tx: Connection, image: Watched, answer: _Answer, now: datetime) -> None:
        before, digest = image.seen, answer.digest
        if digest is None:
            image.failures += 1
            queries.set_seen(tx, image, now, now + self._pause(image.failures), answer.problem)
            return
        has_changed = before not in {None, digest}
        if has_changed and queries.is_running(tx, image):
            queries.set_seen(tx, image, now, now + _A_MOMENT, None)
            return
        image.seen, image.failures = digest, 0
        queries.set_seen(tx, image, now, now + self._pause(0), None)
        # What nobody knew before has not changed.
        if has_changed:
            conclude(tx, [image], _occasion(tx, image, now), self.beginning, now)

    def _pause(self, failures: int) -> timedelta:
        """Twice as long after each failure; three quarters to five quarters of it, so that looks spread."""
        usual = min(self.every * 2.0 ** min(failures, 16), max(_LONGEST, self.every))
        return usual * random.uniform(0.75, 1.25)  # noqa: S311  it spreads calls, and is no secret


def _reason(problem: Problem) -> str:
    return str(problem.detail.get("reason", problem.kind.name))[:_PROBLEM_LIMIT]


def _apart(images: list[Watched]) -> list[Watched]:
    """One for each question: those without an account ask the same."""
    return list({(each.name, each.task_id if each.is_signed_in else 0): each for each in images}.values())


def _occasion(tx: Connection, image: Watched, now: datetime) -> Occasion:
    pusher = queries.pusher_of(tx, image, image.seen or "", now)
    return Occasion(uuid4().hex, now, () if pusher is None else chain_after(pusher.label, pusher.request))
