from typing import Any

import pytest
from tests.unit.tasks.engines.docker.recording import CONTAINER, LABELS, RecordingRun, passed

from entrepot.tasks.engines.docker.proxy.model import Json, Refused
from entrepot.tasks.engines.model import Allowance


def created(host: Json | None = None, run: RecordingRun | None = None, /, **members: object) -> dict[str, Any]:
    body: Json = {"Image": "app", "HostConfig": host or {}, **members}
    done = passed("POST /v1.41/containers/create?name=web", body, run)
    assert done.body is not None
    return dict(done.body)


def refusal(host: Json | None = None, **members: object) -> str:
    with pytest.raises(Refused) as told:
        passed("POST /containers/create?name=web", {"Image": "app", "HostConfig": host or {}, **members})
    return told.value.message


def test_a_container_is_named_for_its_run_and_carries_its_labels() -> None:
    done = passed("POST /containers/create?name=web", {"Image": "app", "Labels": {"a": "b", "entrepot.own": "r2"}})
    assert done.query == (("name", "r1_web"),)
    assert done.body is not None
    assert done.body["Labels"] == {"a": "b", **LABELS}


def test_a_container_without_a_name_is_given_one() -> None:
    assert passed("POST /containers/create", {"Image": "app"}).query == (("name", "r1_nameless"),)


def test_what_it_runs_passes() -> None:
    body = created(
        Cmd=["a", "b"], Env=["X=1"], Entrypoint=[""], WorkingDir="/w", User="1", Tty=True, ExposedPorts={"80/tcp": {}}
    )
    assert (body["Cmd"], body["Env"], body["Entrypoint"]) == (("a", "b"), ["X=1"], ("",))
    assert (body["WorkingDir"], body["User"], body["Tty"]) == ("/w", "1", True)
    assert body["ExposedPorts"] == {"80/tcp": {}}


@pytest.mark.parametrize("member", ["MaskedPaths", "ReadonlyPaths"])
def test_what_is_hidden_of_the_kernel_stays_hidden(member: str) -> None:
    """An empty list, other than none at all, would hide nothing."""
    assert member not in created({member: []})["HostConfig"]


# What the docker client of 20.10 sends for ``docker run IMAGE``, beside what is not empty.
EMPTY: Json = {
    "Binds": None, "ContainerIDFile": "", "LogConfig": {"Type": "", "Config": {}}, "NetworkMode": "default",
    "PortBindings": {}, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "AutoRemove": True,
    "VolumeDriver": "", "VolumesFrom": None, "CapAdd": None, "CapDrop": None, "CgroupnsMode": "", "Dns": [],
    "DnsOptions": [], "DnsSearch": [], "ExtraHosts": None, "GroupAdd": None, "IpcMode": "", "Cgroup": "",
    "Links": None, "OomScoreAdj": 0, "PidMode": "", "Privileged": False, "PublishAllPorts": False,
    "ReadonlyRootfs": False, "SecurityOpt": None, "UTSMode": "", "UsernsMode": "", "ShmSize": 0,
    "ConsoleSize": [24, 80], "Isolation": "", "CpuShares": 0, "Memory": 0, "NanoCpus": 0, "CgroupParent": "",
    "BlkioWeight": 0, "BlkioWeightDevice": [], "BlkioDeviceReadBps": None, "CpuPeriod": 0, "CpuQuota": 0,
    "CpusetCpus": "", "CpusetMems": "", "Devices": [], "DeviceCgroupRules": None, "DeviceRequests": None,
    "KernelMemory": 0, "MemoryReservation": 0, "MemorySwap": 0, "MemorySwappiness": -1, "OomKillDisable": False,
    "PidsLimit": 0, "Ulimits": None, "CpuCount": 0, "IOMaximumBandwidth": 0, "MaskedPaths": None,
    "ReadonlyPaths": None,
}  # fmt: skip


def test_what_clients_send_empty_counts_as_not_given() -> None:
    host = created(EMPTY)["HostConfig"]
    assert host["AutoRemove"] is True
    assert not host.keys() & {"Privileged", "CapAdd", "Devices", "MaskedPaths", "MemorySwappiness", "ConsoleSize"}


# What pack sends for a container of the lifecycle that has the socket, beside what is empty.
LIFECYCLE: Json = {
    "Binds": ["/var/run/docker.sock:/var/run/docker.sock", "pack-layers-x:/layers"], "SecurityOpt": ["label=disable"],
    "LogConfig": {"Type": "", "Config": None}, "RestartPolicy": {"Name": "", "MaximumRetryCount": 0},
    "ConsoleSize": [0, 0], "MemorySwappiness": None,
}  # fmt: skip


