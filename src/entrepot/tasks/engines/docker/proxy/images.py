"""Images: shared by all runs of an engine. A run may use each, and remove what it made or tagged itself.

Source: Docker Engine API 1.41.
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import msgspec

from entrepot.tasks.engines.docker.proxy.containers import image_change
from entrepot.tasks.engines.docker.proxy.filters import read as read_filters
from entrepot.tasks.engines.docker.proxy.model import Asked, Json, Manner, Passed, Refused, Run
from entrepot.tasks.engines.model import ACR_IMAGE

# What a build or an import tells of the image that it made; what a program prints has its quotes escaped there.
_MADE: Final = re.compile(rb'"(?:ID|status)":"(sha256:[0-9a-f]{64})"')
_LOADED: Final = re.compile(rb'"Loaded image(?: ID)?: ([^\s"\\]{1,300})[\s"\\]')
# A worker would take them for its own, and look into each before it does.
_OURS: Final = re.compile(rf"entrepot-machine[:@].*|{ACR_IMAGE}[:@].*")
_LONGEST: Final = 512
_ID: Final = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")
_NETWORKS_OF_BUILDS: Final = frozenset({"", "default", "none"})
_DOCKER_HUB: Final = ("docker.io/library/", "docker.io/", "index.docker.io/library/", "index.docker.io/")


class _Listed(msgspec.Struct, rename="pascal"):
    id: str
    repo_tags: list[str] | None = None


def familiar(image: str) -> str:
    """One spelling for each: ``docker.io/library/nginx`` is ``nginx:latest``."""
    for prefix in _DOCKER_HUB:
        image = image.removeprefix(prefix)
    tagged = ":" in image.rpartition("/")[2] or "@" in image
    return image if tagged or not image else f"{image}:latest"


class Watch:
    """Notes which images a stream says were made, wherever its pieces are cut."""

    def __init__(self, run: Run, pattern: re.Pattern[bytes] = _MADE) -> None:
        self._run, self._pattern, self._rest = run, pattern, b""

    def __call__(self, piece: bytes) -> None:
        text = self._rest + piece
        for found in self._pattern.finditer(text):
            self._run.made(found[1].decode(errors="replace"))
        self._rest = text[-_LONGEST:]


def pull(run: Run, asked: Asked) -> Passed:
    """Or import an archive, that the client sends; the engine fetches none for a run."""
    source, image, tag = asked.one("fromSrc"), asked.one("fromImage"), asked.one("tag")
    if source not in {"", "-"}:
        raise Refused("a run may not let the engine fetch an archive: import from a file, or from -")
    if source:
        _tag(run, asked.one("repo"), tag)
    elif image:
        run.pulled(_joined(image, tag))
    return Passed("/images/create", asked.pairs(), manner=Manner.STREAM, watch=Watch(run) if source else None)


def load(run: Run, asked: Asked) -> Passed:
    return Passed("/images/load", asked.pairs(), manner=Manner.STREAM, watch=Watch(run, _LOADED))


def push(run: Run, asked: Asked, image: str) -> Passed:
    """A run that reaches nothing has no other registry to send something to than its own and those of its list."""
    own = run.registry.server if run.registry is not None else ""
    if run.is_closed and image.partition("/")[0] != own:
        if run.gateway is None:
            raise Refused(f"this run may push to its own registry alone, {own or 'and has none'}: its egress is none")
        if not run.gateway.way.lists(*_registry_of(image)):
            raise Refused(f"refused by the run's egress list: the registry of {image[:200]}")
    return Passed(f"/images/{image}/push", asked.pairs(), manner=Manner.STREAM)


def tag(run: Run, asked: Asked, image: str) -> Passed:
    _tag(run, asked.one("repo"), asked.one("tag"))
    return Passed(f"/images/{image}/tag", asked.pairs())


def commit(run: Run, asked: Asked) -> Passed:
    _tag(run, asked.one("repo"), asked.one("tag"))
    query = tuple((key, value) for key, value in asked.pairs() if key != "container")
    container = ("container", run.container(asked.one("container")))
    watch = _noted_id(run)
    return Passed("/commit", (*query, container), body=image_change(asked.body), answer=watch)


def _noted_id(run: Run) -> Callable[[bytes], bytes]:
    def note(body: bytes) -> bytes:
        if found := re.search(rb'"Id":"(sha256:[0-9a-f]{64})"', body):
            run.made(found[1].decode())
        return body

    return note


def build(run: Run, asked: Asked) -> Passed:
    """By BuildKit (``version=2``) or the classic builder. A context comes from the client; the engine fetches none."""
    if asked.one("remote") not in {"", "client-session"}:
        raise Refused("a run may not let the engine fetch a build's context: only the client sends one")
    mode = _network(run, asked.one("networkmode"), asked.one("version"))
    for image in asked.query.get("t", ()):
        _named(run, image)
    forced = {"networkmode": mode, "rm": "1", "forcerm": "1"} | _limits(run) | _arguments(run, asked, mode)
    kept = tuple((key, value) for key, value in asked.pairs() if key not in forced)
    return Passed("/build", (*kept, *forced.items()), manner=Manner.STREAM, watch=Watch(run))


def _network(run: Run, mode: str, version: str) -> str:
    """Of the instructions of a build. BuildKit knows none but its own and none."""
    if mode in _NETWORKS_OF_BUILDS:
        return mode if not run.is_closed else _closed(run, mode, version)
    kind, _, of = mode.partition(":")
    if kind == "host":
        raise Refused("a run may not build in the network of the machine that it runs on")
    if version == "2":
        raise Refused(
            f"BuildKit cannot build in the network {mode[:200]}: only default and none", HTTPStatus.BAD_REQUEST
        )
    if kind == "container" and of:
        return f"container:{run.container(of)}"
    network = run.plain_network() if mode == "bridge" else run.network(mode)
    return network if not run.is_closed else _closed(run, mode, version)


def _closed(run: Run, mode: str, version: str) -> str:
    """No network, or the gateway's: it is in all of the run's, and asks nobody for names. A container that the builder
    makes for itself would ask the engine's name servers.
    """
    return "none" if run.gateway is None or mode == "none" or version == "2" else f"container:{run.gateway.container}"


def _arguments(run: Run, asked: Asked, mode: str) -> dict[str, str]:
    """With those that lead to the gateway: builders know them, and keep them out of the image and of its history."""
    if run.gateway is None or mode == "none":
        return {}
    try:
        given = msgspec.json.decode(asked.one("buildargs") or "{}", type=dict[str, str | None])
    except msgspec.MsgspecError as error:
        raise Refused(f"buildargs: {error}", HTTPStatus.BAD_REQUEST) from None
    arguments = given | run.gateway.variables(given, run.containers())
    return {"buildargs": msgspec.json.encode(arguments).decode()}


def _limits(run: Run) -> dict[str, str]:
    """Of the classic builder's containers; BuildKit has none."""
    limits: dict[str, str] = {}
    if run.allowance.memory is not None:
        limits |= {"memory": str(run.allowance.memory), "memswap": str(run.allowance.memory)}
    if run.allowance.cpus is not None:
        limits |= {"cpuperiod": "100000", "cpuquota": str(int(run.allowance.cpus * 100_000))}
    return limits


