"""The jobs that look at timers, at base images and at events, and begin runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from entrepot.jobs.model import Every, Json, Queue, Workflow
from entrepot.jobs.run import Body, Run
from entrepot.jobs.wake import Jobs
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.outbound.client import Outbound
from entrepot.remote.client import RemoteRepository
from entrepot.remote.place import RemotePlace
from entrepot.remote.sign_in import Credentials
from entrepot.tasks.execution.images import HUB, registry_of
from entrepot.tasks.model import Credentials as TaskCredentials
from entrepot.tasks.resource.queries import find_task, task_of
from entrepot.tasks.resource.tasks import full_settings, settings_of
from entrepot.tasks.runs.model import ImageUpdate, Outcome, PushedImage, Tick
from entrepot.tasks.runs.plan import passwords
from entrepot.tasks.runs.queries import RunRow
from entrepot.tasks.runs.schedule import Scheduler
from entrepot.tasks.triggers.events.following import FOLLOW, Following
from entrepot.tasks.triggers.images.looking import Looker
from entrepot.tasks.triggers.images.model import TELL, Beginning, Watched
from entrepot.tasks.triggers.images.queries import has_due_elsewhere
from entrepot.tasks.triggers.images.telling import tell
from entrepot.tasks.triggers.images.tracking import Tracker, accounts_of
from entrepot.tasks.triggers.queries import has_due
from entrepot.tasks.triggers.timers import fire_one
from entrepot.tasks.wishes import wish_of_change, wish_of_tick

TIMERS: Final = Workflow("tasks.timers", Queue("task-timers", at_once=1), Every(15, has_due))
LOOK: Final = Workflow("tasks.look_at_bases", Queue("task-base-images", at_once=1), Every(15, has_due_elsewhere))
# Where Docker Hub has its API is known by this name.
_HUB_HOST: Final = "docker.io"


@dataclass(frozen=True, slots=True)
class Places:
    """``own``: the name of a registry of this deployment by its host, None for what is none; ``login_server``: the host
    of one by its name.
    """

    own: Callable[[str], str | None]
    login_server: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Triggers:
    """What a job worker does for triggers. ``poll``: how often registries elsewhere are asked for base images, about.
    ``look``: seconds between two looks at events.
    """

    scheduler: Scheduler
    jobs: Jobs
    outbound: Outbound
    places: Places
    poll: timedelta
    look: float = 0.5

    @property
    def beginning(self) -> Beginning:
        return Beginning(self._begin_changed, self._wake_tell)

    @property
    def looker(self) -> Looker:
        return Looker(self._account, self._ask, self.beginning, self.poll)

    @property
    def following(self) -> Following:
        return Following(self.beginning, self._begin_changed, self.places.login_server, self.look)

    def workflows(self) -> Mapping[Workflow, Body]:
        looker, following = self.looker, self.following

        def fire(run: Run) -> None:
            run.step("fire", self._fire, run)

        def look(run: Run) -> None:
            run.step("look", looker.look, run)

        def follow(run: Run) -> None:
            run.step("follow", following.work, run)

        def tell_of(run: Run, evaluation: int) -> None:
            run.step("tell", tell, run, self.outbound, evaluation)

        return {TIMERS: fire, LOOK: look, FOLLOW: follow, TELL: tell_of}

    # --- runs ---------------------------------------------------------------------------------------------------------

    def _fire(self, run: Run) -> Json:
        """Twice is safe: each time of a timer is a row with its run."""
        while not run.stopping and run.write(self.fire_timer, run.now):
            pass
        return None

    def fire_timer(self, tx: Connection, now: datetime) -> bool:
        """Begin the run of one timer that is due; False where none is."""

        def begin(tx: Connection, task_id: int, tick: Tick) -> int:
            row = task_of(tx, task_id)
            wish = wish_of_tick(self.scheduler.sealer, row, tick)
            return self.scheduler.schedule(tx, row.registry_id, wish, now)

        return fire_one(tx, begin, now)

    def _begin_changed(
        self, tx: Connection, task_id: int, change: ImageUpdate | PushedImage, chain: tuple[str, ...], now: datetime
    ) -> int:
        """Raises Problem for a task that cannot be run."""
        row = task_of(tx, task_id)
        return self.scheduler.schedule(
            tx, row.registry_id, wish_of_change(self.scheduler.sealer, row, change, chain), now
        )

    def _wake_tell(self, tx: Connection, evaluation: int) -> None:
        self.jobs.wake(tx, TELL, evaluation)

    # --- base images --------------------------------------------------------------------------------------------------

    def learn(self, tx: Connection, row: RunRow, outcome: Outcome) -> None:
        """What the run of a task, which succeeded, was built on."""
        task = None if row.task is None else find_task(tx, row.registry_id, row.task)
        if task is not None:
            tracker, credentials = Tracker(self.places.own), settings_of(task).credentials
            tracker.track(tx, task.id, outcome.bases, accounts_of(credentials), row.started_at or row.created_at)

    def _account(self, run: Run, image: Watched) -> Credentials | None:
        """The task's own at the image's registry. Raises Problem for one that cannot be read."""
        if not image.is_signed_in:
            return None
        settings = full_settings(self.scheduler.sealer, run.read(task_of, image.task_id))
        found = passwords(settings.credentials or TaskCredentials())
        pairs = (pair for server, pair in found.items() if registry_of(server) == image.registry)
        pair = next(pairs, None)
        return None if pair is None else Credentials(*pair)

    def _ask(self, image: Watched, account: Credentials | None) -> str | None:
        """Raises Problem."""
        host = _HUB_HOST if image.registry == HUB else image.registry
        place = RemotePlace.of(host, RepositoryName(image.repository))
        known = None if image.seen is None else Digest.parse(image.seen)
        digest = RemoteRepository(self.outbound, place, account, _no_pause).digest_of(Tag(image.tag), known)
        return None if digest is None else str(digest)


def _no_pause(_seconds: float) -> None:
    """A look is made once; the next one comes."""
