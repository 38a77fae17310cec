"""What would permit it: the smallest built-in role that does, or an entry of a scope map, as commands of az."""

import shlex
from typing import Final

from entrepot.access.builtin_roles import BUILT_IN_ROLES
from entrepot.access.conditions import REPOSITORY_NAME
from entrepot.access.definitions import Mode, RoleDefinition
from entrepot.access.explaining.acts import Act
from entrepot.access.explaining.queries import MapOfToken, Named
from entrepot.access.operations import ACTIONS, DATA_ACTIONS, REGISTRIES
from entrepot.access.rights import Where
from entrepot.access.roles import permits_on_data_plane

_ROLES_ARE_MORE: Final = ("Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/locks/delete")


def role_for(act: Act | str, mode: Mode) -> RoleDefinition | None:
    """The one with the fewest other rights."""
    if isinstance(act, Act):
        fitting = [role for role in BUILT_IN_ROLES.values() if permits_on_data_plane(role, act.permitting, mode)]
    else:
        fitting = [role for role in BUILT_IN_ROLES.values() if role.permits(act)]
    return min(fitting, key=_weight, default=None)


def _weight(role: RoleDefinition) -> int:
    control = sum(role.permits(operation) for operation in (*ACTIONS, *_ROLES_ARE_MORE))
    return control + sum(role.permits_data(operation) for operation in DATA_ACTIONS)


def role_command(named: Named, act: Act | str, where: Where, repository: str | None) -> list[str]:
    """An assignment on the registry; where its mode has conditions, for the one repository alone."""
    role = role_for(act, where.mode)
    if role is None:
        return []
    words = ["az", "role", "assignment", "create", "--assignee-object-id", named.id]
    words += ["--assignee-principal-type", named.kind, "--role", role.name, "--scope", where.scope]
    if isinstance(act, Act) and act.is_on_repository and where.mode is Mode.ABAC and repository is not None:
        condition = condition_for(role, repository)
        words += ["--condition", condition, "--condition-version", "2.0"] if condition else []
    return [shlex.join(words)]


def condition_for(role: RoleDefinition, repository: str) -> str:
    """The role's data actions on repositories in this one only; empty where it has none."""
    operations = [each for each in DATA_ACTIONS if each.startswith(f"{REGISTRIES}/repositories/")]
    guards = [f"!(ActionMatches{{'{each}'}})" for each in operations if role.permits_data(each)]
    return f"(({' AND '.join(guards)}) OR ({REPOSITORY_NAME} StringEqualsIgnoreCase '{repository}'))" if guards else ""


def token_commands(
    token: Named, scope_map: MapOfToken | None, act: Act | str, registry: str, repository: str | None
) -> list[str]:
    """An entry more in the token's scope map, or a scope map of its own where it has none or one of the system's."""
    verbs = act.permitting.scope_map if isinstance(act, Act) else ()
    if not verbs or repository is None:
        return []
    of = ["--registry", registry]
    if scope_map is not None and not scope_map.is_system:
        words = ["az", "acr", "scope-map", "update", *of, "--name", scope_map.name]
        return [shlex.join([*words, "--add-repository", repository, verbs[0]])]
    name = f"{token.name}-scope-map"
    make = ["az", "acr", "scope-map", "create", *of, "--name", name, "--repository", repository, verbs[0]]
    give = ["az", "acr", "token", "update", *of, "--name", token.name, "--scope-map", name]
    return [shlex.join(make), shlex.join(give)]
