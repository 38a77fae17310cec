"""Whom the access log names when a proxy stands in between."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest
from tests.registry import Registry

StartRegistry = Callable[..., Awaitable[Registry]]
Until = Callable[..., Awaitable[None]]


@pytest.mark.parametrize(
    ("peer", "client"), [("10.0.0.1", "198.51.100.7"), ("192.0.2.1", "192.0.2.1")], ids=["trusted", "stranger"]
)
async def test_the_log_believes_what_a_trusted_proxy_tells_of_its_client(
    start_registry: StartRegistry, until: Until, capfd: pytest.CaptureFixture[str], peer: str, client: str
) -> None:
    proxies = (ip_network("10.0.0.0/8"),)
    registry = await start_registry(trusted_proxies=proxies, access_log="on", log_format="json")
    await replace(registry.http, peer=peer).get("/v2/", {"x-forwarded-for": "198.51.100.7"})
    said: list[str] = []

    async def logged() -> bool:
        said.extend(capfd.readouterr().err.splitlines())
        return bool(said)

    await until(logged)
    assert json.loads(said[0])["client"] == client


async def test_one_header_of_the_proxies_is_believed_and_the_other_is_not(
    start_registry: StartRegistry, until: Until, capfd: pytest.CaptureFixture[str]
) -> None:
    proxies = (ip_network("10.0.0.0/8"),)
    registry = await start_registry(
        trusted_proxies=proxies, proxy_header="forwarded", access_log="on", log_format="json"
    )
    headers = {"x-forwarded-for": "203.0.113.66", "forwarded": 'for="[2001:db8::7]:4711";proto=https'}
    await replace(registry.http, peer="10.0.0.1").get("/v2/", headers)
    said: list[str] = []

    async def logged() -> bool:
        said.extend(capfd.readouterr().err.splitlines())
        return bool(said)

    await until(logged)
    assert json.loads(said[0])["client"] == "2001:db8::7"
