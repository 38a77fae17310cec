"""Every request that a run may make of the engine. What is not in the table is refused.

Source: Docker Engine API 1.41. Not here, among others: plugins, swarm, events, ``/system/df``, changes of a container's
resources.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, unquote

from entrepot.tasks.engines.docker.proxy import executions, images, networks
from entrepot.tasks.engines.docker.proxy.model import Asked, Json, Passed, Refused, Run

# Each takes the run, the request and what stands in its path.
Rule: TypeAlias = Callable[..., Passed]

_VERSION: Final = re.compile(r"/v1\.([0-9]{1,3})(/.*)")
# Below it, a start could change what was permitted at the creation.
OLDEST: Final = 24
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_.:@+-]+)+")
_EMPTY: Final = frozenset({"", "0", "null", "[]", "{}", "false"})
_QUERY_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Route:
    """``query``: what may be given; the rest has to be empty. ``reads``: the body is JSON, and part of the decision."""

    method: str
    path: re.Pattern[str]
    rule: Rule
    query: frozenset[str]
    reads: bool = False


def _route(method: str, path: str, rule: Rule, query: str = "", *, reads: bool = False) -> Route:
    """``{x}`` is one segment, ``{x+}`` one or more."""
    pattern = re.sub(r"\{[a-z]+\}", "([^/]+)", re.sub(r"\{[a-z]+\+\}", "(.+)", path))
    return Route(method, re.compile(pattern), rule, frozenset(query.split()), reads)


def _as_it_is(_run: Run, asked: Asked, *_: str) -> Passed:
    return Passed(asked.path, asked.pairs())


_BUILD: Final = """
t version session remote buildargs labels target platform nocache pull q rm forcerm dockerfile networkmode buildid
cachefrom squash shmsize extrahosts outputs memory memswap cpuperiod cpuquota
"""

ROUTES: Final = (
    _route("GET", "/_ping", _as_it_is),
    _route("HEAD", "/_ping", _as_it_is),
    _route("GET", "/version", _as_it_is),
    _route("GET", "/info", executions.about),
    _route("POST", "/auth", executions.sign_in, reads=True),
    _route("GET", "/plugins/{name+}/json", executions.no_plugin),
    _route("GET", "/distribution/{image+}/json", _as_it_is),
    # containers
    _route("POST", "/containers/create", executions.create, "name platform", reads=True),
    _route("GET", "/containers/json", executions.listed, "all limit size filters"),
    _route("POST", "/containers/prune", networks.prune, "filters"),
    _route("GET", "/containers/{id}/json", executions.container, "size"),
    _route("GET", "/containers/{id}/top", executions.container, "ps_args"),
    _route("GET", "/containers/{id}/changes", executions.streamed),
    _route(
        "GET", "/containers/{id}/logs", executions.streamed, "follow stdout stderr since until timestamps tail details"
    ),
    _route("GET", "/containers/{id}/stats", executions.streamed, "stream one-shot"),
    _route("GET", "/containers/{id}/export", executions.streamed),
    _route("POST", "/containers/{id}/start", executions.container, "detachKeys"),
    _route("POST", "/containers/{id}/stop", executions.container, "t signal"),
    _route("POST", "/containers/{id}/restart", executions.container, "t signal"),
    _route("POST", "/containers/{id}/kill", executions.container, "signal"),
    _route("POST", "/containers/{id}/pause", executions.container),
    _route("POST", "/containers/{id}/unpause", executions.container),
    _route("POST", "/containers/{id}/resize", executions.container, "h w"),
    _route("POST", "/containers/{id}/wait", executions.wait, "condition"),
    _route("POST", "/containers/{id}/rename", executions.rename, "name"),
    _route("POST", "/containers/{id}/attach", executions.hijacked, "logs stream stdin stdout stderr detachKeys"),
    _route("DELETE", "/containers/{id}", executions.remove, "v force"),
    _route("HEAD", "/containers/{id}/archive", executions.container, "path"),
    _route("GET", "/containers/{id}/archive", executions.streamed, "path"),
    _route("PUT", "/containers/{id}/archive", executions.streamed, "path noOverwriteDirNonDir copyUIDGID"),
    _route("POST", "/containers/{id}/exec", executions.prepare, reads=True),
    _route("POST", "/exec/{id}/start", executions.start, reads=True),
    _route("POST", "/exec/{id}/resize", executions.execution, "h w"),
    _route("GET", "/exec/{id}/json", executions.execution),
    _route("POST", "/commit", images.commit, "container repo tag comment author pause changes", reads=True),
    # networks and volumes
    _route("GET", "/networks", networks.list_networks, "filters"),
    _route("POST", "/networks/create", networks.create_network, reads=True),
    _route("POST", "/networks/prune", networks.prune, "filters"),
    _route("GET", "/networks/{name}", networks.inspect_network, "verbose"),
    _route("DELETE", "/networks/{name}", networks.remove_network),
    _route("POST", "/networks/{name}/connect", networks.connect, reads=True),
    _route("POST", "/networks/{name}/disconnect", networks.disconnect, reads=True),
    _route("GET", "/volumes", networks.list_volumes, "filters"),
    _route("POST", "/volumes/create", networks.create_volume, reads=True),
    _route("POST", "/volumes/prune", networks.prune, "filters"),
    _route("GET", "/volumes/{name}", networks.inspect_volume),
    _route("DELETE", "/volumes/{name}", networks.remove_volume, "force"),
    # images and builds
    _route("GET", "/images/json", images.listed, "all filters digests"),
    _route("POST", "/images/create", images.pull, "fromImage fromSrc repo tag message platform changes"),
    _route("POST", "/images/load", images.load, "quiet"),
    _route("GET", "/images/get", images.save, "names"),
    _route("GET", "/images/{name+}/get", images.save),
    _route("GET", "/images/{name+}/json", images.inspect),
    _route("GET", "/images/{name+}/history", images.history),
    _route("POST", "/images/{name+}/push", images.push, "tag"),
    _route("POST", "/images/{name+}/tag", images.tag, "repo tag"),
    _route("DELETE", "/images/{name+}", images.remove, "force noprune"),
    _route("POST", "/build", images.build, _BUILD),
    _route("POST", "/build/cancel", _as_it_is, "id"),
    _route("POST", "/session", executions.session),
    _route("POST", "/grpc", executions.buildkit),
)


@dataclass(frozen=True, slots=True)
class Target:
    """A request's first line, read. ``version``: as it came, such as /v1.41; the engine is told the same."""

    version: str
    asked: Asked
    route: Route
    words: tuple[str, ...]  # what stands in the path

    def passed(self, run: Run, body: Json) -> Passed:
        """Raises Refused."""
        return self.route.rule(run, replace(self.asked, body=body), *self.words)


