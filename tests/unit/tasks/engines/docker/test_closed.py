"""A run that reaches nothing: what its socket makes of networks, builds and pushes."""

from typing import Any

import pytest
from tests.unit.tasks.engines.docker.recording import RecordingRun, passed

from entrepot.tasks.engines.docker.proxy.model import Json, Refused
from entrepot.tasks.engines.model import Answered, RunRegistry

OWN = RunRegistry("team.registry.example", lambda _: Answered(200, {}, b""))


@pytest.fixture
def run() -> RecordingRun:
    return RecordingRun(registry=OWN, is_closed=True)


def body(line: str, given: Json, run: RecordingRun) -> Any:  # noqa: ANN401  JSON
    return passed(line, given, run).body


def test_its_networks_have_no_way_out_and_the_machine_is_not_in_them(run: RecordingRun) -> None:
    made = body("POST /networks/create", {"Name": "app"}, run)
    assert (made["Internal"], made["Options"]) == (True, {"com.docker.network.bridge.inhibit_ipv4": "true"})
    assert not body("POST /networks/create", {"Name": "app"}, RecordingRun())["Internal"]


def test_its_containers_ask_nobody_for_names(run: RecordingRun) -> None:
    given: Json = {"Image": "x", "HostConfig": {"NetworkMode": "app", "Dns": ["8.8.8.8"]}}
    assert body("POST /containers/create", given, run)["HostConfig"]["Dns"] == ["127.0.0.1"]


def test_its_containers_make_no_frames_of_their_own(run: RecordingRun) -> None:
    given: Json = {"Image": "x", "HostConfig": {"CapDrop": ["CHOWN"]}}
    assert body("POST /containers/create", given, run)["HostConfig"]["CapDrop"] == ["CHOWN", "NET_RAW"]
    assert "NET_RAW" not in body("POST /containers/create", given, RecordingRun())["HostConfig"]["CapDrop"]


@pytest.mark.parametrize("asked", ["", "&networkmode=default", "&networkmode=none"])
@pytest.mark.parametrize("version", ["1", "2"])
def test_its_builds_have_no_network(run: RecordingRun, asked: str, version: str) -> None:
    assert dict(passed(f"POST /build?version={version}{asked}", None, run).query)["networkmode"] == "none"


def test_its_builds_have_none_that_they_name_either(run: RecordingRun) -> None:
    """The builder's containers would ask the engine's name servers."""
    for mode in ("app", "bridge"):
        assert dict(passed(f"POST /build?version=1&networkmode={mode}", None, run).query)["networkmode"] == "none"


def test_it_pushes_to_its_own_registry_alone(run: RecordingRun) -> None:
    passed("POST /images/team.registry.example/app/push?tag=v1", None, run)
    for image in ("app", "evil.example/app", "team.registry.example.evil.example/app"):
        with pytest.raises(Refused, match="own registry alone"):
            passed(f"POST /images/{image}/push?tag=v1", None, run)
    passed("POST /images/evil.example/app/push?tag=v1", None, RecordingRun(registry=OWN))