def remove(run: Run, asked: Asked, image: str) -> Passed:
    by_id = _ID.fullmatch(image) is not None
    if not run.may_remove(image if by_id else familiar(image)):
        raise Refused(f"{image} was not made in this run alone: images that were pulled belong to all runs")
    # By its id an image would lose the names that others gave it, if it were forced.
    query = tuple(pair for pair in asked.pairs() if not by_id or pair[0] != "force")
    return Passed(f"/images/{image}", query)


def inspect(_run: Run, asked: Asked, image: str) -> Passed:
    return Passed(f"/images/{image}/json", asked.pairs())


def history(_run: Run, asked: Asked, image: str) -> Passed:
    return Passed(f"/images/{image}/history", asked.pairs())


def save(_run: Run, asked: Asked) -> Passed:
    return Passed(asked.path, asked.pairs(), manner=Manner.STREAM)


def listed(run: Run, asked: Asked) -> Passed:
    """What the run made or pulled."""
    read_filters(asked)

    def own(body: bytes) -> bytes:
        rows = msgspec.json.decode(body, type=list[Json])
        return msgspec.json.encode([row for row in rows if _is_known(run, row)])

    return Passed("/images/json", asked.pairs(), answer=own)


def _is_known(run: Run, row: Json) -> bool:
    image = msgspec.convert(row, _Listed)
    return any(run.knows(name) for name in [*(image.repo_tags or ()), image.id])


def _tag(run: Run, repository: str, name: str) -> None:
    if repository:
        _named(run, _joined(repository, name))


def _named(run: Run, image: str) -> None:
    """The run gives an image this name. Raises Refused."""
    name = familiar(image)
    if _OURS.fullmatch(name):
        raise Refused(f"a run may not call an image {image[:200]}: the worker's own images are called so")
    run.made(name)


def _registry_of(image: str) -> tuple[str, int]:
    """Its host and port."""
    first, slash, _ = image.partition("/")
    if not slash or not (first == "localhost" or {".", ":"} & set(first)):
        return "docker.io", 443
    host, colon, port = first.partition(":")
    return host, int(port) if colon and port.isdecimal() else 443


def _joined(image: str, tag: str) -> str:
    if not tag:
        return image
    return f"{image}@{tag}" if tag.startswith("sha256:") else f"{image}:{tag}"
