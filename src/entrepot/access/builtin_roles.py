"""Azure's built-in roles that concern a registry, under their own ids.

Source: ACR-REFERENCE 5.1; texts and permissions from Azure's "built-in roles" of June 2025 and July 2026. The two roles
that connected registries sync with are not here: their ids are not published.
"""

from typing import Final

from entrepot.access.definitions import Mode, Permission, RoleDefinition
from entrepot.access.operations import PROVIDER, REGISTRIES

_LEGACY: Final = frozenset({Mode.LEGACY})
_ABAC: Final = frozenset({Mode.ABAC})
_BOTH: Final = _LEGACY | _ABAC
# Roles of the control plane. What they may read ("*/read") is not what the registry holds.
_NEITHER: Final[frozenset[Mode]] = frozenset()

_READ_REPOSITORIES: Final = (
    f"{REGISTRIES}/repositories/metadata/read",
    f"{REGISTRIES}/repositories/content/read",
)
_WRITE_REPOSITORIES: Final = (
    *_READ_REPOSITORIES,
    f"{REGISTRIES}/repositories/metadata/write",
    f"{REGISTRIES}/repositories/content/write",
)
_DELETE_REPOSITORIES: Final = (
    *_WRITE_REPOSITORIES,
    f"{REGISTRIES}/repositories/metadata/delete",
    f"{REGISTRIES}/repositories/content/delete",
)
_DIAGNOSTICS: Final = (
    f"{REGISTRIES}/providers/Microsoft.Insights/diagnosticSettings/read",
    f"{REGISTRIES}/providers/Microsoft.Insights/diagnosticSettings/write",
    f"{REGISTRIES}/providers/Microsoft.Insights/logDefinitions/read",
    f"{REGISTRIES}/providers/Microsoft.Insights/metricDefinitions/read",
    "Microsoft.Insights/AlertRules/Write",
    "Microsoft.Insights/AlertRules/Delete",
    "Microsoft.Insights/AlertRules/Read",
    "Microsoft.Insights/AlertRules/Activated/Action",
    "Microsoft.Insights/AlertRules/Resolved/Action",
    "Microsoft.Insights/AlertRules/Throttled/Action",
    "Microsoft.Insights/AlertRules/Incidents/Read",
)
_CONFIGURATION_READ: Final = (
    f"{REGISTRIES}/operationStatuses/read",
    f"{REGISTRIES}/read",
    f"{REGISTRIES}/privateEndpointConnections/read",
    f"{REGISTRIES}/privateEndpointConnections/operationStatuses/read",
    f"{REGISTRIES}/listCredentials/action",
    f"{REGISTRIES}/tokens/read",
    f"{REGISTRIES}/tokens/operationStatuses/read",
    f"{REGISTRIES}/scopeMaps/read",
    f"{REGISTRIES}/scopeMaps/operationStatuses/read",
    f"{REGISTRIES}/webhooks/read",
    f"{REGISTRIES}/webhooks/getCallbackConfig/action",
    f"{REGISTRIES}/webhooks/listEvents/action",
    f"{REGISTRIES}/webhooks/operationStatuses/read",
    f"{REGISTRIES}/replications/read",
    f"{REGISTRIES}/replications/operationStatuses/read",
    f"{REGISTRIES}/connectedRegistries/read",
    *_DIAGNOSTICS,
)
_CONFIGURATION_WRITE: Final = (
    *_CONFIGURATION_READ,
    f"{REGISTRIES}/write",
    f"{REGISTRIES}/delete",
    f"{REGISTRIES}/regenerateCredential/action",
    f"{REGISTRIES}/generateCredentials/action",
    f"{REGISTRIES}/replications/write",
    f"{REGISTRIES}/replications/delete",
    f"{REGISTRIES}/privateEndpointConnectionsApproval/action",
    f"{REGISTRIES}/privateEndpointConnections/write",
    f"{REGISTRIES}/privateEndpointConnections/delete",
    f"{REGISTRIES}/tokens/write",
    f"{REGISTRIES}/tokens/delete",
    f"{REGISTRIES}/scopeMaps/write",
    f"{REGISTRIES}/scopeMaps/delete",
    f"{REGISTRIES}/connectedRegistries/write",
    f"{REGISTRIES}/connectedRegistries/delete",
    f"{REGISTRIES}/connectedRegistries/deactivate/action",
    f"{REGISTRIES}/webhooks/write",
    f"{REGISTRIES}/webhooks/delete",
    f"{REGISTRIES}/webhooks/ping/action",
    f"{PROVIDER}/locations/operationResults/read",
    "Microsoft.Authorization/*/read",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action",
    "Microsoft.Network/virtualNetworks/subnets/read",
    "Microsoft.Network/virtualNetworks/subnets/write",
    "Microsoft.Network/virtualNetworks/read",
    "Microsoft.Network/privateEndpoints/privateLinkServiceProxies/write",
)
_TASKS: Final = (
    f"{REGISTRIES}/agentpools/read",
    f"{REGISTRIES}/agentpools/write",
    f"{REGISTRIES}/agentpools/delete",
    f"{REGISTRIES}/agentpools/listQueueStatus/action",
    f"{REGISTRIES}/agentpools/operationResults/status/read",
    f"{REGISTRIES}/agentpools/operationStatuses/read",
    f"{REGISTRIES}/tasks/read",
    f"{REGISTRIES}/tasks/write",
    f"{REGISTRIES}/tasks/delete",
    f"{REGISTRIES}/tasks/listDetails/action",
    f"{REGISTRIES}/scheduleRun/action",
    f"{REGISTRIES}/listBuildSourceUploadUrl/action",
    f"{REGISTRIES}/runs/read",
    f"{REGISTRIES}/runs/write",
    f"{REGISTRIES}/runs/listLogSasUrl/action",
    f"{REGISTRIES}/runs/cancel/action",
    f"{REGISTRIES}/taskruns/read",
    f"{REGISTRIES}/taskruns/write",
    f"{REGISTRIES}/taskruns/delete",
    f"{REGISTRIES}/taskruns/listDetails/action",
    f"{REGISTRIES}/taskruns/operationStatuses/read",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    f"{REGISTRIES}/read",
)
_PIPELINES: Final = (
    f"{REGISTRIES}/exportPipelines/read",
    f"{REGISTRIES}/exportPipelines/write",
    f"{REGISTRIES}/exportPipelines/delete",
    f"{REGISTRIES}/importPipelines/read",
    f"{REGISTRIES}/importPipelines/write",
    f"{REGISTRIES}/importPipelines/delete",
    f"{REGISTRIES}/pipelineRuns/read",
    f"{REGISTRIES}/pipelineRuns/write",
    f"{REGISTRIES}/pipelineRuns/delete",
    f"{REGISTRIES}/pipelineRuns/operationStatuses/read",
)
_CONTRIBUTOR_MAY_NOT: Final = (
    "Microsoft.Authorization/*/Delete",
    "Microsoft.Authorization/*/Write",
    "Microsoft.Authorization/elevateAccess/Action",
    "Microsoft.Blueprint/blueprintAssignments/write",
    "Microsoft.Blueprint/blueprintAssignments/delete",
    "Microsoft.Compute/galleries/share/action",
    "Microsoft.Purview/consents/write",
    "Microsoft.Purview/consents/delete",
    "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
    "Microsoft.Subscription/cancel/action",
    "Microsoft.Subscription/enable/action",
)

