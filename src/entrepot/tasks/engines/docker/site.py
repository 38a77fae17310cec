"""What all machines of an engine have in common."""

from dataclasses import dataclass
from typing import Final

from entrepot.tasks.engines.docker.api import Api, Json

# The run's volumes, as its machine and its steps call them.
WORKSPACE_VOLUME: Final = "acb-workspace"
HOME_VOLUME: Final = "acb-home"


@dataclass(frozen=True, slots=True)
class Site:
    """``image``: of machines. ``deployment``: whose they are.

    ``ulimits``: given to each container, where docker's own do not work. ``grpc``: whether runs may use BuildKit's own
    interface.
    """

    api: Api
    image: str
    deployment: str
    ulimits: tuple[Json, ...] = ()
    grpc: bool = False
