"""What belongs to a registry, and to features that do not exist yet. A feature's rows go when it comes.

Source: ACR-REFERENCE 6.2.
"""

from typing import Final

from entrepot.arm.absent import WRITES, Absent, absent_type
from entrepot.arm.versions import CONTAINER_REGISTRY
from entrepot.registries.resource.descriptor import BELOW, REGISTRIES


def _absent(
    name: str,
    lacking: tuple[str, str],
    *,
    methods: tuple[str, ...] = WRITES,
    acts: tuple[str, ...] = (),
    of_registry: tuple[str, ...] = (),
) -> Absent:
    """``name``: of the collection below a registry; ``lacking``: the feature, and what to do in its place."""
    kind = "/".join(part for part in name.split("/") if not part.startswith("{"))
    return Absent(
        name=f"{REGISTRIES.name}/{kind}",
        collection=f"{REGISTRIES.paths[0]}/{name}",
        parents=BELOW,
        versions=CONTAINER_REGISTRY,
        feature=lacking[0],
        instead=lacking[1],
        methods=methods,
        acts=acts,
        of_parent=of_registry,
    )


_CONNECTED: Final = ("Connected registries are", "run a second deployment, and import into it: az acr import")
_PACKAGES: Final = ("Package archives are", "push packages as OCI artifacts: oras push")
_PIPELINES: Final = ("Transfer pipelines are", "import images, az acr import, or carry them over: skopeo copy")
_PRIVATE: Final = (
    "Private endpoints are",
    "switch public network access off, which leaves a registry to private addresses",
)

ABSENT: Final = (
    _absent("connectedRegistries", _CONNECTED, acts=("deactivate", "resync")),
    _absent("exportPipelines", _PIPELINES, methods=("PUT", "DELETE")),
    _absent("importPipelines", _PIPELINES, methods=("PUT", "DELETE")),
    _absent("packages/{packageType}/archives", _PACKAGES),
    _absent("packages/{packageType}/archives/{archive}/versions", _PACKAGES, methods=("PUT", "DELETE")),
    _absent("pipelineRuns", _PIPELINES, methods=("PUT", "DELETE")),
    _absent("privateEndpointConnections", _PRIVATE, methods=("PUT", "DELETE")),
    _absent("privateLinkResources", _PRIVATE, methods=()),
)


ABSENT_TYPES: Final = tuple(map(absent_type, ABSENT))
