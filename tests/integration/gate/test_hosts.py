"""Names and links are made from hosts that are known, never from a header that was not checked (DESIGN section 3)."""

import pytest
from tests.integration.conftest import StartRegistry
from tests.management import management
from tests.registry import Registry
from tests.wire import Answer, Client

OURS = {
    "localhost:5000": "localhost:5000",
    "localhost": "localhost:5000",
    "LocalHost:5000": "localhost:5000",
    "localhost.:5000": "localhost:5000",
    "127.0.0.1:5000": "127.0.0.1:5000",
    "[::1]:5000": "[::1]:5000",
    "[::1]": "[::1]:5000",
    "entrepot.localhost:5000": "entrepot.localhost:5000",
    "local.entrepot.localhost:5000": "local.entrepot.localhost:5000",
    "localhost:6000": "localhost:5000",
}


def realm_of(answer: Answer) -> str:
    return answer["www-authenticate"].partition('realm="')[2].partition('"')[0]


@pytest.mark.parametrize("host", OURS)
async def test_a_realm_is_where_the_client_asked(registry: Registry, host: str) -> None:
    answer = await Client(registry.app, host).get("/v2/")
    assert answer.status == 401
    assert realm_of(answer) == f"http://{OURS[host]}/oauth2/token"
    assert f'service="{OURS[host]}"' in answer["www-authenticate"]


async def test_a_registry_answers_on_every_worker_as_soon_as_it_is_made(
    registry: Registry, start_registry: StartRegistry
) -> None:
    """Whoever made it, or was told of it, pushes at once."""
    worker = await start_registry()
    client = Client(worker.app, "fresh.entrepot.localhost:5000")
    assert (await client.get("/v2/")).status == 404
    arm = await management(registry)
    await arm.put(arm.registry("fresh"), {"location": "eastus", "sku": {"name": "Basic"}})
    assert (await client.get("/v2/")).status == 401


FOREIGN = [
    "evil.example",
    "evil.example:5000",
    "localhost.evil.example",
    "evil.entrepot.localhost",
    "a.local.entrepot.localhost",
    ".entrepot.localhost",
    "local.entrepot.localhost.evil.example",
    "localhost@evil.example",
    "localhost#evil.example",
    "localhost/evil",
    "localhost\\evil",
    "localhost, evil.example",
    "localhost evil.example",
    "evil.example localhost",
    "localhost:evil.example",
    "localhost:5000@evil.example",
    "localhost:99999999",
    "localhost:-1",
    "localhost:" + "9" * 60_000,
    '[::1%"],evil="]:5000',
    '[fe80::1%25" onload="x]',
    "[::1%evil.example]",
    "[::1]evil.example",
    "[::1]:5000:evil",
    "[evil.example]",
    "[",
    "[]",
    "]",
    "",
    ":",
    ":5000",
    "\xe9vil.example",
    "0x7f.1",
    "127.1",
    "2130706433",
    "0177.0.0.1",
    "xn--n3h.entrepot.localhost",
    "*.entrepot.localhost",
    "..entrepot.localhost",
]


@pytest.mark.parametrize("host", FOREIGN, ids=lambda host: repr(host)[:40])
async def test_a_host_that_is_not_ours_is_not_served_and_not_repeated(registry: Registry, host: str) -> None:
    client = Client(registry.app, host)
    for answer in (await client.get("/v2/"), await client.get("/oauth2/token"), await client.get("/v2/_catalog")):
        assert (answer.status, answer.code) == (404, "UNSUPPORTED")
        assert not [value for _, value in answer.headers if "evil" in value]
        assert answer.get("www-authenticate") is None


async def test_a_request_without_a_host_is_not_served(registry: Registry) -> None:
    assert (await registry.nobody.send("GET", "/v2/", {"host": ()})).status == 404


@pytest.mark.parametrize("hosts", [("localhost:5000", "evil.example"), ("evil.example", "localhost:5000")])
async def test_of_two_hosts_neither_gets_into_a_link(registry: Registry, hosts: tuple[str, str]) -> None:
    answer = await registry.nobody.send("GET", "/v2/", {"host": hosts})
    assert not [value for _, value in answer.headers if "evil" in value]


@pytest.mark.parametrize(
    "header", ["x-forwarded-host", "x-forwarded-proto", "forwarded", "x-original-url", "x-rewrite-url", "x-real-ip"]
)
async def test_what_a_proxy_would_say_is_not_believed(registry: Registry, header: str) -> None:
    answer = await registry.nobody.get("/v2/", {header: "evil.example"})
    assert realm_of(answer) == "http://localhost:5000/oauth2/token"


async def test_locations_name_no_host(registry: Registry) -> None:
    for host in OURS:
        client = Client(registry.app, host).having(authorization=registry.http.headers["authorization"])
        answer = await client.post("/v2/app/blobs/uploads/")
        assert answer["location"].startswith("/v2/app/blobs/uploads/")


async def test_many_hosts_do_not_fill_the_memory(registry: Registry) -> None:
    for number in range(3000):
        await Client(registry.app, f"10.0.{number // 250}.{number % 250}:5000").get("/v2/")
    assert (await registry.nobody.get("/v2/")).status == 401
