"""What all machines of an engine have in common."""

from dataclasses import dataclass, field

from entrepot.tasks.engines.docker.acr_image import AcrImage
from entrepot.tasks.engines.docker.api import Api, Json
from entrepot.tasks.engines.docker.disk import Disk
from entrepot.tasks.engines.docker.proxy.model import Flavor
from entrepot.tasks.engines.docker.rights import Rights


@dataclass(frozen=True, slots=True)
class Site:
    """``image``: of machines, by its id; ``closed_image``: of those of runs that reach nothing, which have no buildx:
    BuildKit's own interface would let their builds into the engine's network. ``deployment``: whose they are.

    ``ulimits``: given to each container, where docker's own do not work. ``grpc``: whether runs may use BuildKit's own
    interface. ``disk``: None where it is not watched. ``rights``: of the engine on its machine.
    """

    api: Api
    image: str
    closed_image: str
    deployment: str
    ulimits: tuple[Json, ...] = ()
    grpc: bool = False
    flavor: Flavor = Flavor.DOCKER
    disk: Disk | None = None
    rights: Rights = field(default_factory=Rights)
    acr: AcrImage = field(default_factory=AcrImage)