OWNER: Final = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"

_ROLES: Final = (
    RoleDefinition(
        OWNER,
        "Owner",
        "Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.",
        (Permission(actions=("*",)),),
        _LEGACY,
    ),
    RoleDefinition(
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "Contributor",
        "Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC, manage "
        "assignments in Azure Blueprints, or share image galleries.",
        (Permission(actions=("*",), not_actions=_CONTRIBUTOR_MAY_NOT),),
        _LEGACY,
    ),
    RoleDefinition(
        "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        "Reader",
        "View all resources, but does not allow you to make any changes.",
        (Permission(actions=("*/read",)),),
        _LEGACY,
    ),
    RoleDefinition(
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "User Access Administrator",
        "Lets you manage user access to Azure resources.",
        (Permission(actions=("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*")),),
        _NEITHER,
    ),
    RoleDefinition(
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        "Role Based Access Control Administrator",
        "Manage access to Azure resources by assigning roles using Azure RBAC. This role does not allow you to manage "
        "access using other ways, such as Azure Policy.",
        (
            Permission(
                actions=(
                    "Microsoft.Authorization/roleAssignments/write",
                    "Microsoft.Authorization/roleAssignments/delete",
                    "*/read",
                    "Microsoft.Support/*",
                )
            ),
        ),
        _NEITHER,
    ),
    RoleDefinition(
        "7f951dda-4ed3-4680-a7ca-43fe172d538d",
        "AcrPull",
        "acr pull",
        (Permission(actions=(f"{REGISTRIES}/pull/read",)),),
        _LEGACY,
    ),
    RoleDefinition(
        "8311e382-0749-4cb8-b61a-304f252e45ec",
        "AcrPush",
        "acr push",
        (Permission(actions=(f"{REGISTRIES}/pull/read", f"{REGISTRIES}/push/write")),),
        _LEGACY,
    ),
    RoleDefinition(
        "c2f4ef07-c644-48eb-af81-4b1b4947fb11",
        "AcrDelete",
        "acr delete",
        (Permission(actions=(f"{REGISTRIES}/artifacts/delete",)),),
        _LEGACY,
    ),
    RoleDefinition(
        "6cef56e8-d556-48e5-a04f-b8e64114680f",
        "AcrImageSigner",
        "acr image signer",
        (Permission(actions=(f"{REGISTRIES}/sign/write",), data_actions=(f"{REGISTRIES}/trustedCollections/write",)),),
        _LEGACY,
    ),
    RoleDefinition(
        "cdda3590-29a3-44f6-95f2-9f980659eb04",
        "AcrQuarantineReader",
        "acr quarantine data reader",
        (
            Permission(
                actions=(f"{REGISTRIES}/quarantine/read",), data_actions=(f"{REGISTRIES}/quarantinedArtifacts/read",)
            ),
        ),
        _BOTH,
    ),
    RoleDefinition(
        "c8d4ff99-41c3-41a8-9f60-21dfdad59608",
        "AcrQuarantineWriter",
        "acr quarantine data writer",
        (
            Permission(
                actions=(f"{REGISTRIES}/quarantine/read", f"{REGISTRIES}/quarantine/write"),
                data_actions=(
                    f"{REGISTRIES}/quarantinedArtifacts/read",
                    f"{REGISTRIES}/quarantinedArtifacts/write",
                ),
            ),
        ),
        _BOTH,
    ),
    RoleDefinition(
        "b93aa761-3e63-49ed-ac28-beffa264f7ac",
        "Container Registry Repository Reader",
        "Allows for read access to Azure Container Registry repositories, but excluding catalog listing.",
        (Permission(data_actions=_READ_REPOSITORIES),),
        _ABAC,
    ),
    RoleDefinition(
        "2a1e307c-b015-4ebd-883e-5b7698a07328",
        "Container Registry Repository Writer",
        "Allows for read and write access to Azure Container Registry repositories, but excluding catalog listing.",
        (Permission(data_actions=_WRITE_REPOSITORIES),),
        _ABAC,
    ),
    RoleDefinition(
        "2efddaa5-3f1f-4df3-97df-af3f13818f4c",
        "Container Registry Repository Contributor",
        "Allows for read, write, and delete access to Azure Container Registry repositories, but excluding catalog "
        "listing.",
        (Permission(data_actions=_DELETE_REPOSITORIES),),
        _ABAC,
    ),
    RoleDefinition(
        "bfdb9389-c9a5-478a-bb2f-ba9ca092c3c7",
        "Container Registry Repository Catalog Lister",
        "Allows for listing all repositories in an Azure Container Registry.",
        (Permission(data_actions=(f"{REGISTRIES}/catalog/read",)),),
        _ABAC,
    ),
    RoleDefinition(
        "577a9874-89fd-4f24-9dbd-b5034d0ad23a",
        "Container Registry Data Importer and Data Reader",
        "Provides the ability to import images into a registry through the registry import operation. Provides the "
        "ability to list repositories, view images and tags, get manifests, and pull images. Does not provide "
        "permissions for importing images through configuring registry transfer pipelines such as import and export "
        "pipelines. Does not provide permissions for importing through configuring Artifact Cache or Sync rules.",
        (
            Permission(
                actions=(f"{REGISTRIES}/importImage/action", f"{REGISTRIES}/read", f"{REGISTRIES}/pull/read"),
                data_actions=(*_READ_REPOSITORIES, f"{REGISTRIES}/catalog/read"),
            ),
        ),
        _BOTH,
    ),
    RoleDefinition(
        "3bc748fc-213d-45c1-8d91-9da5725539b9",
        "Container Registry Contributor and Data Access Configuration Administrator",
        "Provides permissions to create, list, and update container registries and registry configuration properties. "
        "Provides permissions to configure data access such as admin user credentials, scope maps, and tokens, which "
        "can be used to read, write or delete repositories and images. Does not provide direct permissions to read, "
        "list, or write registry contents including repositories and images. Does not provide permissions to modify "
        "data plane content such as imports, Artifact Cache or Sync, and Transfer Pipelines. Does not provide "
        "permissions for managing Tasks.",
        (Permission(actions=_CONFIGURATION_WRITE),),
        _NEITHER,
    ),
    RoleDefinition(
        "69b07be0-09bf-439a-b9a6-e73de851bd59",
        "Container Registry Configuration Reader and Data Access Configuration Reader",
        "Provides permissions to list container registries and registry configuration properties. Provides permissions "
        "to list data access configuration such as admin user credentials, scope maps, and tokens, which can be used "
        "to read, write or delete repositories and images. Does not provide direct permissions to read, list, or write "
        "registry contents including repositories and images. Does not provide permissions to modify data plane "
        "content such as imports, Artifact Cache or Sync, and Transfer Pipelines. Does not provide permissions for "
        "managing Tasks.",
        (Permission(actions=_CONFIGURATION_READ),),
        _NEITHER,
    ),
    RoleDefinition(
        "fb382eab-e894-4461-af04-94435c366c3f",
        "Container Registry Tasks Contributor",
        "Provides permissions to configure, read, list, trigger, or cancel Container Registry Tasks, Task Runs, Task "
        "Logs, Quick Runs, Quick Builds, and Task Agent Pools. Permissions granted for Tasks management can be used "
        "for full registry data plane permissions including reading/writing/deleting container images in registries. "
        "Permissions granted for Tasks management can also be used to run customer authored build directives and run "
        "scripts to build software artifacts.",
        (Permission(actions=_TASKS),),
        _NEITHER,
    ),
    RoleDefinition(
        "bf94e731-3a51-4a7c-8c54-a1ab9971dfc1",
        "Container Registry Transfer Pipeline Contributor",
        "Provides the ability to transfer, import, and export artifacts through configuring registry transfer "
        "pipelines that involve intermediary storage accounts and key vaults. Does not provide permissions to push or "
        "pull images. Does not provide permissions to create, manage, or list storage accounts or key vaults. Does not "
        "provide permissions to perform role assignments.",
        (Permission(actions=_PIPELINES),),
        _NEITHER,
    ),
    RoleDefinition(
        "df87f177-bb12-4db1-9793-a413691eff94",
        "Container Registry Cache Rule Administrator",
        "Create, Read, Update, and Delete Cache Rules in Container Registry. This role doesn't grant permissions to "
        "manage Credential Sets.",
        (
            Permission(
                actions=(
                    f"{REGISTRIES}/cacheRules/read",
                    f"{REGISTRIES}/cacheRules/write",
                    f"{REGISTRIES}/cacheRules/delete",
                    f"{REGISTRIES}/cacheRules/operationStatuses/read",
                )
            ),
        ),
        _NEITHER,
    ),
    RoleDefinition(
        "c357b964-0002-4b64-a50d-7a28f02edc52",
        "Container Registry Cache Rule Reader",
        "Read the configuration of Cache Rules in Container Registry. This permission doesn't grant permission to "
        "read Credential Sets.",
        (Permission(actions=(f"{REGISTRIES}/cacheRules/read",)),),
        _NEITHER,
    ),
    RoleDefinition(
        "f094fb07-0703-4400-ad6a-e16dd8000e14",
        "Container Registry Credential Set Administrator",
        "Create, Read, Update, and Delete Credential Sets in Container Registry. This role doesn't affect the needed "
        "permissions for storing content inside Azure Key Vault. This role also doesn't grant permissions to manage "
        "Cache Rules.",
        (
            Permission(
                actions=(
                    f"{REGISTRIES}/credentialSets/read",
                    f"{REGISTRIES}/credentialSets/write",
                    f"{REGISTRIES}/credentialSets/delete",
                    f"{REGISTRIES}/credentialSets/operationStatuses/read",
                )
            ),
        ),
        _NEITHER,
    ),
    RoleDefinition(
        "29093635-9924-4f2c-913b-650a12949526",
        "Container Registry Credential Set Reader",
        "Read the configuration of Credential Sets in Container Registry. This permission doesn't allow permission to "
        "see content inside Azure Key vault only the content inside Container Registry. This permission doesn't grant "
        "permission to read Cache Rules.",
        (Permission(actions=(f"{REGISTRIES}/credentialSets/read",)),),
        _NEITHER,
    ),
)

# By id.
BUILT_IN_ROLES: Final[dict[str, RoleDefinition]] = {role.id: role for role in _ROLES}
