"""What changes of the directory are called in the audit log. Source: Microsoft Entra, "Microsoft Entra permissions"."""

from enum import StrEnum


class Operation(StrEnum):
    """As Entra names the permission for it."""

    APPLICATION_CREATE = "microsoft.directory/applications/create"
    APPLICATION_CREDENTIALS = "microsoft.directory/applications/credentials/update"
    APPLICATION_DELETE = "microsoft.directory/applications/delete"
    APPLICATION_UPDATE = "microsoft.directory/applications/allProperties/update"
    GROUP_CREATE = "microsoft.directory/groups/create"
    GROUP_DELETE = "microsoft.directory/groups/delete"
    GROUP_MEMBERS = "microsoft.directory/groups/members/update"
    MANAGED_IDENTITY_CREATE = "Microsoft.ManagedIdentity/userAssignedIdentities/write"
    SERVICE_PRINCIPAL_CREATE = "microsoft.directory/servicePrincipals/create"
    SERVICE_PRINCIPAL_DELETE = "microsoft.directory/servicePrincipals/delete"
    SERVICE_PRINCIPAL_UPDATE = "microsoft.directory/servicePrincipals/allProperties/update"
    USER_AUTHENTICATION_CREATE = "microsoft.directory/users/authenticationMethods/create"
    USER_AUTHENTICATION_DELETE = "microsoft.directory/users/authenticationMethods/delete"
    USER_CREATE = "microsoft.directory/users/create"
    USER_DELETE = "microsoft.directory/users/delete"
    USER_DISABLE = "microsoft.directory/users/disable"
    USER_ENABLE = "microsoft.directory/users/enable"
    USER_REVOKE = "microsoft.directory/users/invalidateAllRefreshTokens"
    USER_PASSWORD = "microsoft.directory/users/password/update"  # noqa: S105  an operation's name
    USER_UPDATE = "microsoft.directory/users/allProperties/update"
