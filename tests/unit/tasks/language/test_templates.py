"""Templates over a task's text (ACR-TASKS 3.1, 3.2)."""

import pytest

from entrepot.tasks.language.findings import Place, TaskInvalid
from entrepot.tasks.language.templates import render

ROOT: dict[str, object] = {
    "Run": {"ID": "ab1", "Commit": ""},
    "Values": {"n": 5, "yes": True, "half": 1.5, "list": [1, "a"], "map": {"b": {"c": "deep"}}, "nothing": None},
    "Secrets": {},
}


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("a {{.Run.ID}} b", "a ab1 b"),
        ("{{ .Run.ID | upper | quote }}", '"AB1"'),
        ("x  {{- .Run.ID -}}  y", "xab1y"),
        ("{{ if .Run.Commit }}c{{ else }}none{{ end }}", "none"),
        ("{{ range $i, $e := .Values.list }}{{$i}}={{$e}};{{ end }}", "0=1;1=a;"),
        ("{{ with .Values.map.b }}{{ .c }}{{ end }}", "deep"),
        ("{{ .Values.n }} {{ .Values.yes }} {{ .Values.half }} {{ .Values.list }}", "5 true 1.5 [1 a]"),
        ("[{{ .Values.nobody }}{{ .Values.nothing }}{{ .Nobody }}]", "[]"),
        ('{{ .Values.nobody | default "d" }}', "d"),
        ('{{"{{"}}json .}}', "{{json .}}"),
        ('{{ b64enc .Values.n }}|{{ b64enc .Values.nothing }}|{{ b64enc "x" }}', "NQ==||eA=="),
        ('{{ b64dec "eA==" }}', "x"),
        ('{{ printf "%03d-%s" 7 "x" }}', "007-x"),
        ('{{ trim " a " }}{{ replace "a" "b" "aa" }}{{ squote "q" }}{{ trunc 3 "abcdef" }}', "abb'q'abc"),
        ('{{ splitList "/" "a/b" | join "-" }}', "a-b"),
        ("{{ add 1 2 }}{{ sub 5 2 }}{{ mul 2 3 }}", "336"),
        ('{{ indent 2 "x" }}{{ nindent 2 "y" }}', "  x\n  y"),
        ("{{ index .Values.list 1 }}{{ len .Values.list }}{{ eq 1 1 }}{{ and 1 0 }}", "a2true0"),
        ('{{ define "a" }}<{{ . }}>{{ end }}{{ template "a" "x" }}', "<x>"),
        ('{{ regexMatch "^a+$" "aaa" }}', "true"),
        ("{{/* nothing */}}", ""),
    ],
)
def test_an_action_is_replaced_by_what_it_says(text: str, rendered: str) -> None:
    assert render(text, ROOT) == rendered


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ if", "failed to parse template: decoded. Err:"),
        ("{{ nobody }}", "failed to parse template: decoded. Err:"),
        ("{{ .Values.nobody.x }}", "nil pointer evaluating interface {}.x"),
        ("{{ .Nobody.x }}", "nil pointer evaluating interface {}.x"),
        ('{{ fail "by itself" }}', "by itself"),
        ("{{ index .Values.list 7 }}", "failed to execute template: decoded. Err:"),
    ],
)
def test_what_cannot_be_rendered_says_why(text: str, message: str) -> None:
    with pytest.raises(TaskInvalid) as raised:
        render(text, ROOT)
    assert message in str(raised.value)


def test_the_place_is_told() -> None:
    with pytest.raises(TaskInvalid) as raised:
        render("one\ntwo {{ nobody }}", ROOT)
    place = raised.value.findings[0].place
    assert isinstance(place, Place)
    assert place.line == 2


@pytest.mark.parametrize("name", ["env", "expandenv", "getHostByName", "genPrivateKey", "bcrypt"])
def test_what_reads_the_server_or_takes_its_time_is_not_there(name: str) -> None:
    with pytest.raises(TaskInvalid, match="not defined"):
        render(f'{{{{ {name} "HOME" }}}}', ROOT)


@pytest.mark.parametrize("path", [".Values.__class__", ".Values.list.append", ".Values.map.keys.x", ".Run.ID.join"])
def test_nothing_of_python_is_within_reach(path: str) -> None:
    try:
        assert render(f"{{{{ {path} }}}}", ROOT) == ""
    except TaskInvalid as refused:
        assert "failed to execute template" in str(refused)


@pytest.mark.parametrize(
    "text",
    [
        "{{ range until 1000 }}{{ range until 1000 }}x{{ end }}{{ end }}",
        "{{ range until 1000000000 }}{{ end }}",
        '{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}',
        '{{ range until 99 }}{{ repeat 9999 (repeat 9 "x") }}{{ end }}',
        "x" * (1024 * 1024 + 1),
    ],
    ids=["ranges in ranges", "a long range", "itself", "much output", "a long text"],
)
def test_a_bomb_goes_out(text: str) -> None:
    with pytest.raises(TaskInvalid):
        render(text, ROOT)
