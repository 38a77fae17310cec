"""Whole task files: what they become, and what is refused (ACR-TASKS 1.3 to 2.6 and 11)."""

import pytest

from entrepot.tasks.language.findings import Place, TaskInvalid
from entrepot.tasks.language.reading import Given, Run, Task, read_task, rendered

RUN = Run(id="ab1", registry="mine.example.com", registry_name="mine", task_name="nightly")
IMAGES = {"bash": "mirror.example.com/bash:1"}


def read(text: str, **values: object) -> Task:
    return read_task(text, Given(RUN, values, {"token": "t"}, IMAGES))


def refused(text: str) -> list[str]:
    with pytest.raises(TaskInvalid) as raised:
        read(text)
    return [finding.message for finding in raised.value.findings if finding.is_error]


def steps(*lines: str) -> str:
    return "steps:\n" + "".join(f"- {line}\n" for line in lines)


def test_a_task_has_its_defaults() -> None:
    (step,) = read(steps("cmd: bash echo hello")).steps
    assert (step.id, step.timeout, step.retry_delay, step.network) == ("acb_step_0", 600, 5, "acb_default_network")
    assert step.cmd == "bash echo hello"  # aliases need a version


def test_an_alias_of_an_image_needs_the_version() -> None:
    (step,) = read("version: v1.1.0\n" + steps("cmd: bash echo $ID")).steps
    assert step.cmd == "mirror.example.com/bash:1 echo ab1"


@pytest.mark.parametrize("version", ["", "version: v1.0.0\n", "version: 1.0-preview-1\n", "version: V1.1.0\n"])
def test_older_versions_are_taken(version: str) -> None:
    assert read(version + steps("cmd: x")).steps[0].cmd == "x"


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0", "v1.2.0", "v1.0.0-alpha", "foo"])
def test_other_versions_are_refused(version: str) -> None:
    (message,) = refused(f"version: {version}\n" + steps("cmd: x"))
    assert message == f'invalid version specified: "{version}", the current version is "v1.0.0"'


@pytest.mark.parametrize("text", ["", "# only a comment\n", "version: v1.1.0\n", "steps:\n"])
def test_a_task_without_steps_does_nothing(text: str) -> None:
    assert read(text).steps == ()


def test_a_task_that_renders_to_nothing_is_refused() -> None:
    assert refused("{{if false}}x{{end}}") == ["unable to render task: rendered template was empty"]


def test_values_secrets_and_the_run_are_put_in() -> None:
    text = steps("cmd: a {{.Run.Registry}}/{{.Values.name}}:{{.Run.ID}} {{.Secrets.token}} {{.Build.ID}}")
    assert read(text, name="app").steps[0].cmd == "a mine.example.com/app:ab1 t ab1"


def test_a_value_may_hold_yaml() -> None:
    text = "version: v1.1.0\nalias:\n  values:\n    two: |\n      [{cmd: x}, {cmd: y}]\nsteps: $two\n"
    assert [step.cmd for step in read(text).steps] == ["x", "y"]


def test_what_is_rendered_can_be_seen() -> None:
    assert rendered("# c\nsteps: [{cmd: '{{.Run.ID}}'}]\n", Given(RUN)) == "steps: [{cmd: 'ab1'}]\n"


@pytest.mark.parametrize(
    ("when", "parents"),
    [
        (["", "", ""], [(), ("acb_step_0",), ("acb_step_1",)]),
        (["", ", when: ['-']", ""], [(), (), ("acb_step_1",)]),
        (["", ", when: ['-']", ", when: [acb_step_0, acb_step_1]"], [(), (), ("acb_step_0", "acb_step_1")]),
        (["", ", when: []", ", when: [acb_step_0, acb_step_0]"], [(), ("acb_step_0",), ("acb_step_0",)]),
    ],
)
def test_a_step_waits_for_those_that_it_names_or_for_the_one_above(
    when: list[str], parents: list[tuple[str, ...]]
) -> None:
    task = read(steps(*(f"{{cmd: x{each}}}" for each in when)))
    assert list(task.parents.values()) == parents


def test_the_task_s_environment_is_merged_by_name() -> None:
    text = "env: ['a=1,b=2', c=3]\n" + steps("{cmd: x, env: ['b=own,with,commas', d=4]}", "cmd: y")
    first, second = read(text).steps
    assert first.env == ["a=1", "c=3", "b=own,with,commas", "d=4"]
    assert second.env == ["a=1", "b=2", "c=3"]


