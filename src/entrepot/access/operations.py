"""The operations of Microsoft.ContainerRegistry, and which of them permits what on the data plane.

Source: ACR-REFERENCE 5.2 and 5.3, after Azure's list of resource provider operations.
"""

from itertools import product
from typing import Final, NamedTuple

from entrepot.access.model import Action
from entrepot.access.patterns import names_operation

PROVIDER: Final = "Microsoft.ContainerRegistry"
REGISTRIES: Final = f"{PROVIDER}/registries"

_PROVIDER_ACTIONS: Final = (
    "checkNameAvailability/read",
    "locations/authorize/action",
    "locations/deleteVirtualNetworkOrSubnets/action",
    "locations/operationResults/read",
    "locations/setupAuth/action",
    "operations/read",
    "register/action",
    "unregister/action",
)
_REGISTRY_ACTIONS: Final = (
    "artifacts/delete",
    "delete",
    "deleted/read",
    "deleted/restore/action",
    "generateCredentials/action",
    "getBuildSourceUploadUrl/action",
    "importImage/action",
    "listBuildSourceUploadUrl/action",
    "listCredentials/action",
    "listPolicies/read",
    "listUsages/read",
    "metadata/read",
    "metadata/write",
    "operationStatuses/read",
    "privateEndpointConnectionsApproval/action",
    "providers/Microsoft.Insights/diagnosticSettings/read",
    "providers/Microsoft.Insights/diagnosticSettings/write",
    "providers/Microsoft.Insights/logDefinitions/read",
    "providers/Microsoft.Insights/metricDefinitions/read",
    "pull/read",
    "push/write",
    "quarantine/read",
    "quarantine/write",
    "queueBuild/action",
    "read",
    "regenerateCredential/action",
    "scheduleRun/action",
    "sign/write",
    "updatePolicies/write",
    "write",
)
# Each can be read, written and deleted, and has the status of its long operations.
_CHILDREN: Final = (
    "agentpools",
    "cacheRules",
    "connectedRegistries",
    "credentialSets",
    "eventGridFilters",
    "exportPipelines",
    "importPipelines",
    "packages/archives",
    "packages/archives/versions",
    "pipelineRuns",
    "privateEndpointConnectionProxies",
    "privateEndpointConnections",
    "privateLinkResources",
    "purgeRules",
    "replications",
    "runs",
    "scopeMaps",
    "taskruns",
    "tasks",
    "tokens",
    "webhooks",
)
_CHILD_ACTIONS: Final = ("delete", "operationStatuses/read", "read", "write")
_MORE_CHILD_ACTIONS: Final = (
    "agentpools/listQueueStatus/action",
    "agentpools/operationResults/status/read",
    "connectedRegistries/deactivate/action",
    "connectedRegistries/resync/action",
    "privateEndpointConnectionProxies/validate/action",
    "purgeRules/cancel/action",
    "purgeRules/preview/action",
    "purgeRules/run/action",
    "runs/cancel/action",
    "runs/listLogSasUrl/action",
    "taskruns/listDetails/action",
    "tasks/listDetails/action",
    "webhooks/getCallbackConfig/action",
    "webhooks/listEvents/action",
    "webhooks/ping/action",
)

ACTIONS: Final[tuple[str, ...]] = (
    *(f"{PROVIDER}/{action}" for action in _PROVIDER_ACTIONS),
    *(f"{REGISTRIES}/{action}" for action in _REGISTRY_ACTIONS),
    *(f"{REGISTRIES}/{child}/{action}" for child, action in product(_CHILDREN, _CHILD_ACTIONS)),
    *(f"{REGISTRIES}/{action}" for action in _MORE_CHILD_ACTIONS),
)
DATA_ACTIONS: Final[tuple[str, ...]] = (
    f"{REGISTRIES}/catalog/read",
    f"{REGISTRIES}/quarantinedArtifacts/read",
    f"{REGISTRIES}/quarantinedArtifacts/write",
    *(
        f"{REGISTRIES}/repositories/{part}/{verb}"
        for part, verb in product(("content", "metadata"), ("delete", "read", "write"))
    ),
    f"{REGISTRIES}/trustedCollections/write",
)


class Permitting(NamedTuple):
    """What permits an action of the data plane, in each way that rights are given. Of several, one is enough."""

    classic: tuple[str, ...]
    """Control actions, which count in the mode LegacyRegistryPermissions."""
    data: str
    """The data action, which counts in the mode AbacRepositoryPermissions."""
    scope_map: tuple[str, ...]
    """What a scope map says of a repository; none where no scope map can permit it."""


# AcrPull reads tags and manifests' metadata: metadata/read is for custom roles that may not pull. Untagging is a delete
# of metadata; az asks for a token that deletes, and ACR's documents list it under metadata/write for scope maps.
# What was deleted has no data action of its own: who may delete may undo it.
PERMITTED_BY: Final[dict[Action, Permitting]] = {
    Action.CATALOG_LIST: Permitting((f"{REGISTRIES}/pull/read",), f"{REGISTRIES}/catalog/read", ()),
    Action.CONTENT_DELETE: Permitting(
        (f"{REGISTRIES}/artifacts/delete",), f"{REGISTRIES}/repositories/content/delete", ("content/delete",)
    ),
    Action.CONTENT_READ: Permitting(
        (f"{REGISTRIES}/pull/read",), f"{REGISTRIES}/repositories/content/read", ("content/read",)
    ),
    Action.CONTENT_WRITE: Permitting(
        (f"{REGISTRIES}/push/write",), f"{REGISTRIES}/repositories/content/write", ("content/write",)
    ),
    Action.DELETED_LIST: Permitting((f"{REGISTRIES}/deleted/read",), f"{REGISTRIES}/catalog/read", ()),
    Action.DELETED_READ: Permitting((f"{REGISTRIES}/deleted/read",), f"{REGISTRIES}/repositories/content/delete", ()),
    Action.DELETED_RESTORE: Permitting(
        (f"{REGISTRIES}/deleted/restore/action",), f"{REGISTRIES}/repositories/content/delete", ()
    ),
    Action.METADATA_READ: Permitting(
        (f"{REGISTRIES}/pull/read", f"{REGISTRIES}/metadata/read"),
        f"{REGISTRIES}/repositories/metadata/read",
        ("metadata/read",),
    ),
    Action.METADATA_WRITE: Permitting(
        (f"{REGISTRIES}/metadata/write",), f"{REGISTRIES}/repositories/metadata/write", ("metadata/write",)
    ),
    Action.TAG_DELETE: Permitting(
        (f"{REGISTRIES}/artifacts/delete",),
        f"{REGISTRIES}/repositories/metadata/delete",
        ("content/delete", "metadata/write"),
    ),
}


def names_nothing(pattern: str, operations: tuple[str, ...]) -> bool:
    """Whether a custom role's pattern is of our provider and none of these operations, so that it can only be an error.

    Patterns of other providers stay: roles are copied from Azure with them, and here they permit nothing.
    """
    ours = pattern.lower().startswith(f"{PROVIDER.lower()}/")
    return ours and not any(names_operation(pattern, operation) for operation in operations)