def test_a_container_of_buildpacks_keeps_its_label() -> None:
    host = created(LIFECYCLE)["HostConfig"]
    assert host["SecurityOpt"] == []
    assert created({"SecurityOpt": ["label=disable", "no-new-privileges"]})["HostConfig"]["SecurityOpt"] == [
        "no-new-privileges"
    ]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("Privileged", True),
        ("privileged", True),
        ("CapAdd", ["SYS_ADMIN"]),
        ("Devices", [{"PathOnHost": "/dev/sda"}]),
        ("DeviceRequests", [{"Driver": "nvidia"}]),
        ("DeviceCgroupRules", ["a *:* rwm"]),
        ("PidMode", "host"),
        ("PidMode", "container:nginx"),
        ("UTSMode", "host"),
        ("UsernsMode", "host"),
        ("IpcMode", "host"),
        ("IpcMode", "container:nginx"),
        ("CgroupnsMode", "host"),
        ("CgroupParent", "/"),
        ("SecurityOpt", ["seccomp=unconfined"]),
        ("SecurityOpt", ["no-new-privileges", "apparmor=unconfined"]),
        ("SecurityOpt", ["label=disable", "label=type:spc_t"]),
        ("MaskedPaths", ["/proc/kcore"]),
        ("ReadonlyPaths", ["/proc/sys"]),
        ("Runtime", "other"),
        ("Sysctls", {"net.ipv4.ip_forward": "1"}),
        ("StorageOpt", {"size": "1T"}),
        ("OomScoreAdj", -1000),
        ("Ulimits", [{"Name": "nofile", "Soft": 1, "Hard": 1}]),
        ("VolumeDriver", "sshfs"),
        ("LogConfig", {"Type": "syslog", "Config": {"syslog-address": "tcp://10.0.0.1"}}),
        ("RestartPolicy", {"Name": "always"}),
        ("Links", ["nginx:web"]),
        ("CpuQuota", 100000),
        ("NewerThanThis", 1),
        ("Binds", "/:/host"),
        ("NanoCpus", -1),
    ],
)
def test_what_is_not_known_to_be_harmless_is_refused(member: str, value: object) -> None:
    assert member in refusal({member: value}) or "HostConfig." in refusal({member: value})


@pytest.mark.parametrize(
    "source", ["/", "/etc", "/var/run", "/var/run/docker.sock/..", "../x", "./x", "~/x", "//var/run/docker.sock"]
)
def test_no_folder_of_the_machine_is_mounted(source: str) -> None:
    assert "may not mount" in refusal({"Binds": [f"{source}:/host"]})
    assert "may not mount" in refusal({"Mounts": [{"Type": "bind", "Source": source, "Target": "/host"}]})
    assert "may not mount" in refusal({"Mounts": [{"Type": "volume", "Source": source, "Target": "/host"}]})


@pytest.mark.parametrize(
    "options", [{"DriverConfig": {"Name": "local", "Options": {"o": "bind"}}}, {"Labels": {"a": "b"}}]
)
def test_a_mounted_volume_has_no_driver(options: Json) -> None:
    with pytest.raises(Refused):
        created({"Mounts": [{"Type": "volume", "Source": "v", "Target": "/v", "VolumeOptions": options}]})


@pytest.mark.parametrize("kind", ["npipe", "cluster", "image"])
def test_other_kinds_of_mounts_are_refused(kind: str) -> None:
    assert "Mounts" in refusal({"Mounts": [{"Type": kind, "Source": "v", "Target": "/v"}]})


def test_the_engines_socket_is_the_runs_own() -> None:
    run = RecordingRun()
    mount = {"Type": "bind", "Source": "/var/run/docker.sock", "Target": "/docker.sock"}
    host = created({"Binds": ["/var/run/docker.sock:/var/run/docker.sock:ro"], "Mounts": [mount]}, run)["HostConfig"]
    assert host["Binds"] == [f"{run.socket}:/var/run/docker.sock"]
    assert [mount["Source"] for mount in host["Mounts"]] == [run.socket]


def test_a_volume_is_the_runs_own_and_made_before_the_engine_makes_it() -> None:
    run = RecordingRun()
    host = created({"Binds": ["cache:/cache:ro"], "Mounts": [{"Type": "volume", "Source": "v", "Target": "/v"}]}, run)[
        "HostConfig"
    ]
    assert host["Binds"] == ["r1_cache:/cache:ro"]
    assert host["Mounts"] == [{"Type": "volume", "Target": "/v", "Source": "r1_v"}]
    assert run.volumes == ["cache", "v"]


@pytest.mark.parametrize("bind", ["v:/v:shared", "v:/v:rw,rshared", "v", "v:relative", ":/v"])
def test_a_volume_is_mounted_simply(bind: str) -> None:
    with pytest.raises(Refused):
        created({"Binds": [bind]})


@pytest.mark.parametrize(
    "host",
    [
        {"Binds": ["cache:/x,source=/etc"]},
        {"Mounts": [{"Type": "tmpfs", "Target": "/x,source=/etc,type=bind"}]},
        {"Mounts": [{"Type": "volume", "Source": "cache", "Target": "/x:/etc"}]},
        {"Tmpfs": {"/x:/etc": ""}},
        {"Tmpfs": {"/x": "rw:/etc"}},
        {"GroupAdd": ["keep-groups"]},
    ],
)
def test_no_text_says_more_than_its_place_does(host: Json) -> None:
    with pytest.raises(Refused):
        created(host)


