"""Networks and volumes of a run. Source: Docker Engine API 1.41.

A network is a bridge without settings of its own: an address range or a bridge's name of the run's choice would change
the routes of the machine. A volume has no options: with them it could be any folder of the machine.
"""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from entrepot.tasks.engines.docker.proxy import filters, podman
from entrepot.tasks.engines.docker.proxy.bodies import Body, read
from entrepot.tasks.engines.docker.proxy.containers import endpoint, labels
from entrepot.tasks.engines.docker.proxy.model import Asked, Flavor, Json, Passed, Refused, Run, WayThrough, engine_name

_TAKEN: Final = frozenset({"bridge", "host", "none", "default"})


class Ipam(Body, frozen=True):
    driver: Literal["default"] | None = None


class Network(Body, frozen=True):
    name: str = ""
    driver: Literal["bridge"] | None = None
    internal: bool = False
    enable_ipv4: bool = msgspec.field(name="EnableIPv4", default=True)  # newer clients say so
    check_duplicate: bool = False
    attachable: bool = False
    labels: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    ipam: Json = msgspec.field(default_factory=dict[str, object])


class Connection(Body, frozen=True):
    container: str = ""
    endpoint_config: Json = msgspec.field(default_factory=dict[str, object])
    force: bool = False


class Volume(Body, frozen=True):
    name: str = ""
    driver: Literal["local"] | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict[str, str])


def create_network(run: Run, asked: Asked) -> Passed:
    given = asked.body | {"Ipam": asked.body.get("IPAM")}
    given.pop("IPAM", None)
    network = read(Network, given)
    read(Ipam, network.ipam, "IPAM.")
    if network.name in _TAKEN:
        raise Refused(f"a network of a run may not be called {network.name}")
    run.make_room(network.name)
    run.make_room(network.name)
    body = network_body(run, network)
    if run.flavor is Flavor.PODMAN:
        return podman.network(body)
    return Passed("/networks/create", body=body, answer=_joined(run.gateway, str(body["Name"])))


def _joined(gateway: WayThrough | None, network: str) -> Callable[[bytes], bytes]:
    """The gateway is in the network before the run knows of it."""

    def answer(body: bytes) -> bytes:
        if gateway is not None:
            gateway.join(network)
        return body

    return answer


def network_body(run: Run, network: Network) -> Json:
    return {
        "Name": engine_name(run.name, network.name),
        "Driver": "bridge",
        "Internal": network.internal or run.is_closed,
        # Without an address on the bridge, the engine's machine is not in the network either.
        "Options": {"com.docker.network.bridge.inhibit_ipv4": "true"} if run.is_closed else {},
        "CheckDuplicate": True,
        "Labels": labels(run, network.labels),
    }


def connect(run: Run, asked: Asked, network: str) -> Passed:
    """The container is found there as it was named in the request, if that is a name."""
    given = read(Connection, asked.body)
    body: Json = {
        "Container": run.container(given.container),
        "EndpointConfig": endpoint(given.endpoint_config, given.container),
    }
    return Passed(f"/networks/{run.network(network)}/connect", body=body)


def disconnect(run: Run, asked: Asked, network: str) -> Passed:
    given = read(Connection, asked.body)
    body: Json = {"Container": run.container(given.container), "Force": given.force}
    return Passed(f"/networks/{run.network(network)}/disconnect", body=body)


def inspect_network(run: Run, asked: Asked, network: str) -> Passed:
    return Passed(f"/networks/{run.network(network)}", asked.pairs())


def remove_network(run: Run, _asked: Asked, network: str) -> Passed:
    """The gateway goes out of it, where that is all that is in its way."""
    name = run.network(network)
    if run.gateway is not None and run.is_alone(name):
        run.gateway.leave(name)
    return Passed(f"/networks/{name}")


def create_volume(run: Run, asked: Asked) -> Passed:
    """One without a name is given one, so that it carries the run's."""
    volume = read(Volume, asked.body)
    name = engine_name(run.name, volume.name or run.new_name())
    return Passed("/volumes/create", body={"Name": name, "Driver": "local", "Labels": labels(run, volume.labels)})


def inspect_volume(run: Run, _asked: Asked, volume: str) -> Passed:
    return Passed(f"/volumes/{engine_name(run.name, volume)}")


def remove_volume(run: Run, asked: Asked, volume: str) -> Passed:
    return Passed(f"/volumes/{engine_name(run.name, volume)}", asked.pairs())


def list_networks(run: Run, asked: Asked) -> Passed:
    return Passed("/networks", (filters.own(run, asked),))


def list_volumes(run: Run, asked: Asked) -> Passed:
    return Passed("/volumes", (filters.own(run, asked),))


def prune(run: Run, asked: Asked) -> Passed:
    return Passed(asked.path, (filters.own(run, asked),))
