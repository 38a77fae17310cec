"""Templates as task files have them, against Go's own text/template with Sprig v2, which ACR's engine uses."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from tests.e2e.clients import GO_TEMPLATES

from entrepot.tasks.language.findings import TaskInvalid
from entrepot.tasks.language.templates import render

ROOT: Final[Mapping[str, Any]] = {
    "Run": {
        "ID": "ab1",
        "Registry": "team.example.com",
        "RegistryName": "team",
        "Date": "20261127-101500z",
        "OS": "linux",
        "Commit": "",
        "Branch": "feature/x-1",
    },
    "Values": {
        "n": 5,
        "zero": 0,
        "big": 1_000_000,
        "half": 1.5,
        "tiny": 0.000001,
        "huge": 123456789012.5,
        "whole": 2.0,
        "yes": True,
        "no": False,
        "text": "Hello World",
        "blank": "",
        "spaces": "  a b  ",
        "lines": "one\ntwo\nthree",
        "quoted": 'it\'s "x"',
        "unicode": "üñ→",
        "list": [1, "a", True, None],
        "numbers": [3, 1, 2],
        "names": ["b", "a", "b"],
        "map": {"b": {"c": "deep"}, "a": 1},
        "nothing": None,
        "images": [{"name": "web", "tag": "1"}, {"name": "db", "tag": "2"}],
        "dotted.key": "d",
    },
    "Secrets": {"s": "p'w"},
}

# One a line, with ↵ for the end of a line in it: what tasks do, and odd things that they might.
TEMPLATES: Final = [
    line.replace("↵", "\n")
    for line in Path(__file__).with_name("templates.txt").read_text(encoding="utf-8").split("\n")
    if line
]

# What one of the two alone has (docs/decisions/0013-task-language.md). Ours: what later releases of Sprig have.
OURS_ALONE: Final = {
    "{{ .Values.text | trunc -5 }}": "World",
    "{{ seq 1 3 }}": "1 2 3",
    '{{ get .Values.map "a" }}': "1",
    '{{ (fromJson "[1]") }}': "[1]",
    "{{ chunk 2 .Values.names }}": "[[b a] [b]]",
    '{{ toRawJson "<&>" }}': '"<&>"',
    '{{ osBase "a/b" }}': "b",
}
# What differs otherwise: ours, then Go's.
OTHERWISE: Final = {
    '{{ printf "%v" .Values.nobody }}': ("", "<nil>"),
    "{{ print .Values.nothing }}": ("", "<nil>"),
    '{{ printf "%s" .Values.nobody }}': ("%!s(<nil>=)", "%!s(<nil>)"),
    "{{ 9223372036854775808 }}": ("9223372036854775808", ""),
}
GO_ALONE: Final = ['{{ getHostByName "localhost" | len }}', '{{ env "NOBODY" }}', '{{ expandenv "x" }}']


@pytest.fixture(scope="module")
def of_go() -> dict[str, dict[str, str]]:
    asked = [*TEMPLATES, *OURS_ALONE, *OTHERWISE, *GO_ALONE]
    ask = json.dumps({"root": ROOT, "templates": asked})
    said = subprocess.run([GO_TEMPLATES], input=ask, capture_output=True, text=True, check=True, timeout=60).stdout
    return dict(zip(asked, json.loads(said), strict=True))


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_becomes_what_go_makes_of_it(template: str, of_go: dict[str, dict[str, str]]) -> None:
    go = of_go[template]
    try:
        ours = {"text": render(template, ROOT), "error": ""}
    except TaskInvalid as wrong:
        ours = {"text": "", "error": str(wrong)}
    assert (ours["text"], bool(ours["error"])) == (go["text"], bool(go["error"])), (ours, go)


@pytest.mark.parametrize("template", OURS_ALONE)
def test_what_ours_knows_beyond_go_s_is_what_it_was(template: str, of_go: dict[str, dict[str, str]]) -> None:
    assert render(template, ROOT) == OURS_ALONE[template]
    assert of_go[template]["error"]


@pytest.mark.parametrize("template", GO_ALONE)
def test_what_reads_the_server_is_in_go_s_alone(template: str, of_go: dict[str, dict[str, str]]) -> None:
    assert of_go[template]["error"] == ""
    with pytest.raises(TaskInvalid, match="not defined"):
        render(template, ROOT)


@pytest.mark.parametrize("template", OTHERWISE)
def test_what_is_known_to_differ_still_does(template: str, of_go: dict[str, dict[str, str]]) -> None:
    assert (render(template, ROOT), of_go[template]["text"]) == OTHERWISE[template]
