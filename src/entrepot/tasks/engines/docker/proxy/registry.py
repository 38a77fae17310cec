"""The run's registry, behind its socket: a step asks the worker, and the worker asks the registry.

A step's network may be none, and the registry may listen on loopback alone, where no container comes. So what the image
``acr`` needs is passed on: metadata and deletions, with whatever sign-in the step has, to the run's own registry and to
no other. The management API is out of reach.
"""

import re
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlencode

import h11

from entrepot.tasks.engines.docker.proxy.channel import Channel
from entrepot.tasks.engines.docker.proxy.model import Refused
from entrepot.tasks.engines.model import Asked, RunRegistry

PREFIX: Final = b"/registry/"
_LIMIT: Final = 4096
_NAME: Final = r"[a-z0-9]+(?:(?:[._-]+|/)[a-z0-9]+)*"
_ROUTES: Final = tuple(
    (frozenset(methods.split()), re.compile(path))
    for methods, path in (
        ("GET", "/acr/v1/_catalog"),
        ("GET", f"/acr/v1/{_NAME}/_(?:tags|manifests)"),
        ("PATCH DELETE", rf"/acr/v1/{_NAME}/_tags/[A-Za-z0-9_.-]+"),
        ("PATCH", rf"/acr/v1/{_NAME}/_manifests/[a-z0-9]+:[a-f0-9]+"),
        ("GET DELETE", rf"/v2/{_NAME}/manifests/[a-z0-9]+:[a-f0-9]+"),
    )
)
_QUERY: Final = frozenset({"n", "last", "orderby"})
_SENT: Final = frozenset({"authorization", "accept", "content-type"})
_TOLD: Final = frozenset({"content-type", "link", "docker-content-digest", "retry-after", "x-request-id"})


def pass_on(channel: Channel, request: h11.Request, registry: RunRegistry | None) -> bool:
    """Whether another request may follow. Raises Refused."""
    if registry is None:
        raise Refused("this run has no registry", HTTPStatus.NOT_FOUND)
    target = _target(request)
    body = channel.small_body()
    if body is None:
        raise Refused("the body is too long", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    given = {name.decode(): value.decode("latin-1") for name, value in request.headers}
    headers = {name: value for name, value in given.items() if name in _SENT}
    answer = registry.ask(Asked(request.method.decode(), target, headers, body))
    told = [(name, value) for name, value in answer.headers.items() if name in _TOLD]
    return channel.answer(answer.status, told, answer.body)


def _target(request: h11.Request) -> str:
    method, target = request.method.decode(), request.target.decode("latin-1").removeprefix("/registry")
    path, _, query = target.partition("?")
    is_known = any(method in methods and pattern.fullmatch(path) for methods, pattern in _ROUTES)
    if not is_known or len(target) > _LIMIT:
        raise Refused(f"a run may not ask its registry for {method} {path[:200]} here")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=len(_QUERY), errors="strict")
    except ValueError as error:
        raise Refused(f"the query: {error}", HTTPStatus.BAD_REQUEST) from None
    for name, _ in pairs:
        if name not in _QUERY:
            raise Refused(f"a run may not give {name[:80]} here")
    return f"{path}?{urlencode(pairs)}" if pairs else path
