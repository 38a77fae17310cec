"""YAML as ACR's engine reads it (ACR-TASKS 1.2; each row was measured there)."""

import pytest

from entrepot.tasks.language.documents import read_document, read_values
from entrepot.tasks.language.findings import Place, TaskInvalid
from entrepot.tasks.language.model import Step, TaskFile


def step(text: str) -> Step:
    return read_document(text, Step)[0]


@pytest.mark.parametrize(
    ("written", "read"),
    [("007", "007"), ("1.50", "1.50"), ("no", "no"), ("12:30:45", "12:30:45"), ("'x: y'", "x: y"), ("0x1F", "0x1F")],
)
def test_a_scalar_keeps_its_text_where_a_text_is_expected(written: str, read: str) -> None:
    assert step(f"user: {written}").user == read


def test_items_of_a_list_keep_their_texts() -> None:
    read = step("ports: [8080:50, 22:22, 80]\nenv: [A=no, B=yes]")
    assert read.ports == ["8080:50", "22:22", "80"]
    assert read.env == ["A=no", "B=yes"]


@pytest.mark.parametrize("text", ["yes", "on", "y", "true", "True", "ON"])
def test_a_word_for_yes_is_true(text: str) -> None:
    assert step(f"pull: {text}").pull


@pytest.mark.parametrize("text", ["no", "off", "n", "false", "OFF", "~", ""])
def test_a_word_for_no_is_false(text: str) -> None:
    assert not step(f"pull: {text}").pull


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        ("5.0", 5),
        ("0x10", 16),
        ("010", 8),
        ("1_000", 1000),
        ("-3", -3),
        ("1e3", 1000),
        ("+7", 7),
        ("0o17", 15),
        ("099", 99),
    ],
)
def test_a_whole_number_may_be_written_in_many_ways(text: str, number: int) -> None:
    assert step(f"timeout: {text}").timeout == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('timeout: "5"', "line 1: cannot unmarshal !!str `5` into int (expected a whole number without quotes)"),
        ("timeout: 5.5", "line 1: cannot unmarshal !!float `5.5` into int (expected a whole number)"),
        ("timeout: soon", "line 1: cannot unmarshal !!str `soon` into int (expected a whole number)"),
        (f"timeout: {2**63}", f"line 1: cannot unmarshal !!int `{2**63}` into int (expected a whole number)"),
        ('pull: "true"', "line 1: cannot unmarshal !!str `true` into bool (expected true or false without quotes)"),
        ("pull: 1", "line 1: cannot unmarshal !!int `1` into bool (expected true or false)"),
        ("ports: 80", "line 1: cannot unmarshal !!int `80` into []string (expected a list)"),
        ("cmd: [a, b]", "line 1: cannot unmarshal !!seq into string (expected a text)"),
        ("volumeMounts: [a]", "line 1: cannot unmarshal !!str `a` into volumemount (expected an object)"),
        ("exitedWith: [a]", "line 1: cannot unmarshal !!str `a` into int (expected a whole number)"),
        ("? [a]\n: b", "line 1: cannot unmarshal !!seq into string (expected a text)"),
        ("<<: 5", "yaml: map merge requires map or sequence of maps"),
    ],
)
def test_another_type_is_an_error(text: str, message: str) -> None:
    with pytest.raises(TaskInvalid) as raised:
        step(text)
    assert str(raised.value) == message
    assert raised.value.findings[0].place is not None


def test_all_that_is_wrong_is_told_with_its_place() -> None:
    with pytest.raises(TaskInvalid) as raised:
        step("timeout: soon\ncmd: x\nports: 80\n")
    assert [finding.place for finding in raised.value.findings] == [Place(1, 10), Place(3, 8)]


def test_a_key_that_nobody_knows_is_named_with_the_nearest() -> None:
    _, read = read_document("steps:\n- cmd: x\n  timeot: 5\n", TaskFile)
    (finding,) = read.findings
    assert not finding.is_error
    assert (str(finding), finding.place) == ("unknown key 'timeot' is ignored (did you mean timeout?)", Place(3, 3))


def test_keys_have_a_case() -> None:
    assert step("Cmd: x").cmd == ""


def test_the_last_of_two_equal_keys_counts() -> None:
    assert step("cmd: a\ncmd: b").cmd == "b"


def test_a_key_without_a_value_is_as_if_it_were_not_there() -> None:
    assert step("cmd: a\nwhen:\nenv: ~\ntimeout: null").when == []


def test_anchors_and_merges_work_and_own_keys_count_first() -> None:
    text = "steps:\n- &a {cmd: one, timeout: 5, user: me}\n- <<: *a\n  cmd: two\n- <<: [{user: first}, *a]\n"
    first, second, third = read_document(text, TaskFile)[0].steps
    assert (first.cmd, second.cmd, second.timeout) == ("one", "two", 5)
    assert (third.user, third.cmd) == ("first", "one")


def test_of_several_documents_the_first_counts() -> None:
    assert step("cmd: a\n---\ncmd: b\n").cmd == "a"


@pytest.mark.parametrize("text", ["", "\n\n", "---\n", "~", "null"])
def test_nothing_is_an_empty_object(text: str) -> None:
    assert step(text) == Step()


def test_json_is_yaml() -> None:
    assert step('{"cmd": "a", "env": ["A=1"]}').env == ["A=1"]


@pytest.mark.parametrize(
    "text",
    ["\tcmd: a", "cmd: 'a", "cmd: *nobody", "- cmd: a", "text", "{" * 5000, "cmd: \x01", "&a {<<: *a}"],
)
def test_what_is_no_object_is_an_error(text: str) -> None:
    with pytest.raises(TaskInvalid):
        step(text)


def test_anchors_that_multiply_have_an_end() -> None:
    merges = "\n".join(f"- &m{level} {{<<: [{', '.join([f'*m{level - 1}'] * 9)}]}}" for level in range(1, 9))
    with pytest.raises(TaskInvalid, match="more than 100000 values"):
        read_document(f"steps:\n- &m0 {{cmd: x}}\n{merges}\n", TaskFile)


def test_a_text_that_is_too_long_is_an_error() -> None:
    with pytest.raises(TaskInvalid, match="longer than"):
        step("cmd: " + "x" * 1024 * 1024)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("y", True), ("yes", True), ("on", True), ("no", False), ("~", None), ("007", 7), ("0x10", 16)),
        *(("1_000", 1000), ("1e3", 1000), ("1.50", 1.5), ("8080:50", "8080:50"), ("2020-01-01", "2020-01-01")),
        *(
            ("'007'", "007"),
            ('"yes"', "yes"),
            ("v1", "v1"),
            ("-3", -3),
            ("[1, a]", [1, "a"]),
            ("{b: no}", {"b": False}),
        ),
    ],
)
def test_a_plain_value_of_a_values_file_is_what_it_looks_like(written: str, meant: object) -> None:
    assert read_values(f"a: {written}\n") == {"a": meant}


@pytest.mark.parametrize("text", ["", "# nothing\n", "~"])
def test_an_empty_values_file_has_no_values(text: str) -> None:
    assert read_values(text) == {}


@pytest.mark.parametrize("text", ["[a]", "a", "a: [", "a: &a [*a]"])
def test_what_is_no_map_is_no_values_file(text: str) -> None:
    with pytest.raises(TaskInvalid):
        read_values(text)
