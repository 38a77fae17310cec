"""A cache rule, which repositories it is for, and where each of them comes from. Source: ACR-REFERENCE 8.8."""

from collections.abc import Iterable
from typing import NamedTuple

from entrepot.oci.reference import RepositoryName
from entrepot.remote.place import RemotePlace


class Rule(NamedTuple):
    """``source``: ``HOST/REPOSITORY``, ``HOST/PATH/*`` or ``HOST/*``; ``target``: ``REPOSITORY``, ``PREFIX/*``, ``*``.

    Either both end with the wildcard or neither does.
    """

    id: int
    registry_id: int
    name: str
    host: str
    source: str
    target: str
    credential_set_id: int | None = None


def is_wildcard(path: str) -> bool:
    return path == "*" or path.endswith("/*")


def covers(rule: Rule, repository: str) -> bool:
    """Whether the repository, by its name here, is one that the rule fills."""
    if is_wildcard(rule.target):
        return repository.startswith(rule.target.removesuffix("*"))
    return repository == rule.target


def upstream_of(rule: Rule, repository: str) -> RemotePlace:
    """Where a repository that the rule covers comes from: what the wildcard stands for is the same on both sides."""
    path = rule.source.removeprefix(f"{rule.host}/")
    if is_wildcard(path):
        path = path.removesuffix("*") + repository.removeprefix(rule.target.removesuffix("*"))
    return RemotePlace.of(rule.host, RepositoryName(path))


def rule_for(rules: Iterable[Rule], repository: str) -> Rule | None:
    """Of a registry's rules: one for this repository alone, or else the one with a wildcard that covers it."""
    covering = (rule for rule in rules if covers(rule, repository))
    return min(covering, key=lambda rule: is_wildcard(rule.target), default=None)
