"""Network rules against real source addresses: a server in one network namespace, its clients in another.

The addresses are public ones, which are nobody's in there: rules treat those of private networks otherwise.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.services import Registry, log_of, ready_registry, running, serve_command, wait_until

SERVER = {4: "93.184.216.1", 6: "2606:2800:220:1::1"}
OFFICE = {4: "93.184.216.7", 6: "2606:2800:220:1::7"}
STRANGER = {4: "93.184.216.9", 6: "2606:2800:220:1::9"}
PROXY = {4: "93.184.216.100", 6: "2606:2800:220:1::100"}
PRIVATE, SERVER_PRIVATELY = "10.77.0.7", "10.77.0.1"
VERSION = "api-version=2026-09-01-preview"

ALONE = ["unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"]


@dataclass(frozen=True)
class Net:
    """Two namespaces with a cable in between."""

    server: list[str]
    clients: list[str]


@contextmanager
def namespace(said: Path) -> Iterator[int]:
    """The process that holds it."""
    with said.open("wb") as log, running(ALONE, log) as holder:
        wait_until(lambda: holder.poll() is not None or b"ready" in said.read_bytes(), "the namespace is made")
        assert holder.poll() is None, said.read_text()
        yield holder.pid


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    folder = tmp_path_factory.mktemp("net")
    with namespace(folder / "server") as server, namespace(folder / "clients") as clients:
        made = Net(*(["nsenter", f"--target={pid}", "--net", "--"] for pid in (server, clients)))
        cable = f"ip link add cable type veth peer name cable netns {clients}"
        subprocess.run([*made.server, *cable.split(" ")], check=True)
        plug(made.server, *SERVER.values(), SERVER_PRIVATELY)
        plug(made.clients, *OFFICE.values(), *STRANGER.values(), *PROXY.values(), PRIVATE)
        yield made


def plug(inside: list[str], *addresses: str) -> None:
    """IPv6 addresses are used at once, without a look for others that have them."""
    commands = ["ip link set lo up", "ip link set cable up"]
    commands += [
        f"ip address add {each}/64 dev cable nodad" if ":" in each else f"ip address add {each}/24 dev cable"
        for each in addresses
    ]
    for command in commands:
        subprocess.run([*inside, *command.split(" ")], check=True)


@dataclass
class Site:
    """A server, and clients with whatever address of theirs."""

    registry: Registry
    net: Net
    port: int
    told: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.told = json.loads((self.registry.data_dir / "bootstrap.json").read_bytes())

    def ask(self, source: str, path: str, *more: str, by: str = "") -> tuple[int, str]:
        """Status and body of what this address is answered. ``by``: which address of the server it asks."""
        server = by or SERVER[6 if ":" in source else 4]
        there = f"localhost:{self.port}:{f'[{server}]' if ':' in server else server}:{self.port}"
        words = ["curl", "--silent", "--max-time", "30", "--cacert", str(self.registry.ca), "--interface", source]
        words += ["--connect-to", there, "--write-out", "\n%{http_code}", *more, f"https://localhost:{self.port}{path}"]
        done = subprocess.run([*self.net.clients, *words], check=True, capture_output=True, text=True)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body

    def status(self, source: str, *more: str, by: str = "") -> int:
        """Of a first request to the data plane: 401 for who is let in, 403 for who is not."""
        return self.ask(source, "/v2/", *more, by=by)[0]

    @property
    def path(self) -> str:
        group = f"/subscriptions/{self.told['subscriptionId']}/resourceGroups/entrepot"
        return f"{group}/providers/Microsoft.ContainerRegistry/registries/local"

    def configure(self, source: str, properties: dict[str, Any], *more: str) -> None:
        """By the management API, as the owner."""
        change = ["--request", "PATCH", "--data", json.dumps({"properties": properties})]
        status, body = self.manage(source, *change, "--header", "content-type: application/json", *more)
        assert status == 200, body

    def manage(self, source: str, *more: str) -> tuple[int, str]:
        """Status and body of what the management API answers the owner about the registry."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.registry.user,
            "client_secret": self.registry.password,
            "scope": "https://management.azure.com/.default",
        }
        fields = [word for name, value in form.items() for word in ("--data-urlencode", f"{name}={value}")]
        status, body = self.ask(source, "/common/oauth2/v2.0/token", *fields)
        assert status == 200, body
        bearer = f"authorization: Bearer {json.loads(body)['access_token']}"
        return self.ask(source, f"{self.path}?{VERSION}", "--header", bearer, *more)

    def addresses(self, action: str) -> list[str]:
        """Of the audit log's entries of this action, the oldest first."""
        listed = [sys.executable, "-m", "entrepot", "audit", "list", "--json-lines", "--data-dir"]
        done = subprocess.run([*listed, str(self.registry.data_dir)], check=True, capture_output=True, text=True)
        entries = [json.loads(line) for line in done.stdout.splitlines()]
        return [entry["address"] for entry in entries if entry["action"] == action]

    def said(self) -> str:
        """The server's log."""
        return log_of(self.registry.data_dir).read_text()


