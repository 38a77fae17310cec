import json

import pytest
from tests.unit.tasks.engines.docker.recording import CONTAINER, EXECUTION, RecordingRun, passed

from entrepot.tasks.engines.docker.proxy.model import Json, Manner, Refused
from entrepot.tasks.engines.docker.proxy.routes import find


def refusal(line: str, body: Json | None = None, run: RecordingRun | None = None) -> Refused:
    with pytest.raises(Refused) as told:
        passed(line, body, run)
    return told.value


@pytest.mark.parametrize(
    "line",
    [
        "GET /events", "GET /system/df", "POST /swarm/init", "GET /swarm", "GET /nodes", "GET /services",
        "GET /secrets", "GET /configs", "GET /tasks", "GET /plugins", "POST /plugins/pull?remote=x",
        "POST /build/prune",
        "POST /images/prune", "GET /images/search?term=x", "POST /containers/nginx/update",
        "GET /containers/nginx/attach/ws",
        "DELETE /", "GET /debug/pprof/heap", "PUT /containers/create",
        "POST /containers/nginx/copy", "OPTIONS /_ping",
    ],
)  # fmt: skip
def test_what_is_not_in_the_table_is_refused(line: str) -> None:
    told = refusal(line)
    assert told.status in {400, 403}


@pytest.mark.parametrize(
    "target",
    [
        "/v1.23/containers/json", "/v1.0/_ping", "/v2.0/_ping", "/v1.41/v1.41/_ping", "/containers/../_ping",
        "/containers/%2e%2e/json", "/containers//json", "//containers/json", "/containers/a%2Fb/../json",
        "/containers/a%00/json", "/_ping%0d%0aX: y", "http://docker/_ping", "/containers/\u00e9/json", "*", "",
    ],
)  # fmt: skip
def test_a_path_that_could_be_read_in_two_ways_is_refused(target: str) -> None:
    with pytest.raises(Refused):
        find("GET", target)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("GET /v1.41/containers/nginx/json", f"/containers/{CONTAINER}/json"),
        (f"POST /containers/{CONTAINER}/stop?t=3", f"/containers/{CONTAINER}/stop"),
        ("DELETE /containers/nginx?force=1", f"/containers/{CONTAINER}"),
        ("PUT /containers/nginx/archive?path=/x", f"/containers/{CONTAINER}/archive"),
        ("POST /containers/nginx/attach?stream=1", f"/containers/{CONTAINER}/attach"),
        (f"GET /exec/{EXECUTION}/json", f"/exec/{EXECUTION}/json"),
        ("GET /networks/app", "/networks/r1_app"),
        ("GET /volumes/v", "/volumes/r1_v"),
        ("GET /images/localhost:5000/a/b:1/json", "/images/localhost:5000/a/b:1/json"),
    ],
)
def test_names_become_the_engines(line: str, path: str) -> None:
    assert passed(line).path == path


@pytest.mark.parametrize(
    "line",
    [
        "GET /containers/other/json", "GET /containers/other/logs", "GET /containers/other/archive?path=/",
        "PUT /containers/other/archive?path=/", "POST /containers/other/attach", "POST /containers/other/exec",
        "POST /containers/other/kill", "POST /containers/other/rename?name=x", "DELETE /containers/other",
        "GET /containers/other/export", "POST /commit?container=other", "GET /exec/0000/json",
        "POST /exec/0000/start", "GET /networks/other", "DELETE /networks/host", "POST /networks/other/connect",
    ],
)  # fmt: skip
def test_what_is_not_the_runs_is_not_there(line: str) -> None:
    assert refusal(line, {"Container": "nginx"} if line.endswith("connect") else {}).status == 404


def test_another_runs_container_is_not_put_into_a_network() -> None:
    assert refusal("POST /networks/app/connect", {"Container": "other"}).status == 404


def test_a_container_is_found_by_its_name_in_a_network_that_it_joins_later() -> None:
    done = passed("POST /networks/app/connect", {"Container": "nginx", "EndpointConfig": {}})
    assert done.body == {"Container": CONTAINER, "EndpointConfig": {"Aliases": ["nginx"]}}


def test_an_exec_has_no_privileges() -> None:
    assert "Privileged" in refusal("POST /containers/nginx/exec", {"Cmd": ["sh"], "Privileged": True}).message
    done = passed("POST /containers/nginx/exec", {"Cmd": ["sh"], "Env": ["A=b"], "Privileged": False})
    assert done.body == {"Cmd": ("sh",), "Env": ("A=b",)}


def test_an_exec_is_a_stream_unless_it_is_detached() -> None:
    line = f"POST /exec/{EXECUTION}/start"
    assert passed(line, {"Tty": True}).manner is Manner.HIJACK
    assert passed(line, {"Detach": True}).manner is Manner.CALL


