"""Comment lines, the version's gate, and aliases (ACR-TASKS 1.1, 1.2, 3.3)."""

import pytest

from entrepot.tasks.language.aliases import (
    Aliases,
    expand_first_word,
    has_aliases,
    read_aliases,
    replace,
    split,
    version_of,
    without_comments,
)
from entrepot.tasks.language.findings import TaskInvalid

IMAGES = {"bash": "registry.example.com/bash:1", "pack": "registry.example.com/pack:1 pack"}


def nothing(source: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", source)


def read(block: str) -> Aliases:
    return read_aliases(block, {"Run": {"ID": "ab1"}, "Values": {"v": "value"}}, IMAGES, nothing)


def test_comment_lines_go_in_block_scalars_too() -> None:
    kept = without_comments("a: |\n  #!/bin/sh\n  echo x # stays\n# gone\nb: 1")
    assert kept.text == "a: |\n  echo x # stays\nb: 1"
    assert kept.lines == (1, 3, 5)


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("version: v1.1.0\n", True),
        ("steps: []\nversion: v1.1.0\n", True),
        ("---\r\nversion: v1.1.0\r\n", True),
        ("'version': v1.1.0\n", True),
        ('version: "v1.1.0" # yes\n', True),
        ("version:v1.1.0\n", True),
        ("version: v1.2.0\n", True),
        ("version: v1.0.0\n", False),
        ("version: V1.1.0\n", False),
        ("version: 1.1.0\n", False),
        (" version: v1.1.0\n", False),
        ("\ufeffversion: v1.1.0\n", False),
        ('{"version": "v1.1.0"}', False),
        ("", False),
    ],
)
def test_aliases_need_a_version_in_the_raw_text(text: str, is_open: bool) -> None:
    assert has_aliases(text) is is_open


def test_the_version_is_the_first_line_that_is_one() -> None:
    assert version_of("steps:\nversion: v1.0.0\nversion: v1.1.0\n") == "v1.0.0"


def test_the_block_reaches_to_the_next_key_at_the_margin() -> None:
    whole = without_comments("version: v1.1.0\nalias:\n  values:\n    a: b\n\nsteps:\n- cmd: $a\n")
    block, rest = split(whole)
    assert block == ("alias:\n  values:\n    a: b\n\n", (2, 3, 4, 5))
    assert rest == ("version: v1.1.0\nsteps:\n- cmd: $a\n", (1, 6, 7))


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("$name/x", "value/x"),
        ("$name$other", "valueelse"),
        ("$unknown", "$unknown"),
        ("$unknown$name", "$unknownvalue"),
        ("$$name", "$name"),
        ("$$$name", "$value"),
        ("${name} $(name) $ name$", "${name} $(name) $ name$"),
        ("$nameX $name2", "$nameX $name2"),
        ("$name_1 $name.x $name-b", "value_1 value.x value-b"),
        ("$again", "$name"),
        ("é$nameé", "évalueé"),
    ],
)
def test_a_name_is_replaced_once(text: str, replaced: str) -> None:
    assert replace(text, Aliases({"name": "value", "other": "else", "again": "$name"}, "$")) == replaced


def test_another_sign_may_stand_before_names() -> None:
    aliases = read("alias:\n  directive: 'é'\n  values: {a: b}\n")
    assert replace("éa $a éé", aliases) == "b $a é"


def test_values_have_any_type_and_templates() -> None:
    values = read(
        "alias:\n  values:\n    a: 5\n    b: yes\n    c: '{{.Values.v}}'\n    d: |\n      x\n      y\n"
    ).values
    assert (values["a"], values["b"], values["c"], values["d"]) == ("5", "yes", "value", "x\ny\n")


def test_variables_of_the_run_and_images_are_built_in_and_may_be_replaced() -> None:
    values = read("alias:\n  values: {ID: mine}\n").values
    assert (values["ID"], values["Registry"], values["bash"]) == ("mine", "{{.Run.Registry}}", IMAGES["bash"])


def test_sources_are_read_in_order_and_values_count_most() -> None:
    files = {"one": "a: 1\nb: 1\nc: 1\n# comment\n", "two": "b: 2\nc: 2\n", "empty": ""}
    block = "alias:\n  values: {c: 3}\n  src: [one, empty, two]\n"
    values = read_aliases(block, {}, {}, files.__getitem__).values
    assert [values[name] for name in "abc"] == ["1", "2", "3"]


@pytest.mark.parametrize("block", ["", "alias:\n", "alias: {}\n"])
def test_an_empty_block_is_fine(block: str) -> None:
    assert "ID" in read(block).values


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("alias:\n  values: {a-b: c}\n", "alias key names only support alphanumeric characters"),
        ("alias:\n  values: {é: c}\n", "alias key names only support alphanumeric characters"),
        ("alias:\n  directive: ab\n", "$ directive can only be overwritten by a single character"),
        ("alias:\n  directive: a\n", "overwritten directives may not be alphanumeric characters"),
        ("alias:\n  src: [absent]\n", "absent: No such file or directory"),
        ("alias:\n  values: text\n", "cannot unmarshal"),
    ],
)
def test_what_is_wrong_with_a_block_is_told(block: str, message: str) -> None:
    with pytest.raises(TaskInvalid) as raised:
        read(block)
    assert message in str(raised.value)


def test_a_source_that_is_no_list_of_names_is_an_error() -> None:
    with pytest.raises(TaskInvalid):
        read_aliases("alias:\n  src: [x]\n", {}, {}, lambda _: "- a\n- b\n")


@pytest.mark.parametrize(
    ("command", "expanded"),
    [
        ("bash echo bash", f"{IMAGES['bash']} echo bash"),
        ("  pack build ", f"{IMAGES['pack']} build"),
        ("bash:3 echo", "bash:3 echo"),
        ("nobody", "nobody"),
    ],
)
def test_the_first_word_of_a_command_may_be_an_alias(command: str, expanded: str) -> None:
    assert expand_first_word(command, Aliases(IMAGES, "$")) == expanded


def test_a_text_that_grows_without_end_is_refused() -> None:
    with pytest.raises(TaskInvalid, match="longer than"):
        replace("$a" * 2000, Aliases({"a": "x" * 1000}, "$"))