def find(method: str, target: str) -> Target:
    """Raises Refused."""
    path, _, query = target.partition("?")
    version, rest = _versioned(path)
    for route in ROUTES:
        if route.method == method and (found := route.path.fullmatch(rest)):
            return Target(version, Asked(method, rest, _query(query, route)), route, found.groups())
    raise Refused(f"a run may not ask the engine for {method} {rest[:200]}")


def _versioned(path: str) -> tuple[str, str]:
    """A name has no sign that would have to be escaped, so what goes on is what was looked at."""
    plain = unquote(path)
    if _PATH.fullmatch(plain) is None or {".", ".."} & set(plain.split("/")):
        raise Refused(f"{path[:200]!r} is no path of the engine", HTTPStatus.BAD_REQUEST)
    if found := _VERSION.fullmatch(plain):
        if int(found[1]) < OLDEST:
            raise Refused(f"the version of the API is too old: 1.{OLDEST} at least", HTTPStatus.BAD_REQUEST)
        return f"/v1.{found[1]}", found[2]
    return "", plain


def _query(text: str, route: Route) -> Mapping[str, tuple[str, ...]]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_QUERY_LIMIT, errors="strict")
    except ValueError as error:
        raise Refused(f"the query: {error}", HTTPStatus.BAD_REQUEST) from None
    given: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        if name in route.query:
            given[name] = (*given.get(name, ()), value)
        elif value not in _EMPTY:
            raise Refused(f"a run may not give {name[:80]}={value[:80]} here")
    return given
