"""A run whose egress is a list: what its socket makes of networks, containers, builds and pushes."""

import json
import socket
from typing import Any

import pytest
from tests.unit.tasks.engines.docker.recording import RecordingGateway, RecordingRun, passed

from entrepot.tasks.engines.docker.proxy.model import Json, Refused
from entrepot.tasks.engines.model import Answered, NoWay, RunRegistry, WayOut

OWN = RunRegistry("team.registry.example", lambda _: Answered(200, {}, b""))
LISTED = {("ghcr.io", 443), ("registry.test", 5000), ("docker.io", 443)}
PROXY = "http://entrepot-egress:3128"


def nowhere(host: str, _: int) -> socket.socket:
    raise NoWay(host, is_refused=True)


@pytest.fixture
def gateway() -> RecordingGateway:
    return RecordingGateway(WayOut(lambda host, port: (host, port) in LISTED, nowhere))


@pytest.fixture
def run(gateway: RecordingGateway) -> RecordingRun:
    return RecordingRun(registry=OWN, is_closed=True, gateway=gateway)


def query(line: str, run: RecordingRun) -> dict[str, str]:
    return dict(passed(line, None, run).query)


def environment(run: RecordingRun, *given: str) -> list[str]:
    body: Any = passed("POST /containers/create?name=me", {"Image": "x", "Env": list(given)}, run).body
    return body["Env"]


def test_the_gateway_is_in_each_network_before_the_run_knows_of_it(
    run: RecordingRun, gateway: RecordingGateway
) -> None:
    made = passed("POST /networks/create", {"Name": "app"}, run)
    assert made.body is not None
    assert made.body["Internal"]
    assert gateway.joined == []
    assert made.answer is not None
    assert made.answer(b'{"Id": "x"}') == b'{"Id": "x"}'
    assert gateway.joined == ["r1_app"]


def test_it_leaves_a_network_that_is_removed_and_has_nothing_else(run: RecordingRun, gateway: RecordingGateway) -> None:
    run.crowded.add("r1_app")
    passed("DELETE /networks/app", None, run)
    assert gateway.left == []
    run.crowded.clear()
    passed("DELETE /networks/app", None, run)
    assert gateway.left == ["r1_app"]


def test_containers_are_told_of_the_gateway_and_of_their_neighbours(run: RecordingRun) -> None:
    run.names = ["web", "db"]
    told = dict(each.split("=", 1) for each in environment(run, "A=1"))
    assert [told[name] for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY")] == [PROXY] * 4
    assert told["no_proxy"] == told["NO_PROXY"] == "localhost,127.0.0.1,::1,web,db,me"
    assert told["A"] == "1"
    assert environment(RecordingRun(), "A=1") == ["A=1"]


@pytest.mark.parametrize("own", ["HTTP_PROXY=http://mine", "http_proxy=", "Http_Proxy"])
def test_what_a_container_says_itself_counts(run: RecordingRun, own: str) -> None:
    told = environment(run, own)
    assert [each for each in told if each.lower().startswith("http_proxy")] == [own]
    assert f"https_proxy={PROXY}" in told


@pytest.mark.parametrize("mode", ["", "default", "app", "bridge"])
def test_builds_are_in_the_gateways_network(run: RecordingRun, gateway: RecordingGateway, mode: str) -> None:
    run.names = ["web"]
    line = f'POST /build?version=1&networkmode={mode}&buildargs={{"A":"1","HTTPS_PROXY":null}}'
    asked = query(line, run)
    assert asked["networkmode"] == f"container:{gateway.container}"
    arguments = json.loads(asked["buildargs"])
    assert (arguments["A"], arguments["HTTPS_PROXY"], arguments["http_proxy"]) == ("1", None, PROXY)
    assert "https_proxy" not in arguments
    assert arguments["no_proxy"].endswith(",web")


@pytest.mark.parametrize("words", ["version=2", "version=2&networkmode=default", "version=1&networkmode=none"])
def test_builds_without_a_network_are_told_of_no_gateway(run: RecordingRun, words: str) -> None:
    asked = query(f"POST /build?{words}", run)
    assert asked["networkmode"] == "none"
    assert "buildargs" not in asked


@pytest.mark.parametrize("text", ["[]", "{", '{"A":1}'])
def test_arguments_that_are_none_are_refused(run: RecordingRun, text: str) -> None:
    with pytest.raises(Refused, match="buildargs"):
        query(f"POST /build?version=1&buildargs={text}", run)


@pytest.mark.parametrize(
    "image", ["team.registry.example/app", "ghcr.io/a/b", "ghcr.io:443/a", "registry.test:5000/a", "app", "team/app"]
)
def test_it_pushes_to_its_own_registry_and_to_those_of_the_list(run: RecordingRun, image: str) -> None:
    passed(f"POST /images/{image}/push?tag=v1", None, run)


@pytest.mark.parametrize("image", ["evil.example/a", "registry.test/a", "registry.test:5001/a", "localhost/a"])
def test_it_pushes_nowhere_else(run: RecordingRun, image: str) -> None:
    with pytest.raises(Refused, match="egress list"):
        passed(f"POST /images/{image}/push?tag=v1", None, run)


def test_the_gateway_is_no_container_of_the_run(run: RecordingRun, gateway: RecordingGateway) -> None:
    given: Json = {"Image": "x", "HostConfig": {"NetworkMode": f"container:{gateway.container}"}}
    with pytest.raises(Refused, match="No such container"):
        passed("POST /containers/create", given, run)
