"""What a container of a run may be: the body of a creation, read and written anew. Source: Docker Engine API 1.41.

A member that is not here cannot be set: privileges, capabilities, devices, namespaces of the host, security options,
runtimes, kernel settings, other containers' volumes.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated, Final, Literal

import msgspec

from entrepot.tasks.engines.docker.proxy.bodies import Body, read, written
from entrepot.tasks.engines.docker.proxy.model import OUR_LABELS, SOCKET, SOCKETS, Flavor, Json, Refused, Run
from entrepot.tasks.engines.model import ACR_IMAGE, Allowance

Natural = Annotated[int, msgspec.Meta(ge=0)]
# Of a container. Podman makes words of its own command line of these: with a colon or a comma they would say more. A
# client sends ``v:/v`` here, too, which it takes for a drive of Windows: names of volumes have two letters at least.
InnerPath = Annotated[str, msgspec.Meta(pattern=r"^/[^:,\x00]*$")]
_Words = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9=,._%-]*$")]
# What takes something from a container. And what would take SELinux's label from it, which Cloud Native Buildpacks say
# of each that has the socket: it is not passed on, and the container has the label of the run's steps.
_SecurityOption = Literal["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true", "label=disable"]
_UNLABELED: Final = "label=disable"
# ``keep-groups`` is podman's, for those of the engine.
_Group = Annotated[str, msgspec.Meta(pattern=r"^(?!keep-groups$)[A-Za-z0-9_.-]+$")]

# The output of what runs detached, or stays, is kept by the engine until it goes: no more than this of it.
LOG: Final[Json] = {"Type": "json-file", "Config": {"max-size": "64m", "max-file": "1"}}
# Whoever started it has its output, and then it is gone. To write each line down costs the engine a core at 3 MB/s.
NO_LOG: Final[Json] = {"Type": "none"}
# Whom containers of a closed run would ask for names that are none of the run's.
NOBODY: Final = "127.0.0.1"
_OWN_NETWORKS: Final = ("", "default", "bridge")
_VOLUME_OPTIONS: Final = frozenset({"nocopy", "ro", "rw", "z", "Z"})


class HealthCheck(Body, frozen=True):
    test: tuple[str, ...] = ()
    interval: Natural = 0
    timeout: Natural = 0
    retries: Natural = 0
    start_period: Natural = 0
    start_interval: Natural = 0


class Image(Body, frozen=True):
    """What an image says of its containers too: of a commit."""

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: dict[str, Json] = msgspec.field(default_factory=dict[str, Json])
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: tuple[str, ...] = ()
    cmd: tuple[str, ...] | str = ()
    healthcheck: HealthCheck | None = None
    args_escaped: bool = False
    image: str = ""
    volumes: dict[InnerPath, Json] = msgspec.field(default_factory=dict[str, Json])
    working_dir: str = ""
    entrypoint: tuple[str, ...] | str | None = None
    network_disabled: bool = False
    labels: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    stop_signal: str = ""
    stop_timeout: int | None = None
    shell: tuple[str, ...] = ()


class Container(Image, frozen=True):
    host_config: Json = msgspec.field(default_factory=dict[str, object])
    networking_config: Json = msgspec.field(default_factory=dict[str, object])


class RestartPolicy(Body, frozen=True):
    name: Literal["", "no", "on-failure"] = ""
    maximum_retry_count: Natural = 0


class LogConfig(Body, frozen=True):
    type: Literal["", "json-file", "local", "none"] = ""
    config: dict[str, str] | None = None  # null from programs in Go that set nothing here


class HostConfig(Body, frozen=True):
    binds: tuple[str, ...] = ()
    mounts: tuple[Json, ...] = ()
    network_mode: str = ""
    port_bindings: Json = msgspec.field(default_factory=dict[str, object])
    publish_all_ports: bool = False
    restart_policy: RestartPolicy | None = None
    auto_remove: bool = False
    volumes_from: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    group_add: tuple[_Group, ...] = ()
    init: bool = False
    readonly_rootfs: bool = False
    security_opt: tuple[_SecurityOption, ...] = ()
    tmpfs: dict[InnerPath, _Words] = msgspec.field(default_factory=dict[str, str])
    shm_size: Natural = 0
    volume_driver: Literal["local"] | None = None
    ipc_mode: Literal["", "private", "none"] = ""
    cgroupns_mode: Literal["", "private"] = ""
    # What a run may use is bounded by its allowance, whatever stands here.
    memory: Natural = 0
    memory_reservation: Natural = 0
    memory_swap: int = 0
    nano_cpus: Natural = 0
    cpu_shares: Natural = 0
    cpuset_cpus: str = ""
    pids_limit: int = 0
    # What is not passed on: the terminal's size of newer clients, defaults that clients spell out.
    console_size: tuple[int, ...] = ()
    memory_swappiness: Literal[-1] | None = None
    log_config: LogConfig | None = None


class Mount(Body, frozen=True):
    type: Literal["volume", "tmpfs", "bind"]
    target: InnerPath
    source: str = ""
    read_only: bool = False
    consistency: Literal["", "default", "consistent", "cached", "delegated"] = ""
    tmpfs_options: "TmpfsOptions | None" = None
    volume_options: "VolumeOptions | None" = None


class TmpfsOptions(Body, frozen=True):
    size_bytes: Natural = 0
    mode: Natural = 0


class VolumeOptions(Body, frozen=True):
    no_copy: bool = False


class Address(Body, frozen=True):
    ipv4_address: str = msgspec.field(name="IPv4Address", default="")
    ipv6_address: str = msgspec.field(name="IPv6Address", default="")


class Endpoint(Body, frozen=True):
    """A container in a network."""

    aliases: tuple[str, ...] = ()
    ipam_config: Address | None = msgspec.field(name="IPAMConfig", default=None)


class Networking(Body, frozen=True):
    endpoints_config: dict[str, Json | None] = msgspec.field(default_factory=dict[str, Json | None])


def creation(run: Run, given: Json, name: str) -> Json:
    """``name``: the run's own name of the container, by which others find it. Raises Refused."""
    container = read(Container, given)
    if not container.image:
        raise Refused("the container has no image", HTTPStatus.BAD_REQUEST)
    host = read(HostConfig, container.host_config, "HostConfig.")
    mode = _mode(run, host.network_mode)
    body = written(container)
    if container.image == ACR_IMAGE and run.registry is not None:
        # By its id: a name on the engine may be anybody's.
        body["Image"] = run.acr_image()
    body["Env"] = list(_environment(run, container, name))
    body["Labels"] = labels(run, container.labels)
    is_followed = container.attach_stdout and host.auto_remove
    body["HostConfig"] = _host(run, host) | {"NetworkMode": mode, "LogConfig": NO_LOG if is_followed else LOG}
    body["NetworkingConfig"] = {"EndpointsConfig": _endpoints(run, container.networking_config, host, name)}
    return body