@pytest.mark.parametrize("path", ["/etc:/x", "v:/v", "relative", "/x,y"])
def test_a_nameless_volume_is_a_folder_of_the_container(path: str) -> None:
    with pytest.raises(Refused, match="Volumes"):
        passed("POST /containers/create", {"Image": "x", "Volumes": {path: {}}})


def test_volumes_come_only_from_the_runs_own_containers() -> None:
    assert created({"VolumesFrom": ["nginx:ro"]})["HostConfig"]["VolumesFrom"] == [f"{CONTAINER}:ro"]
    assert "No such container" in refusal({"VolumesFrom": ["other"]})


@pytest.mark.parametrize(
    ("mode", "engines"),
    [("", "r1_bridge"), ("default", "r1_bridge"), ("bridge", "r1_bridge"), ("none", "none"), ("app", "r1_app"),
     ("container:nginx", f"container:{CONTAINER}")],
)  # fmt: skip
def test_a_network_is_the_runs_own(mode: str, engines: str) -> None:
    assert created({"NetworkMode": mode})["HostConfig"]["NetworkMode"] == engines


@pytest.mark.parametrize("mode", ["host", "other", "container:other", "container:", "ns:/proc/1/ns/net"])
def test_no_other_network_is_entered(mode: str) -> None:
    with pytest.raises(Refused) as told:
        created({"NetworkMode": mode})
    assert told.value.status == 400  # a client would take 404 for a missing image
    assert "not found" in refusal({"NetworkMode": mode}) or "No such" in refusal({"NetworkMode": mode})


def test_a_container_is_found_by_its_name_in_the_runs_networks() -> None:
    assert created({"NetworkMode": "app"})["NetworkingConfig"] == {"EndpointsConfig": {"r1_app": {"Aliases": ["web"]}}}


def test_a_containers_own_aliases_stay() -> None:
    networking = {"EndpointsConfig": {"app": {"Aliases": ["db", "web"], "NetworkID": ""}}}
    body = created({"NetworkMode": "app"}, NetworkingConfig=networking)
    assert body["NetworkingConfig"]["EndpointsConfig"]["r1_app"]["Aliases"] == ["db", "web"]


def test_an_endpoint_is_in_a_network_of_the_run() -> None:
    assert "not found" in refusal(NetworkingConfig={"EndpointsConfig": {"other": {}}})
    assert "DriverOpts" in refusal(NetworkingConfig={"EndpointsConfig": {"app": {"DriverOpts": {"a": "b"}}}})


def test_ports_are_not_published_on_the_machine() -> None:
    host = created({"PortBindings": {"80/tcp": [{"HostPort": "80"}]}, "PublishAllPorts": True})["HostConfig"]
    assert not host.keys() & {"PortBindings", "PublishAllPorts"}


@pytest.mark.parametrize(
    ("asked", "may", "given"), [(0, 100, 100), (50, 100, 50), (200, 100, 100), (200, None, 200), (0, None, 0)]
)
def test_a_container_uses_no_more_than_its_run_may(asked: int, may: int | None, given: int) -> None:
    run = RecordingRun(allowance=Allowance(memory=may, cpus=None if may is None else may / 1e9, processes=may))
    host = created({"Memory": asked, "MemorySwap": -1, "NanoCpus": asked, "PidsLimit": asked or -1}, run)["HostConfig"]
    assert [host[name] for name in ("Memory", "MemorySwap", "NanoCpus", "PidsLimit")] == [given] * 4


def test_a_log_is_bounded() -> None:
    assert created({"LogConfig": {"Type": "json-file"}})["HostConfig"]["LogConfig"]["Config"]["max-size"] == "64m"


@pytest.mark.parametrize(
    ("members", "is_removed", "kind"),
    [
        ({"AttachStdout": True}, True, "none"),  # whoever started it has all of its output
        ({"AttachStdout": True}, False, "json-file"),
        ({}, True, "json-file"),
    ],
)
def test_the_engine_keeps_no_output_that_somebody_follows(
    members: dict[str, object], is_removed: bool, kind: str
) -> None:
    assert created({"AutoRemove": is_removed}, **members)["HostConfig"]["LogConfig"]["Type"] == kind


def test_an_engine_whose_limits_are_capped_gives_its_own() -> None:
    ulimits: tuple[Json, ...] = ({"Name": "nofile", "Soft": 1024, "Hard": 1024},)
    assert created({}, RecordingRun(ulimits=ulimits))["HostConfig"]["Ulimits"] == list(ulimits)


@pytest.mark.parametrize("name", ["-x", "a/b", "", "a b", ".machine", "x" * 200])
def test_a_name_that_docker_would_not_take_is_refused(name: str) -> None:
    with pytest.raises(Refused):
        passed("POST /containers/nginx/rename?name=" + name.replace(" ", "+"))
