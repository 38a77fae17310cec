"""Networks, configuration, log-ins, volumes: before the first step (ACR-TASKS 1.4, 2.2, 2.6)."""

import base64
import json

from tests.unit.tasks.execution.recording import Bench, ends

from entrepot.tasks.execution.model import Ending, Login

LOGIN = Login("a.example.com", "--user", "s3cret")
OWN = Login("app.example.com", "run", "s3cret")
SECRET = b"exact $x `id` bytes\x00 without a newline"
VOLUMES = f"""
volumes:
  - name: files
    secret: {{token: {base64.b64encode(SECRET).decode()}, b.txt: ''}}
  - name: unused
    secret: {{x: eA==}}
"""


def test_a_run_has_a_network_for_its_steps_and_removes_it(bench: Bench) -> None:
    bench.run("steps: [{cmd: x}]")
    assert bench.machine.texts[0] == "docker network create --driver bridge -- acb_default_network"
    assert bench.machine.texts[-1] == "docker network rm -- acb_default_network"
    assert bench.log.lines[:4] == [
        "Creating Docker network: acb_default_network, driver: 'bridge'",
        "Successfully set up Docker network: acb_default_network",
        "Setting up Docker configuration...",
        "Successfully set up Docker configuration",
    ]


def test_networks_are_made_as_the_file_says(bench: Bench) -> None:
    text = """
networks:
  - {name: a, driver: bridge, ipv6: true}
  - {name: there, skipCreation: true, isDefault: true}
  - {name: b}
steps: [{id: s, cmd: x}, {id: t, cmd: x, network: b}]
"""
    bench.run(text)
    assert bench.machine.texts[:2] == [
        "docker network create --driver bridge --ipv6 -- a",
        "docker network create -- b",
    ]
    assert bench.machine.texts[-1] == "docker network rm -- a b"
    assert bench.told("Skip creating network: there")
    assert "--network there" in bench.machine.of("--name s ")[0].text
    assert "--network b" in bench.machine.of("--name t ")[0].text


def test_a_network_that_cannot_be_made_ends_the_run_and_the_others_are_removed(bench: Bench) -> None:
    bench.machine.on("network create.* bad", ends(1, b"invalid driver\n"))
    outcome = bench.run("networks: [{name: a}, {name: bad}]\nsteps: [{cmd: x}]")
    assert (outcome.ending, outcome.error) == (Ending.FAILED, "failed to create network bad: invalid driver")
    assert bench.machine.texts[-1] == "docker network rm -- a"
    assert bench.machine.of("docker run") == []


def test_the_docker_configuration_names_tasks_to_registries(bench: Bench) -> None:
    bench.run("steps: [{cmd: x}]")
    assert json.loads(bench.machine.files["/acb/home/.docker/config.json"]) == {
        "experimental": "enabled",
        "HttpHeaders": {"X-Meta-Source-Client": "azure/acr/tasks"},
    }


def test_a_password_is_on_no_command_line(bench: Bench) -> None:
    bench.logins = (LOGIN,)
    bench.run("steps: [{cmd: x}]")
    (login,) = bench.machine.of("docker login")
    assert login.text == "docker login --username --user --password-stdin -- a.example.com"
    assert login.call.input == b"s3cret"
    assert "s3cret" not in repr(LOGIN)
    assert not bench.told("s3cret")


def test_nobody_asks_the_runs_own_registry_whether_its_password_is_good(bench: Bench) -> None:
    bench.logins = (OWN,)
    bench.run("steps: [{cmd: x}]")
    kept = json.loads(bench.machine.files["/acb/home/.docker/config.json"])
    assert kept["auths"] == {"app.example.com": {"auth": "cnVuOnMzY3JldA=="}}
    assert bench.machine.of("docker login") == []
    assert bench.told("Successfully logged into app.example.com")


def test_a_log_in_has_four_tries_with_growing_pauses(bench: Bench) -> None:
    bench.logins = (LOGIN,)
    bench.machine.on("docker login", ends(1), ends(1), ends(1), ends(0))
    assert bench.run("steps: [{cmd: x}]").ending is Ending.SUCCEEDED
    assert bench.clock.waits == [0.25, 0.5, 1.0]


