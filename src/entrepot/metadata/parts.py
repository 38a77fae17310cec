"""What the handlers of /acr/v1 work with, besides the call."""

from dataclasses import dataclass

from entrepot.jobs.wake import Jobs


@dataclass(frozen=True, slots=True)
class Parts:
    """``idle_seconds``: how long a body may stall. ``jobs``: wakes what follows a deletion."""

    idle_seconds: float
    jobs: Jobs
