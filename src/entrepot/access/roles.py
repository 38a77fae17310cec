"""Roles as rights. One function answers what a principal may do in a registry, and why (DESIGN D9).

On the data plane a registry's mode says what counts (ACR-REFERENCE 5.1): control actions in LegacyRegistryPermissions,
where an assignment with a condition gives nothing; data actions and conditions in AbacRepositoryPermissions. Nothing
is permitted that no assignment permits, and none denies what another permits.
"""

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate
from typing import Final, NamedTuple

from entrepot.access.candidates import Candidates, read_condition
from entrepot.access.conditions import permits
from entrepot.access.definitions import Mode, RoleDefinition
from entrepot.access.model import Action, Considered, Decision
from entrepot.access.operations import PERMITTED_BY, Permitting
from entrepot.access.patterns import names_operation
from entrepot.access.restrictions import Gathered, Places, gather

_ANSWERS_REMEMBERED: Final = 10_000


class Assigned(NamedTuple):
    """A role that a principal has at a scope, under a condition, by itself or ``through`` a group of this name.

    A tuple, because a principal may have ten thousand.
    """

    role: RoleDefinition
    scope: str
    condition: str | None = None
    through: str | None = None


class RoleRights:
    """What a principal's assignments permit on the data plane of one registry, whose resource id is ``registry``.

    The first question reads the assignments, thousands of conditions of the common shape into a few sets; a question
    asked again is one look-up. The figures are in tests/unit/access/test_many_assignments.py.
    """

    def __init__(self, assigned: Iterable[Assigned], registry: str, mode: Mode) -> None:
        self._assigned = tuple(assigned)
        self._registry = registry
        self._mode = mode
        self._reach: dict[Action, _Reach] | None = None
        self._answers: dict[tuple[Action, str | None], bool] = {}

    def allow(self, action: Action, repository: str | None) -> bool:
        """Whether the action is permitted; ``repository`` is None for actions on the registry itself."""
        key = (action, repository)
        answer = self._answers.get(key)
        if answer is None:
            if self._reach is None:
                self._reach = self._index()
            answer = self._reach[action].holds(repository)
            if len(self._answers) >= _ANSWERS_REMEMBERED:
                self._answers.clear()
            self._answers[key] = answer
        return answer

    def explain(self, action: Action, repository: str | None) -> Decision:
        """The same answer, with each assignment that was looked at."""
        return explain_act(self._assigned, self._registry, self._mode, PERMITTED_BY[action], repository)

    def _index(self) -> "dict[Action, _Reach]":
        reach = {action: _Reach(_operations(PERMITTED_BY[action], self._mode)[0]) for action in Action}
        for role, conditions in self._reaching():
            permitted = [
                reach[action] for action in Action if permits_on_data_plane(role, PERMITTED_BY[action], self._mode)
            ]
            if permitted and None in conditions:
                for found in permitted:
                    found.everywhere = True
            elif permitted and self._mode is Mode.ABAC:
                gathered = gather([condition for condition in conditions if condition is not None])
                for found in permitted:
                    found.add(gathered)
        return reach

    def _reaching(self) -> list[tuple[RoleDefinition, list[str | None]]]:
        """The roles that reach the registry, each once, with the conditions that it was given under."""
        roles: dict[str, RoleDefinition] = {}
        conditions: defaultdict[tuple[str, str], list[str | None]] = defaultdict(list)
        before: tuple[RoleDefinition | None, str] = (None, "")
        add = conditions["", ""].append
        for role, scope, condition, _ in self._assigned:
            # Thousands of one role at one scope: most are like the one before.
            if role is not before[0] or scope != before[1]:
                before = (role, scope)
                roles[role.id] = role
                add = conditions[role.id, scope].append
            add(condition)
        reaching: defaultdict[str, list[str | None]] = defaultdict(list)
        for (role_id, scope), given in conditions.items():
            if covers(scope, self._registry):
                reaching[role_id] += given
        return [(roles[role_id], given) for role_id, given in reaching.items()]


class _Reach:
    """Where one operation is permitted."""

    __slots__ = ("_candidates", "_others", "everywhere", "operation", "places")

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.everywhere = False
        self.places: list[Places] = []
        self._others: list[str] = []
        self._candidates: Candidates | None = None

    def add(self, gathered: Gathered) -> None:
        self._others += gathered.others
        for patterns, places in gathered.restricted.items():
            if any(names_operation(pattern, self.operation) for pattern in patterns):
                self.places.append(places)
            else:
                self.everywhere = True

    def holds(self, repository: str | None) -> bool:
        if self.everywhere or (repository is not None and any(repository in places for places in self.places)):
            return True
        if self._candidates is None:
            self._candidates = Candidates(self.operation, self._others)
        return self._candidates.hold(repository)