def _environment(run: Run, container: Container, name: str) -> Iterator[str]:
    if run.gateway is not None:
        variables = run.gateway.variables([each.partition("=")[0] for each in container.env], [*run.containers(), name])
        yield from (f"{key}={value}" for key, value in variables.items())
    # Podman would take what has no value from the engine's own environment.
    yield from (each for each in container.env if "=" in each or run.flavor is not Flavor.PODMAN)
    if container.image == ACR_IMAGE and run.registry is not None:
        yield f"ACR_DEFAULT_REGISTRY={run.registry.server}"


def labels(run: Run, given: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if not name.startswith(OUR_LABELS)} | dict(run.labels)


def image_change(given: Json) -> Json:
    """What a commit may change of an image."""
    return written(read(Image, given))


def endpoint(given: Json, alias: str | None) -> Json:
    read_one = read(Endpoint, given, "EndpointConfig.")
    aliases = [*read_one.aliases, *([alias] if alias else [])]
    return written(read_one) | {"Aliases": list(dict.fromkeys(aliases))}


# --- networks ---------------------------------------------------------------------------------------------------------


def _mode(run: Run, mode: str) -> str:
    kind, _, of = mode.partition(":")
    if mode in _OWN_NETWORKS:
        return run.plain_network()
    if mode == "none":
        return mode
    if kind == "container" and of:
        return f"container:{run.container(of)}"
    return run.network(mode)