def test_what_the_task_says_of_all_steps_is_theirs_unless_they_say() -> None:
    text = "stepTimeout: 20\nworkingDirectory: src\n" + steps(
        "cmd: x", "{cmd: y, timeout: 5, workingDirectory: /, network: host, retryDelay: 90}"
    )
    first, second = read(text).steps
    assert (first.timeout, first.working_directory) == (20, "src")
    assert (second.timeout, second.working_directory, second.network, second.retry_delay) == (5, "/", "host", 90)


@pytest.mark.parametrize(
    ("networks", "network"),
    [
        ("", "acb_default_network"),
        ("networks: [{name: a}]\n", ""),
        ("networks: [{name: a, isDefault: true}, {name: b, isDefault: true}, {name: c}]\n", "b"),
    ],
)
def test_the_last_default_network_is_the_steps(networks: str, network: str) -> None:
    assert read(networks + steps("cmd: x")).steps[0].network == network


VOLUME = "volumes: [{name: v, secret: {f: eA==}}]\n"
NO_SOURCE = (
    "secret should contain either keyvault property for vault secret, "
    "or msi clientID/aadResourceId for msi authentication"
)
VAULT = "https://v.example.com/secrets/one"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (steps("id: a"), "step is missing a cmd, build, or push property"),
        (steps("push: []"), "step is missing a cmd, build, or push property"),
        (steps("{cmd: x, build: y}"), "step must only contain a single build, cmd, or push property"),
        (steps("{cmd: x, id: a b}"), "step ID cannot contain spaces"),
        (steps("{cmd: x, id: a}", "{cmd: y, id: a}"), "a already exists as a vertex"),
        (steps("{cmd: x, id: acb_step_1}", "cmd: y"), "acb_step_1 already exists as a vertex"),
        (steps("{cmd: x, id: acb_root}"), "acb_root is a reserved ID, it can't be used"),
        (
            steps("{cmd: x, id: a}", "{cmd: y, when: ['-', a]}"),
            "step cannot contain other IDs in when if the immediate execution token is specified",
        ),
        (steps("{cmd: x, id: a, when: [a]}"), "Step ID: a is self-referenced"),
        (steps("{cmd: x, when: [acb_step_0]}"), "Step ID: acb_step_0 is self-referenced"),
        (
            steps("{cmd: x, id: a, when: [b]}", "{cmd: y, id: b}"),
            "b does not exist as a vertex [from: b, to: a]",
        ),
        (steps("{cmd: x, when: ['']}"), "from cannot be empty"),
        (steps("{cmd: x, retries: -1}"), "step must specify retries >= 0"),
        (steps("{cmd: x, repeat: -1}"), "step must specify repeat >= 0"),
        (
            steps("{build: x, cache: maybe}"),
            "invalid value for cache property. Valid values are 'enabled', 'disabled'",
        ),
        (steps("{cmd: x, env: [A]}"), "cannot parse step environment variable A correctly"),
        ("env: ['A=1,B']\n" + steps("cmd: x"), "cannot parse task environment variable B correctly"),
        (
            VOLUME + steps("{push: [x], volumeMounts: [{name: v, mountPath: /a}]}"),
            "invalid use of Mounts. Mounts must have unique container paths and only used for cmd or build steps",
        ),
        (
            steps("{cmd: x, volumeMounts: [{name: v, mountPath: /a}]}"),
            "mount name, v, does not correspond to a volume",
        ),
        (VOLUME + steps("{cmd: x, volumeMounts: [{name: v}]}"), "mount name or mount path is empty"),
        (
            VOLUME + steps("{cmd: x, volumeMounts: [{name: v, mountPath: /a}, {name: v, mountPath: /a}]}"),
            "mount with duplicate container file path found",
        ),
        ("volumes: [{secret: {f: eA==}}]\n", "volume name is empty"),
        (
            "volumes: [{name: a b, secret: {f: eA==}}]\n",
            "volume name is not well formed. Only use alphanumeric and - _",
        ),
        ("volumes: [{name: v, secret: {f: ''}}, {name: v, secret: {f: ''}}]\n", "volume with duplicate name found"),
        ("volumes: [{name: v}]\n", "currently only support for source type secret"),
        ("volumes: [{name: v, secret: {f: '*'}}]\n", "failed to decode Base64 value. f"),
        (
            "volumes: [{name: v, secret: {..: eA==}}]\n",
            "file name '..' is not well formed. Only use alphanumeric and - _ .",
        ),
        ("secrets: [{keyvault: x}]\n", "secret is missing an ID as well as auto-generated ID"),
        (f"secrets: [{{id: a b, keyvault: '{VAULT}'}}]\n", "secret ID cannot contain spaces"),
        (
            f"secrets: [{{id: a, keyvault: '{VAULT}'}}, {{id: a, keyvault: '{VAULT}/2'}}]\n",
            "duplicate secret found with ID: a",
        ),
        (
            "secrets: [{id: a}]\n",
            NO_SOURCE,
        ),
        (
            "secrets: [{id: a, keyvault: 'http://v/secrets/x'}]\n",
            "invalid keyvault 'http://v/secrets/x': https://VAULT/secrets/NAME is expected",
        ),
        (f"secrets: [{{id: a, keyvault: '{VAULT}', clientID: me}}]\n", "msi client ID is not a valid guid"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_engine_s_text(text: str, message: str) -> None:
    assert message in refused(text)


def test_everything_that_is_wrong_is_told_at_once_with_its_place() -> None:
    with pytest.raises(TaskInvalid) as raised:
        read("# first\nsteps:\n- id: a\n  # between\n  cmd: x\n  retries: -1\n- push: [x]\n  when: [b]\n")
    assert [finding.place for finding in raised.value.findings] == [Place(6, 12), Place(8, 10)]


def test_places_are_those_of_the_file_also_below_an_alias_block() -> None:
    with pytest.raises(TaskInvalid) as raised:
        read("version: v1.1.0\n# c\nalias:\n  values:\n    a: b\nsteps:\n- cmd: $a\n  retries: -1\n")
    assert raised.value.findings[0].place == Place(8, 12)


def test_a_second_alias_block_counts_alone_as_the_last_of_equal_keys() -> None:
    text = "version: v1.1.0\nalias:\n  values: {a: one}\nsteps:\n- cmd: $a\nalias:\n  values: {a: two}\n"
    assert read(text).steps[0].cmd == "two"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("# c\nsteps:\n# c\n- cmd: x\n  timeout: soon\n", Place(5, 12)),
        ("# c\nsteps:\n- cmd: 'x\n", None),
        ("# c\nsteps:\n- cmd: {{nobody}}\n", Place(3, 10)),
        ("version: v1.1.0\n# c\nalias:\n  values:\n    a: [b]\nsteps:\n- cmd: x\n", Place(5, 8)),
        ("# c\nsteps:\n- cmd: x\n  timeout: soon", Place(4, 12)),
    ],
)
def test_a_file_that_cannot_be_read_tells_the_place_in_the_source(text: str, place: Place | None) -> None:
    with pytest.raises(TaskInvalid) as raised:
        read(text)
    found = raised.value.findings[0].place
    assert found is not None
    assert place is None or found == place


