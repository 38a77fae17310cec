import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.tasks.engines.docker.recording import RecordingRun, passed

from entrepot.tasks.engines.docker.calls import Frames
from entrepot.tasks.engines.docker.proxy.images import familiar
from entrepot.tasks.engines.docker.proxy.model import Refused
from entrepot.tasks.engines.model import Allowance

ID = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("image", "short"),
    [
        ("nginx", "nginx:latest"),
        ("docker.io/library/nginx:1", "nginx:1"),
        ("docker.io/grafana/loki", "grafana/loki:latest"),
        ("localhost:5000/a", "localhost:5000/a:latest"),
        (f"a@{ID}", f"a@{ID}"),
    ],
)
def test_an_image_has_one_spelling(image: str, short: str) -> None:
    assert familiar(image) == short


def query(line: str, run: RecordingRun | None = None) -> dict[str, str]:
    return dict(passed(line, run=run).query)


@pytest.mark.parametrize(
    "remote", ["http://169.254.169.254/latest", "https://example.com/x.git", "git://x", "file:///etc"]
)
def test_the_engine_fetches_no_context_for_a_run(remote: str) -> None:
    with pytest.raises(Refused, match="fetch"):
        passed(f"POST /build?remote={remote}")
    with pytest.raises(Refused, match="fetch"):
        passed(f"POST /images/create?fromSrc={remote}")


@pytest.mark.parametrize("version", ["1", "2"])
def test_no_build_is_in_the_machines_network(version: str) -> None:
    with pytest.raises(Refused, match="network"):
        passed(f"POST /build?version={version}&networkmode=host")


@pytest.mark.parametrize(
    ("mode", "engines"),
    [("", ""), ("default", "default"), ("none", "none"), ("app", "r1_app"), ("bridge", "r1_bridge")],
)
def test_the_classic_builder_may_use_a_network_of_the_run(mode: str, engines: str) -> None:
    assert query(f"POST /build?version=1&networkmode={mode}")["networkmode"] == engines


@pytest.mark.parametrize("mode", ["app", "bridge", "container:nginx"])
def test_buildkit_has_no_network_of_the_run(mode: str) -> None:
    with pytest.raises(Refused, match="BuildKit"):
        passed(f"POST /build?version=2&networkmode={mode}")


@pytest.mark.parametrize(
    "member", ["cgroupparent=/", "securityopt=x", "ulimits=[{}]", "entitlements=network.host", "cpusetmems=1"]
)
def test_a_build_has_no_other_settings(member: str) -> None:
    with pytest.raises(Refused, match="may not give"):
        passed(f"POST /build?{member}")


def test_a_classic_build_uses_no_more_than_its_run_may_and_leaves_no_container() -> None:
    run = RecordingRun(allowance=Allowance(memory=1000, cpus=0.5))
    told = query("POST /build?t=a&rm=0&memory=0&cpuquota=0&cgroupparent=&ulimits=null", run)
    assert (told["memory"], told["memswap"], told["cpuperiod"], told["cpuquota"]) == ("1000", "1000", "100000", "50000")
    assert (told["rm"], told["forcerm"]) == ("1", "1")


def test_a_run_removes_what_it_made_and_nothing_else() -> None:
    run = RecordingRun()
    passed("POST /build?t=mine&t=docker.io/library/two:1", run=run)
    passed("POST /images/base/tag?repo=three&tag=3", run=run)
    passed("POST /images/create?fromImage=base&tag=1", run=run)
    for image in ("mine", "two:1", "three:3"):
        assert passed(f"DELETE /images/{image}?force=1", run=run).query == (("force", "1"),)
    with pytest.raises(Refused, match="not made in this run"):
        passed("DELETE /images/base:1", run=run)


def test_an_image_is_not_forced_away_by_its_id() -> None:
    assert passed(f"DELETE /images/{ID}?force=1&noprune=1", run=RecordingRun(images={ID})).query == (("noprune", "1"),)


def test_a_list_of_images_holds_what_the_run_made_or_pulled() -> None:
    run = RecordingRun(images={"mine:latest"}, shared={"base:1"})
    rows = [{"Id": ID, "RepoTags": [name]} for name in ("mine:latest", "base:1", "others:1")] + [
        {"Id": ID, "RepoTags": None}
    ]
    answer = passed("GET /images/json", run=run).answer
    assert answer is not None
    assert [row["RepoTags"] for row in json.loads(answer(json.dumps(rows).encode()))] == [["mine:latest"], ["base:1"]]


@given(st.integers(1, 200))
def test_what_a_stream_says_was_made_is_noted_wherever_it_is_cut(size: int) -> None:
    build = b'{"stream":"Step 1"}\r\n{"aux":{"ID":"%b"}}\r\n' % ID.encode()
    load = b'{"stream":"Loading layer"}{"stream":"Loaded image: a/b:1\\n"}\r\n'
    run = RecordingRun()
    for line, said in (("POST /build", build), ("POST /images/load", load)):
        watch = passed(line, run=run).watch
        assert watch is not None
        for start in range(0, len(said), size):
            watch(said[start : start + size])
    assert run.images == {ID, "a/b:1"}


def test_what_a_build_prints_is_not_taken_for_what_it_made() -> None:
    said = json.dumps({"stream": f'Loaded image: base:1\n{{"aux":{{"ID":"{ID}"}}}}\n'}, separators=(",", ":"))
    run = RecordingRun()
    watch = passed("POST /build", run=run).watch
    assert watch is not None
    watch(said.encode())
    assert run.images == set()


@given(st.lists(st.binary(max_size=40)), st.integers(1, 30))
def test_frames_are_taken_apart_wherever_they_are_cut(payloads: list[bytes], size: int) -> None:
    stream = b"".join(b"\x01\0\0\0" + len(payload).to_bytes(4) + payload for payload in payloads)
    frames = Frames()
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert b"".join(b"".join(frames.of(piece)) for piece in pieces) == b"".join(payloads)


@pytest.mark.parametrize("name", ["entrepot-acr", "entrepot-machine", "docker.io/library/entrepot-machine"])
def test_the_worker_s_own_images_are_not_renamed(name: str) -> None:
    run = RecordingRun()
    for line in (
        f"POST /images/nginx/tag?repo={name}&tag=1",
        f"POST /build?t={name}:1",
        f"POST /images/create?fromSrc=-&repo={name}",
        f"POST /commit?container=nginx&repo={name}",
    ):
        with pytest.raises(Refused, match="own images"):
            passed(line, run=run)
    assert run.images == set()