def _endpoints(run: Run, networking: Json, host: HostConfig, name: str) -> Json:
    given = read(Networking, networking, "NetworkingConfig.").endpoints_config
    kind = host.network_mode.partition(":")[0]
    if kind not in {*_OWN_NETWORKS, "none", "container"}:
        given = {host.network_mode: None} | given
    return {
        _mode(run, network): endpoint(settings or {}, None if network in _OWN_NETWORKS else name)
        for network, settings in given.items()
    }


# --- the rest of HostConfig -------------------------------------------------------------------------------------------


def _host(run: Run, host: HostConfig) -> Json:
    body = written(host)
    for name in ("ConsoleSize", "MemorySwappiness", "PortBindings", "PublishAllPorts", "Mounts", "Binds"):
        body.pop(name, None)
    body["Binds"] = [_bind(run, bind) for bind in host.binds]
    body["Mounts"] = [_mount(run, mount) for mount in host.mounts]
    body["VolumesFrom"] = [_volumes_from(run, given) for given in host.volumes_from]
    body["SecurityOpt"] = [option for option in host.security_opt if option != _UNLABELED]
    body["Ulimits"] = list(run.ulimits)
    if run.is_closed:
        # The engine answers the names of the run's containers itself.
        body["Dns"] = [NOBODY]
        # With frames of its own making it would reach the engine's machine, whose bridge has an address of IPv6.
        body["CapDrop"] = [*host.cap_drop, "NET_RAW"]
    if run.flavor is Flavor.PODMAN:
        body.pop("AutoRemove", None)  # podman.wait removes it
    return body | allowed(run.allowance, host)


def allowed(allowance: Allowance, host: HostConfig) -> Json:
    """What the container may use: what it asks for, and never more than the run may."""
    memory = _least(host.memory, allowance.memory)
    return {
        "Memory": memory,
        # No more swap than memory: none at all. What was asked for could be more than the run may use.
        "MemorySwap": memory,
        "MemoryReservation": min(host.memory_reservation, memory) if memory else host.memory_reservation,
        "NanoCpus": _least(host.nano_cpus, None if allowance.cpus is None else int(allowance.cpus * 1_000_000_000)),
        "PidsLimit": _least(max(host.pids_limit, 0), allowance.processes),
    }


def _least(asked: int, may: int | None) -> int:
    return asked if may is None else min(asked or may, may)


def _bind(run: Run, bind: str) -> str:
    source, _, rest = bind.partition(":")
    target, _, options = rest.partition(":")
    if not target.startswith("/") or "," in target:
        raise Refused(f"{bind!r} is no volume of a run: NAME:/PATH", HTTPStatus.BAD_REQUEST)
    if source in SOCKETS:
        return f"{run.socket}:{target}"
    if unknown := set(filter(None, options.split(","))) - _VOLUME_OPTIONS:
        raise Refused(f"a run may not mount a volume with {', '.join(sorted(unknown))}")
    return ":".join(filter(None, (_source(run, source), target, options)))


def _source(run: Run, source: str) -> str:
    if "/" in source or source.startswith((".", "~")):
        raise Refused(f"a run may not mount {source} of the machine that it runs on: only volumes, and {SOCKET}")
    return run.volume(source)


def _mount(run: Run, given: Json) -> Json:
    mount = read(Mount, given, "Mounts.")
    body = written(mount)
    if mount.type == "bind":
        if mount.source not in SOCKETS:
            raise Refused(
                f"a run may not mount {mount.source} of the machine that it runs on: only volumes, and {SOCKET}"
            )
        return body | {"Source": run.socket}
    if mount.type == "volume" and mount.source:
        return body | {"Source": _source(run, mount.source)}
    return body


def _volumes_from(run: Run, given: str) -> str:
    container, colon, mode = given.partition(":")
    if mode not in {"", "ro", "rw"}:
        raise Refused(f"{given!r} is no container and mode", HTTPStatus.BAD_REQUEST)
    return f"{run.container(container)}{colon}{mode}"