def test_a_log_in_that_fails_ends_the_run_with_what_the_registry_said(bench: Bench) -> None:
    bench.logins = (LOGIN, Login("b.example.com", "u", "p"))
    bench.machine.on("docker login", ends(1, b"Error response:\n unauthorized\n"))
    outcome = bench.run("steps: [{id: a, cmd: x}]")
    assert outcome.error == (
        "failed to login, ran out of retries: failed to set docker credentials: Error response: unauthorized"
    )
    assert len(bench.machine.of("docker login")) == 4
    assert bench.machine.of("docker run") == []
    assert [step.id for step in outcome.steps] == ["a"]


def test_all_tries_of_a_log_in_have_one_limit(bench: Bench) -> None:
    bench.logins = (LOGIN,)
    bench.machine.on("docker login", ends(1, seconds=200))
    outcome = bench.run("steps: [{cmd: x}]")
    assert outcome.error.endswith("timed out (the log-in's limit of 300 seconds)")
    assert len(bench.machine.of("docker login")) == 2


def test_the_runs_limit_holds_before_its_steps_too(bench: Bench) -> None:
    bench.timeout, bench.logins = 100, (LOGIN,)
    bench.machine.on("docker login", ends(1, seconds=200))
    outcome = bench.run("steps: [{cmd: x}]")
    assert (outcome.ending, outcome.error) == (Ending.TIMED_OUT, "timed out (the run's limit of 100 seconds)")


def test_a_volume_has_exactly_the_bytes_that_the_file_says(bench: Bench) -> None:
    bench.run(VOLUMES + "steps: [{id: a, cmd: x, volumeMounts: [{name: files, mountPath: /run/v}]}]")
    folder = "/acb/home/.entrepot/volumes/files"
    written = {path: content for path, content in bench.machine.files.items() if "volumes" in path}
    assert written == {f"{folder}/token": SECRET, f"{folder}/b.txt": b""}
    start = bench.machine.texts.index("chmod -R a+rX /acb/home/.entrepot/volumes")
    assert bench.machine.texts[start + 1 : start + 5] == [
        "docker build --quiet --tag entrepot-empty:r1 -",
        "docker create --name acb_volume_files --volume files:/files entrepot-empty:r1 none",
        f"docker cp {folder}/. acb_volume_files:/files",
        "docker image rm -- entrepot-empty:r1",
    ]
    assert bench.machine.removed == ["acb_volume_files"]
    assert "--volume files:/run/v " in bench.machine.of("--name a ")[0].text
    assert bench.told("Volume source files successfully created")
    assert not any(SECRET[:5].decode() in text for text in bench.machine.texts)


def test_a_volume_that_only_builds_mount_is_a_folder(bench: Bench) -> None:
    text = "steps: [{build: '--secret id=t,src=/run/v/token .', volumeMounts: [{name: files, mountPath: /run/v}]}]"
    bench.run(VOLUMES + text)
    assert bench.machine.of("create --name") == []
    assert bench.machine.texts[-2].endswith("--secret id=t,src=/acb/home/.entrepot/volumes/files/token .")


def test_a_volume_that_nobody_mounts_is_not_made(bench: Bench) -> None:
    bench.run(VOLUMES + "steps: [{cmd: x}]")
    assert list(bench.machine.files) == ["/acb/home/.docker/config.json"]


def test_a_volume_that_cannot_be_made_ends_the_run(bench: Bench) -> None:
    bench.machine.on("docker cp", ends(1, b"no space left"))
    outcome = bench.run(VOLUMES + "steps: [{cmd: x, volumeMounts: [{name: files, mountPath: /run/v}]}]")
    assert outcome.error == "failed to make volumes: no space left"
    assert bench.machine.of("docker run") == []


def test_the_log_tells_of_aliases_and_of_keys_that_mean_nothing(bench: Bench) -> None:
    bench.run("version: v1.1.0\nsteps:\n  - cmd: x\n    dettach: true\n")
    assert bench.log.lines[0].startswith("Alias support enabled for version >= 1.1.0, please see https://aka.ms/")
    assert bench.log.lines[1] == "Warning: line 4: unknown key 'dettach' is ignored (did you mean detach?)"


def test_a_volume_of_one_letter_is_no_drive_of_windows(bench: Bench) -> None:
    text = "volumes: [{name: v, secret: {x: eA==}}]\nsteps: [{id: a, cmd: x, volumeMounts: [{name: v, mountPath: /m}]}]"
    bench.run(text)
    assert "--volume v_:/files " in bench.machine.of("create --name")[0].text
    assert "--volume v_:/m " in bench.machine.of("--name a ")[0].text
