"""Route tables: data that says which request goes to which handler under which permission.

A path pattern holds ``{name}`` for one segment; ``{repository}`` may span several. What is not in a table is not
served. The permission has no default, so that a route without one cannot be written.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from entrepot.errors import Kind, Problem
from entrepot.web.rates import Pool

H = TypeVar("H")
A = TypeVar("A")

_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_SPANNING: Final = "repository"


@dataclass(frozen=True, slots=True)
class Route(Generic[H, A]):
    """One row: a GET row serves HEAD as well. ``pools``: the request rates that it counts against."""

    method: str
    path: str
    handler: H
    access: A
    pools: tuple[Pool, ...] = ()


class RouteTable(Generic[H, A]):
    """Rows compiled for look-up. Rows of one path stand behind one expression, in the order given.

    ``flags``: ``re.IGNORECASE`` where paths are the same in any case, as those of the management API are.
    """

    def __init__(self, routes: Iterable[Route[H, A]], flags: re.RegexFlag = re.NOFLAG) -> None:
        self.routes = tuple(routes)
        self._paths: list[tuple[re.Pattern[str], dict[str, Route[H, A]]]] = []
        by_path: dict[str, dict[str, Route[H, A]]] = {}
        for route in self.routes:
            if route.path not in by_path:
                by_path[route.path] = {}
                self._paths.append((_compile(route.path, flags), by_path[route.path]))
            by_path[route.path][route.method] = route

    def find(self, method: str, path: str) -> tuple[Route[H, A], dict[str, str]]:
        """The row and its still encoded parameters. Raises ROUTE_UNKNOWN, METHOD_NOT_ALLOWED."""
        wanted = "GET" if method == "HEAD" else method
        for pattern, methods in self._paths:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            route = methods.get(wanted)
            if route is None:
                raise Problem(Kind.METHOD_NOT_ALLOWED, allowed=", ".join(sorted(methods)))
            return route, match.groupdict()
        raise Problem(Kind.ROUTE_UNKNOWN)


def _compile(path: str, flags: re.RegexFlag) -> re.Pattern[str]:
    parts = _PARAMETER.split(path)
    literal, names = parts[::2], parts[1::2]
    pattern = re.escape(literal[0])
    for name, text in zip(names, literal[1:], strict=True):
        segments = ".*" if name == _SPANNING else r"[^/\n]+"
        pattern += f"(?P<{name}>{segments}){re.escape(text)}"
    return re.compile(pattern, flags)
