"""What a cache rule may be: its source, its target, and how it goes with other rules. Source: ACR-REFERENCE 8.8."""

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from entrepot.caching.model import Rule, is_wildcard
from entrepot.errors import Kind, Problem
from entrepot.gate.hosts import DEFAULT_REGISTRY
from entrepot.oci.reference import REPOSITORY_NAME_LIMIT, RepositoryName, parse_repository
from entrepot.remote.place import HOST_RULE, RemotePlace, parse_host

# ACR-REFERENCE 2.1.
_NAME: Final = re.compile(r"[A-Za-z0-9-]{5,50}")
SOURCE: Final = "properties.sourceRepository"
TARGET: Final = "properties.targetRepository"
LOGIN_SERVER: Final = "properties.loginServer"
_SOURCE_RULE: Final = (
    "it is the host of another registry and a repository there in lower case, without a tag, such as "
    "docker.io/library/alpine; or with a wildcard at the end, docker.io/library/* or docker.io/*"
)
_TARGET_RULE: Final = "it is the name of a repository in lower case, or PREFIX/*, or *"


class Source(NamedTuple):
    """``path``: a repository there, or what repositories begin with and ``/*``, or ``*``."""

    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


def invalid(target: str, reason: str) -> Problem:
    return Problem(Kind.RESOURCE_INVALID, target=target, reason=reason)


def expect_name(name: str, what: str) -> None:
    """Raises NAME_INVALID. ``what``: as a sentence begins with it."""
    if _NAME.fullmatch(name) is None:
        raise Problem(Kind.NAME_INVALID, name=name[:64], reason=f"{what} has 5 to 50 letters, digits and -.")


def parse_login_server(text: str) -> str:
    """The host that a credential set is for. Raises RESOURCE_INVALID."""
    try:
        return parse_host(text)
    except ValueError as error:
        raise invalid(LOGIN_SERVER, str(error)) from None


def parse_source(text: str) -> Source:
    """An official image of Docker Hub gets the ``library/`` that it lies in. Raises RESOURCE_INVALID."""
    before, _, path = text.strip().partition("/")
    try:
        host = parse_host(before)
    except ValueError:
        raise invalid(SOURCE, f"{_SOURCE_RULE}; {HOST_RULE.partition(',')[0]}") from None
    _expect_path(path, SOURCE, _SOURCE_RULE)
    return Source(host, path if is_wildcard(path) else RemotePlace.of(host, RepositoryName(path)).repository)


def parse_target(text: str) -> str:
    """Raises RESOURCE_INVALID."""
    _expect_path(text, TARGET, _TARGET_RULE)
    return text


def _expect_path(path: str, member: str, rule: str) -> None:
    repository = path.removesuffix("/*")
    try:
        if path != "*":
            parse_repository(repository)
    except Problem:
        raise invalid(member, f"'{path[:128]}' is none: {rule}") from None
    if len(path) > REPOSITORY_NAME_LIMIT:
        raise invalid(member, f"it has at most {REPOSITORY_NAME_LIMIT} characters")


def expect_pair(source: Source, target: str) -> None:
    """Raises RESOURCE_INVALID: what the wildcard stands for at the source is what it stands for here."""
    if is_wildcard(source.path) and not is_wildcard(target):
        raise invalid(TARGET, f"the source '{source}' ends with a wildcard, so the target does: PREFIX/* or *")
    if is_wildcard(target) and not is_wildcard(source.path):
        raise invalid(SOURCE, f"the target '{target}' ends with a wildcard, so the source does: {source.host}/*")


def expect_elsewhere(host: str, login_server: Callable[[str], str]) -> None:
    """Raises RESOURCE_INVALID for a registry of this deployment: what lies here is copied, not cached.

    ``login_server``: of a registry, by its name.
    """
    domain = login_server("any").partition(".")[2]
    ours = {domain, login_server(host.partition(".")[0]), login_server(DEFAULT_REGISTRY)}
    if host.removesuffix(":443") in map(str.lower, ours):
        reason = f"'{host}' is a registry of this deployment: import the images that you need, az acr import"
        raise invalid(SOURCE, reason)


def overlaps(target: str, other: str) -> bool:
    """Whether two rules with these targets are in each other's way. One repository may lie inside a wildcard."""
    if is_wildcard(target) and is_wildcard(other):
        one, two = target.removesuffix("*"), other.removesuffix("*")
        return one.startswith(two) or two.startswith(one)
    return target == other


def expect_free(target: str, rules: Iterable[Rule]) -> None:
    """Raises RESOURCE_EXISTS when one of the registry's rules is in the way."""
    for rule in rules:
        if overlaps(target, rule.target):
            kind = "cache rule with a wildcard" if is_wildcard(rule.target) else "cache rule"
            reason = f"There is already a {kind} for that target: '{rule.name}' has '{rule.target}'."
            raise Problem(Kind.RESOURCE_EXISTS, code="CacheRuleTargetInUse", reason=reason)
