"""What podman does otherwise, and how the run sees nothing of it."""

import json

import pytest
from tests.unit.tasks.engines.docker.recording import CONTAINER, LABELS, RecordingRun, passed

from entrepot.tasks.engines.docker.proxy.model import Flavor, Manner, Refused


@pytest.fixture
def run() -> RecordingRun:
    return RecordingRun(flavor=Flavor.PODMAN)


def state(status: str, code: int = 0) -> tuple[int, bytes]:
    return 200, json.dumps({"State": {"Status": status, "ExitCode": code}}).encode()


def waited(run: RecordingRun, condition: str) -> dict[str, int]:
    asked = passed(f"POST /containers/nginx/wait?condition={condition}", run=run)
    assert asked.manner is Manner.LATE
    assert asked.late is not None
    return json.loads(asked.late(lambda: False))


def test_waiting_lasts_from_before_the_start_to_the_end_and_tells_the_exit_code(run: RecordingRun) -> None:
    run.answers = [state("created"), state("running"), state("exited", 7)]
    assert waited(run, "next-exit") == {"StatusCode": 7}
    assert len(run.asked) == 3


def test_waiting_for_the_removal_removes_and_tells_the_exit_code(run: RecordingRun) -> None:
    run.answers = [state("exited", 7), (204, b"")]
    assert waited(run, "removed") == {"StatusCode": 7}
    assert run.asked[-1] == f"DELETE /containers/{CONTAINER}?force=1&v=1"


def test_without_a_condition_what_does_not_run_is_at_its_end(run: RecordingRun) -> None:
    run.answers = [state("created")]
    assert waited(run, "") == {"StatusCode": 0}


def test_waiting_for_what_is_gone_ends(run: RecordingRun) -> None:
    run.answers = [(404, b"")]
    assert waited(run, "next-exit") == {"StatusCode": 0}


def test_podman_itself_removes_nothing(run: RecordingRun) -> None:
    body = passed("POST /containers/create", {"Image": "x", "HostConfig": {"AutoRemove": True}}, run).body
    assert body is not None
    assert "AutoRemove" not in json.dumps(body)


def test_nothing_is_taken_from_the_engines_own_environment(run: RecordingRun) -> None:
    body = passed("POST /containers/create", {"Image": "x", "Env": ["A=1", "PATH", "S*"]}, run).body
    assert body is not None
    assert body["Env"] == ["A=1"]


def test_a_network_is_apart_from_the_others(run: RecordingRun) -> None:
    asked = passed("POST /networks/create", {"Name": "net", "Driver": "bridge"}, run)
    assert (asked.version, asked.path) == ("/v4.0.0", "/libpod/networks/create")
    assert asked.body is not None
    assert asked.body["options"] == {"isolate": "true"}
    assert (asked.body["name"], asked.body["labels"]) == ("r1_net", LABELS)
    assert asked.answer is not None
    assert json.loads(asked.answer(b'{"id": "abc", "name": "r1_net"}')) == {"Id": "abc", "Warning": ""}


def test_buildkit_is_refused_in_clear_words(run: RecordingRun) -> None:
    with pytest.raises(Refused, match="build without DOCKER_BUILDKIT=1"):
        passed("POST /session", run=run)
