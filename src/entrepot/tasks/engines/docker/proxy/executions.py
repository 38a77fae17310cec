"""Containers of a run as they live: created, listed, asked, entered, removed. Source: Docker Engine API 1.41."""

from http import HTTPStatus
from typing import Final

import msgspec

from entrepot.tasks.engines.docker.proxy import filters, podman
from entrepot.tasks.engines.docker.proxy.bodies import Body, read, written
from entrepot.tasks.engines.docker.proxy.containers import creation
from entrepot.tasks.engines.docker.proxy.model import (
    Asked,
    Flavor,
    Json,
    Manner,
    Passed,
    Refused,
    Run,
    engine_name,
)

# What is told of the machine: what clients decide by.
_ABOUT: Final = frozenset(
    {
        "ID", "OSType", "Architecture", "OperatingSystem", "ServerVersion", "IndexServerAddress", "Driver", "NCPU",
        "MemTotal", "MemoryLimit", "SwapLimit", "PidsLimit", "CgroupVersion", "Isolation", "SecurityOptions",
        "OomKillDisable", "CpuCfsPeriod", "CpuCfsQuota", "CPUShares", "CPUSet", "IPv4Forwarding", "BridgeNfIptables",
        "BridgeNfIp6tables", "KernelVersion",
    }
)  # fmt: skip
# Of the driver's status the rest are names of disks and folders.
_STORE: Final = "driver-type"


class _Engine(msgspec.Struct, rename="pascal"):
    driver_status: list[tuple[str, str]] | None = None


class Credentials(Body, frozen=True):
    """Docker's clients write these in lower case."""

    username: str = msgspec.field(name="username", default="")
    password: str = msgspec.field(name="password", default="")
    auth: str = msgspec.field(name="auth", default="")
    email: str = msgspec.field(name="email", default="")
    serveraddress: str = msgspec.field(name="serveraddress", default="")
    identitytoken: str = msgspec.field(name="identitytoken", default="")
    registrytoken: str = msgspec.field(name="registrytoken", default="")


class Execution(Body, frozen=True):
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    detach_keys: str = ""
    detach: bool = False
    tty: bool = False
    env: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    console_size: tuple[int, ...] = ()


class Start(Body, frozen=True):
    detach: bool = False
    tty: bool = False
    console_size: tuple[int, ...] = ()


def about(run: Run, _asked: Asked) -> Passed:
    def short(body: bytes) -> bytes:
        told = msgspec.json.decode(body, type=Json)
        known = {name: value for name, value in told.items() if name in _ABOUT}
        return msgspec.json.encode(known | {"Name": run.name, "DriverStatus": _store(told)})

    return Passed("/info", answer=short)


def _store(told: Json) -> list[tuple[str, str]]:
    """Whether containerd keeps the images: Cloud Native Buildpacks then leave out no layer that the engine has."""
    status = msgspec.convert(told, _Engine).driver_status or []
    return [pair for pair in status if pair[0] == _STORE]


def sign_in(_run: Run, asked: Asked) -> Passed:
    return Passed("/auth", body=written(read(Credentials, asked.body)))


def create(run: Run, asked: Asked) -> Passed:
    """One without a name is given one, so that the run may call it by that."""
    name = asked.one("name").removeprefix("/") or run.new_name()
    query = [("name", engine_name(run.name, name))]
    if platform := asked.one("platform"):
        query.append(("platform", platform))
    try:
        return Passed("/containers/create", tuple(query), creation(run, asked.body, name))
    except Refused as refused:
        # Clients take "not found" for the image here, and pull it.
        status = HTTPStatus.BAD_REQUEST if refused.status == HTTPStatus.NOT_FOUND else refused.status
        raise Refused(refused.message, status) from None


def listed(run: Run, asked: Asked) -> Passed:
    query = tuple((name, value) for name, value in asked.pairs() if name != "filters")
    return Passed("/containers/json", (*query, filters.own(run, asked)))


def container(run: Run, asked: Asked, reference: str) -> Passed:
    return Passed(_of_a_container(run, asked, reference), asked.pairs())


def streamed(run: Run, asked: Asked, reference: str) -> Passed:
    return Passed(_of_a_container(run, asked, reference), asked.pairs(), manner=Manner.STREAM)


def hijacked(run: Run, asked: Asked, reference: str) -> Passed:
    return Passed(_of_a_container(run, asked, reference), asked.pairs(), manner=Manner.HIJACK)


def wait(run: Run, asked: Asked, reference: str) -> Passed:
    if run.flavor is Flavor.PODMAN:
        return podman.wait(run, run.container(reference), asked.one("condition"))
    return streamed(run, asked, reference)


def rename(run: Run, asked: Asked, reference: str) -> Passed:
    name = engine_name(run.name, asked.one("name").removeprefix("/"))
    return Passed(_of_a_container(run, asked, reference), (("name", name),))


def remove(run: Run, asked: Asked, reference: str) -> Passed:
    """With its nameless volumes: nothing else would ever find them."""
    query = {"v": "1"} | ({"force": asked.one("force")} if asked.one("force") else {})
    return Passed(f"/containers/{run.container(reference)}", tuple(query.items()))


def prepare(run: Run, asked: Asked, reference: str) -> Passed:
    given = written(read(Execution, asked.body))
    given.pop("ConsoleSize", None)
    return Passed(_of_a_container(run, asked, reference), body=given)


def start(run: Run, asked: Asked, identifier: str) -> Passed:
    given = read(Start, asked.body)
    manner = Manner.CALL if given.detach else Manner.HIJACK
    body: Json = {"Detach": given.detach, "Tty": given.tty}
    return Passed(f"/exec/{run.execution(identifier)}/start", body=body, manner=manner)


def execution(run: Run, asked: Asked, identifier: str) -> Passed:
    return Passed(f"/exec/{run.execution(identifier)}{_last(asked)}", asked.pairs())


def session(run: Run, _asked: Asked) -> Passed:
    """What a build asks of its client: files, log-ins, secrets. The engine calls; the client serves."""
    if run.flavor is Flavor.PODMAN:
        raise Refused("this engine is podman, which has no BuildKit: build without DOCKER_BUILDKIT=1")
    return Passed("/session", manner=Manner.HIJACK)


def buildkit(run: Run, _asked: Asked) -> Passed:
    """BuildKit's own interface, which buildx uses. It cannot be looked into: there a build may ask for entitlements."""
    if not run.grpc:
        raise Refused(
            "BuildKit's own interface is closed to runs, because this engine would let a build into the machine's"
            " network: see builder.entitlements in the guide to engines, or build with DOCKER_BUILDKIT=0"
        )
    return Passed("/grpc", manner=Manner.HIJACK)


def no_plugin(_run: Run, _asked: Asked, name: str) -> Passed:
    """``docker inspect`` asks for one of this name at last."""
    raise Refused(f"plugin {name!r} not found", HTTPStatus.NOT_FOUND)


def _of_a_container(run: Run, asked: Asked, reference: str) -> str:
    return f"/containers/{run.container(reference)}{_last(asked)}"


def _last(asked: Asked) -> str:
    return "/" + asked.path.rpartition("/")[2]