@pytest.mark.parametrize("line", ["/containers/json", "/networks", "/volumes"])
def test_lists_hold_the_runs_own(line: str) -> None:
    (query,) = passed(f'GET {line}?filters={{"label":{{"a":true}},"name":["^/web"]}}').query
    assert query[0] == "filters"
    assert json.loads(query[1]) == {"label": ["a", "entrepot.own=r1"], "name": ["^/?r1_web"]}


@pytest.mark.parametrize("filters", ["[]", "{", '{"volume":["x"]}', '{"label":"x"}', "1"])
def test_a_filter_that_is_not_known_is_refused(filters: str) -> None:
    refusal(f"GET /containers/json?filters={filters}")


def test_what_is_pruned_is_the_runs_own() -> None:
    assert passed("POST /volumes/prune").query == (("filters", '{"label":["entrepot.own=r1"]}'),)


def test_a_removed_container_takes_its_nameless_volumes_along() -> None:
    assert passed("DELETE /containers/nginx?v=0&link=0").query == (("v", "1"),)


def test_a_query_that_is_not_known_is_refused() -> None:
    assert "link=1" in refusal("DELETE /containers/nginx?link=1").message
    assert refusal("POST /containers/create?name=a&name=b", {"Image": "x"}).status == 400


def test_a_network_for_which_there_is_no_room_is_refused() -> None:
    assert refusal("POST /networks/create", {"Name": "one-too-many"}).message == "no room"


def test_a_network_is_a_plain_bridge_of_the_run() -> None:
    done = passed(
        "POST /networks/create", {"Name": "n", "Driver": "bridge", "IPAM": {"Driver": "default"}, "EnableIPv4": True}
    )
    assert done.body is not None
    assert (done.body["Name"], done.body["Driver"], done.body["Internal"]) == ("r1_n", "bridge", False)


@pytest.mark.parametrize(
    "body",
    [
        {"Name": "bridge"}, {"Name": "host"}, {"Name": "n", "Driver": "macvlan"}, {"Name": "n", "Driver": "host"},
        {"Name": "n", "Options": {"com.docker.network.bridge.name": "docker0"}}, {"Name": "n", "Ingress": True},
        {"Name": "n", "IPAM": {"Config": [{"Subnet": "8.8.8.0/24"}]}}, {"Name": "n", "ConfigFrom": {"Network": "x"}},
        {"Name": "n", "Scope": "swarm"}, {"Name": "n", "EnableIPv6": True}, {"Name": ""},
    ],
)  # fmt: skip
def test_a_network_has_no_settings_of_its_own(body: Json) -> None:
    refusal("POST /networks/create", body)


@pytest.mark.parametrize(
    "body",
    [
        {"Name": "v", "DriverOpts": {"type": "none", "o": "bind", "device": "/"}},
        {"Name": "v", "Driver": "sshfs"},
        {"Name": "../v"},
        {"Name": "v", "ClusterVolumeSpec": {"Group": "x"}},
    ],
)
def test_a_volume_has_no_options(body: Json) -> None:
    refusal("POST /volumes/create", body)


def test_a_volume_without_a_name_is_given_one() -> None:
    done = passed("POST /volumes/create", {"Driver": "local"})
    assert done.body is not None
    assert done.body["Name"] == "r1_nameless"


def test_buildkits_own_interface_is_open_where_the_engine_keeps_builds_out_of_its_network() -> None:
    assert "builder.entitlements" in refusal("POST /grpc").message
    assert passed("POST /grpc", run=RecordingRun(grpc=True)).manner is Manner.HIJACK


def test_what_is_told_of_the_machine_is_what_clients_decide_by() -> None:
    done = passed("GET /info")
    assert done.answer is not None
    told = json.loads(
        done.answer(b'{"OSType":"linux","HttpProxy":"http://user:secret@proxy","Containers":3,"Name":"host"}')
    )
    assert told == {"OSType": "linux", "Name": "r1", "DriverStatus": []}


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (b'[["Backing Filesystem","xfs"],["Data loop file","/var/lib/data"]]', []),
        (
            b'[["driver-type","io.containerd.snapshotter.v1"],["x","y"]]',
            [["driver-type", "io.containerd.snapshotter.v1"]],
        ),
        (b"null", []),
    ],
)
def test_of_the_engine_s_store_it_is_told_whether_it_is_containerd_s(status: bytes, told: list[list[str]]) -> None:
    done = passed("GET /info")
    assert done.answer is not None
    assert json.loads(done.answer(b'{"DriverStatus":' + status + b"}"))["DriverStatus"] == told