def explain_act(
    assigned: Iterable[Assigned], registry: str, mode: Mode, permitting: Permitting, repository: str | None
) -> Decision:
    """Whether these assignments permit an act on the data plane of a registry, with each that was looked at."""
    scope = registry if repository is None else f"{registry}, repository {repository}"
    considered = tuple(
        _considered(given, _objection(given, registry, mode, permitting, repository)) for given in assigned
    )
    return Decision(any(found.permits for found in considered), _operations(permitting, mode)[0], scope, considered)


def _objection(
    given: Assigned, registry: str, mode: Mode, permitting: Permitting, repository: str | None
) -> str | None:
    """Why an assignment does not permit the act, if it does not."""
    wanted = _operations(permitting, mode)
    if not covers(given.scope, registry):
        return "its scope does not reach the registry"
    if mode not in given.role.modes:
        return f"the role does not count on the data plane in the mode {mode.value}"
    if not permits_on_data_plane(given.role, permitting, mode):
        return f"the role does not permit {' or '.join(wanted)}"
    if given.condition is None:
        return None
    if mode is Mode.LEGACY:
        return f"it has a condition, and conditions need the mode {Mode.ABAC.value}"
    return _objection_of(given.condition, wanted[0], repository)


def manages(assigned: Iterable[Assigned], operation: str, resource_id: str) -> bool:
    """The answer of ``may_manage``, at the first assignment that permits it."""
    reaching: dict[tuple[str, str], bool] = {}
    for role, scope, condition, _ in assigned:
        reaches = reaching.get((role.id, scope))
        if reaches is None:
            reaches = covers(scope, resource_id) and role.permits(operation)
            reaching[role.id, scope] = reaches
        if reaches and (condition is None or _objection_of(condition, operation, None) is None):
            return True
    return False


def may_manage(assigned: Iterable[Assigned], operation: str, resource_id: str) -> Decision:
    """Whether these assignments permit a control action on a resource: ``Microsoft.ContainerRegistry/registries/write``
    and so on. A registry's mode does not matter to it, nor do data actions.
    """
    permitting: dict[str, bool] = {}
    considered: list[Considered] = []
    for given in assigned:
        role = given.role
        if role.id not in permitting:
            permitting[role.id] = role.permits(operation)
        if not covers(given.scope, resource_id):
            objection = "its scope does not reach the resource"
        elif not permitting[role.id]:
            objection = f"the role does not permit {operation}"
        else:
            objection = None if given.condition is None else _objection_of(given.condition, operation, None)
        considered.append(_considered(given, objection))
    return Decision(any(found.permits for found in considered), operation, resource_id, tuple(considered))


def covers(scope: str, resource_id: str) -> bool:
    """Whether an assignment at the scope reaches the resource. Resource ids compare without case; "/" is the root."""
    return scope.startswith("/") and scope.removesuffix("/").lower() in scopes_above(resource_id)


@lru_cache(maxsize=1024)
def scopes_above(resource_id: str) -> frozenset[str]:
    """The scopes that reach a resource, itself and the root among them, in lower case and without a final slash."""
    return frozenset(accumulate(resource_id.lower().split("/"), "{}/{}".format))


def _operations(permitting: Permitting, mode: Mode) -> tuple[str, ...]:
    """Of which one permits the act."""
    return permitting.classic if mode is Mode.LEGACY else (permitting.data,)


def permits_on_data_plane(role: RoleDefinition, permitting: Permitting, mode: Mode) -> bool:
    """Whether the role, given without a condition, permits the act in a registry of this mode."""
    allowed = role.permits if mode is Mode.LEGACY else role.permits_data
    return mode in role.modes and any(allowed(operation) for operation in _operations(permitting, mode))


def _considered(given: Assigned, objection: str | None) -> Considered:
    reason = objection or ("it permits this" if given.condition is None else "its condition holds")
    return Considered(f"role {given.role.name}", given.scope, objection is None, reason, given.through, given.condition)


def _objection_of(condition: str, operation: str, repository: str | None) -> str | None:
    """Why an assignment's condition does not let it permit the operation, if it does not."""
    read = read_condition(condition)
    if read is None:
        return "its condition cannot be read"
    return None if permits(read, operation, repository) else "its condition does not hold"
