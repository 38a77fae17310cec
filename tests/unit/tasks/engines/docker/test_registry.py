"""What a step may ask its registry through the run's socket."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPResponse
from threading import Thread

import pytest
from tests.unit.tasks.engines.docker.recording import RecordingRun, passed

from entrepot.tasks.engines.docker.proxy.channel import Channel
from entrepot.tasks.engines.docker.proxy.exchange import serve
from entrepot.tasks.engines.model import ACR_IMAGE, Answered, Asked, RunRegistry

SERVER = "team.registry.example"
DIGEST = "sha256:" + "ab" * 32


@dataclass
class Socket:
    """A run's socket whose registry answers 200 and records what it was asked."""

    stream: socket.socket
    asked: list[Asked] = field(default_factory=list)

    def send(self, line: str, headers: str = "", body: str = "") -> tuple[int, bytes, dict[str, str]]:
        head = f"{line} HTTP/1.1\r\nHost: registry\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}"
        self.stream.sendall(head.encode("latin-1"))
        answer = HTTPResponse(self.stream, method=line.split(maxsplit=1)[0])
        answer.begin()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}

    def ask(self, asked: Asked) -> Answered:
        self.asked.append(asked)
        return Answered(200, {"link": "</acr/v1/x>", "set-cookie": "a=b"}, b"{}")


@pytest.fixture
def run() -> Iterator[Socket]:
    ours, theirs = socket.socketpair()
    made = Socket(ours)
    recording = RecordingRun(registry=RunRegistry(SERVER, made.ask))
    serving = Thread(target=serve, args=(Channel(theirs), recording, None))
    serving.start()
    ours.settimeout(30)
    with ours:
        yield made
    serving.join(30)
    theirs.close()


@pytest.mark.parametrize(
    "line",
    [
        "GET /acr/v1/_catalog?n=100&last=a",
        "GET /acr/v1/team/app/_tags?orderby=timedesc",
        "GET /acr/v1/team/app/_manifests",
        "DELETE /acr/v1/team/app/_tags/v1.0",
        "PATCH /acr/v1/team/app/_tags/v1.0",
        f"PATCH /acr/v1/app/_manifests/{DIGEST}",
        f"GET /v2/team/app/manifests/{DIGEST}",
        f"DELETE /v2/team/app/manifests/{DIGEST}",
    ],
)
def test_metadata_and_deletions_are_passed_on(run: Socket, line: str) -> None:
    method, _, target = line.partition(" ")
    headers = "Authorization: Basic eA==\r\nCookie: a=b\r\nX-Forwarded-For: 1.2.3.4\r\n"
    status, body, told = run.send(f"{method} /registry{target}", headers, '{"deleteEnabled":true}')
    assert (status, body, told["link"], "set-cookie" in told) == (200, b"{}", "</acr/v1/x>", False)
    assert run.asked == [Asked(method, target, {"authorization": "Basic eA=="}, b'{"deleteEnabled":true}')]


@pytest.mark.parametrize(
    "line",
    [
        "GET /registry/subscriptions?api-version=2025-11-01",
        "POST /registry/oauth2/token",
        "GET /registry/v2/",
        "PUT /registry/v2/app/manifests/v1",
        f"GET /registry/v2/app/blobs/{DIGEST}",
        "DELETE /registry/acr/v1/app",
        "GET /registry/acr/v1/app/../../subscriptions/_tags",
        "GET /registry/acr/v1/%2e%2e/_tags",
        "GET /registry/acr/v1/_catalog?n=1&api-version=1",
        "GET /registry/acr/v1/_catalog?n=1;n=2&n=3&n=4&n=5",
        "GET /registry//acr/v1/_catalog",
        "GET /registry/@evil.example/acr/v1/_catalog",
        "GET http://evil.example/registry/acr/v1/_catalog",
        "CONNECT evil.example:443",
        f"GET /registry/acr/v1/_catalog?last={'a' * 5000}",
    ],
)
def test_everything_else_is_refused(run: Socket, line: str) -> None:
    assert run.send(line)[0] in {400, 403}
    assert run.asked == []


def test_a_run_without_a_registry_has_none() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(30)
        ours.sendall(b"GET /registry/acr/v1/_catalog HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        serve(Channel(theirs), RecordingRun(), None)  # type: ignore[arg-type]  no engine is asked
        assert b" 404 " in ours.recv(4096)


def test_the_image_acr_is_the_worker_s_and_knows_its_registry() -> None:
    run = RecordingRun(registry=RunRegistry(SERVER, lambda _: Answered(200, {}, b"")))
    body = passed("POST /containers/create?name=a", {"Image": ACR_IMAGE, "Env": ["A=b"]}, run).body
    assert body is not None
    assert (body["Image"], body["Env"]) == (run.acr_image(), ["A=b", f"ACR_DEFAULT_REGISTRY={SERVER}"])
    other = passed("POST /containers/create?name=a", {"Image": "nginx"}, run).body
    assert other is not None
    assert "ACR_DEFAULT_REGISTRY" not in json.dumps(other)