def test_keys_that_nobody_knows_are_warnings() -> None:
    (warning,) = read(steps("{cmd: x, mounts: []}")).warnings
    assert not warning.is_error


@pytest.mark.parametrize(
    "text",
    [
        steps("cmd: -t {{.Run.Registry}}/app", "cmd: docker stop acb_step_0"),
        steps("{cmd: bash -c 'echo $(date) >> hello.txt', workingDirectory: sub}", "cmd: bash cat hello.txt"),
        "version: v1.1.0\n" + steps("build: -t $Registry/app:$ID .", "push: [$Registry/app:$ID]"),
        steps("{id: web, cmd: nginx, detach: true, ports: ['8080:80']}", "cmd: curl http://web"),
        "version: v1.1.0\n" + steps("{build: -t $Registry/app ., cache: Enabled}"),
        "version: v1.1.0\n" + VOLUME + steps("{cmd: x, volumeMounts: [{name: v, mountPath: /run/s}]}"),
        f"secrets: [{{id: a, keyvault: '{VAULT}'}}]\n"
        + steps("cmd: bash echo '{{.Secrets.a}}' | docker login --password-stdin", "{cmd: x, exitedWith: [0, 3]}"),
        steps("cmd: >-\n    one\n    two", "cmd: |\n    a\n    b"),
    ],
)
def test_what_people_write_is_taken(text: str) -> None:
    assert read(text).steps