@contextmanager
def server(net: Net, data_dir: Path, port: int, *flags: str) -> Iterator[Site]:
    data_dir.mkdir()
    command = [*net.server, *serve_command(data_dir, port, "--host", "::", "--workers", "1", *flags)]

    def ready(ca: Path) -> bool:
        ask = ["curl", "--silent", "--fail", "--cacert", str(ca), f"https://localhost:{port}/readyz"]
        return subprocess.run([*net.server, *ask], check=False, capture_output=True).returncode == 0

    with log_of(data_dir).open("wb") as log, running(command, log) as process:
        yield Site(ready_registry(data_dir, process, ready), net, port)


def rules() -> dict[str, Any]:
    allowed = [{"value": each, "action": "Allow"} for each in OFFICE.values()]
    return {"publicNetworkAccess": "Enabled", "networkRuleSet": {"defaultAction": "Deny", "ipRules": allowed}}


@pytest.fixture(scope="module")
def site(net: Net, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One listener for both families: to it IPv4 clients have mapped addresses."""
    with server(net, tmp_path_factory.mktemp("site") / "data", 5000) as made:
        yield made


@pytest.mark.parametrize("family", [4, 6])
def test_only_addresses_of_the_rules_are_answered(site: Site, family: int) -> None:
    site.configure(OFFICE[4], rules())
    # Before that the registry may have been open, or closed.
    wait_until(lambda: (site.status(OFFICE[family]), site.status(STRANGER[family])) == (401, 403), "the rules hold")
    status, body = site.ask(STRANGER[family], "/oauth2/token?service=localhost")
    assert (status, json.loads(body)["errors"][0]["message"].split("'")[1]) == (403, STRANGER[family])
    for header in ("x-forwarded-for: {}", "forwarded: for={}"):
        assert site.status(STRANGER[family], "--header", header.format(OFFICE[4])) == 403


def test_the_management_api_answers_whom_no_rule_names_and_writes_down_who_it_was(site: Site) -> None:
    site.configure(OFFICE[4], rules())
    for source in (STRANGER[4], STRANGER[6]):
        site.configure(source, rules())
    seen = site.addresses("Microsoft.ContainerRegistry/registries/write")
    assert seen[-2:] == [STRANGER[4], STRANGER[6]]


def test_without_public_access_only_private_addresses_are_answered(site: Site) -> None:
    site.configure(OFFICE[4], {**rules(), "publicNetworkAccess": "Disabled"})
    wait_until(lambda: site.status(OFFICE[4]) == 403, "the registry is closed")
    assert site.status(OFFICE[6]) == 403
    assert site.status(PRIVATE, by=SERVER_PRIVATELY) == 401


@pytest.fixture(scope="module", params=["x-forwarded-for", "forwarded"])
def proxied(request: pytest.FixtureRequest, net: Net, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Behind a proxy that writes one of the two headers."""
    flags = ("--trusted-proxies", ",".join(PROXY.values()), "--proxy-header", request.param)
    with server(net, tmp_path_factory.mktemp("proxied") / "data", 5001, *flags) as made:
        made.configure(OFFICE[4], rules())
        wait_until(lambda: made.status(STRANGER[4]) == 403, "the rules hold")
        made.told["header"] = request.param
        yield made


def told_by(header: str, *addresses: str) -> tuple[str, str]:
    """The header's line, as proxies on the way have written it."""
    if header == "x-forwarded-for":
        return "--header", f"x-forwarded-for: {', '.join(addresses)}"
    written = [f'for="[{each}]:4711"' if ":" in each else f"for={each}" for each in addresses]
    return "--header", f"forwarded: {', '.join(written)}"


@pytest.mark.parametrize("family", [4, 6])
def test_a_trusted_proxy_tells_who_asks_and_nobody_else_does(proxied: Site, family: int) -> None:
    header, proxy = proxied.told["header"], PROXY[family]
    for allowed in OFFICE.values():
        assert proxied.status(proxy, *told_by(header, allowed)) == 401
    for told in ((STRANGER[family],), (OFFICE[family], STRANGER[family])):
        assert proxied.status(proxy, *told_by(header, *told)) == 403
    assert proxied.status(STRANGER[family], *told_by(header, OFFICE[family])) == 403
    other = {"forwarded": "x-forwarded-for", "x-forwarded-for": "forwarded"}[header]
    assert proxied.status(proxy, *told_by(other, OFFICE[family])) == 403


def test_the_management_api_believes_the_same_proxies(proxied: Site) -> None:
    header = proxied.told["header"]
    proxied.configure(PROXY[4], rules(), *told_by(header, STRANGER[6]))
    proxied.configure(STRANGER[4], rules(), *told_by(header, OFFICE[6]))
    assert proxied.addresses("Microsoft.ContainerRegistry/registries/write")[-2:] == [STRANGER[6], STRANGER[4]]


@pytest.fixture(
    scope="module", params=["", "x-forwarded-for", "forwarded"], ids=["direct", "x-forwarded-for", "forwarded"]
)
def managed(request: pytest.FixtureRequest, net: Net, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The office manages it, directly or through a proxy that writes the header."""
    flags = ["--management-networks", ",".join(OFFICE.values())]
    if request.param:
        flags += ["--trusted-proxies", ",".join(PROXY.values()), "--proxy-header", request.param]
    with server(net, tmp_path_factory.mktemp("managed") / "data", 5002, *flags) as made:
        made.told["header"] = request.param
        yield made


@pytest.mark.parametrize("family", [4, 6])
def test_the_management_api_answers_its_networks_and_nobody_else(managed: Site, family: int) -> None:
    managed.configure(OFFICE[family], {"adminUserEnabled": False})
    refused_before = len(managed.addresses("denied"))
    header = managed.told["header"]
    told = [word for name in ("x-forwarded-for", "forwarded") for word in told_by(name, OFFICE[family])]
    status, body = managed.manage(STRANGER[family], *told)
    error = json.loads(body)["error"]
    assert (status, error["code"]) == (403, "RequestDisallowedByPolicy")
    assert f"'{STRANGER[family]}'" in error["message"]
    assert managed.status(STRANGER[family]) == 401
    if header:
        managed.configure(PROXY[family], {"adminUserEnabled": False}, *told_by(header, STRANGER[4], OFFICE[family]))
        made_up = told_by(header, OFFICE[family], STRANGER[family])
        assert managed.manage(PROXY[family], *made_up)[0] == 403
    wait_until(lambda: len(managed.addresses("denied")) > refused_before, "the refusal is written down")
    assert set(managed.addresses("denied")) <= {*STRANGER.values()}


def test_a_server_that_its_own_machine_cannot_manage_says_so(managed: Site, site: Site) -> None:
    """It listens on every address, so its own is the loopback's."""
    assert "management_closed_here" in managed.said()
    assert "::1" in managed.said()
    assert "management_closed_here" not in site.said()
