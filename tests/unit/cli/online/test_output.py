"""Tables for people and JSON for programs."""

import json

import msgspec
import pytest

from entrepot.cli.online.credentials import endpoint_of
from entrepot.cli.online.image import Image, parse_image
from entrepot.cli.online.output import Columns, Form, moment, plain, show_list, show_one, size
from entrepot.cli.online.webhook import headers_of
from entrepot.cli.refusal import Refusal

Said = pytest.CaptureFixture[str]


class Row(msgspec.Struct):
    name: str
    count: int


ROWS = [Row("app", 1), Row("team/long-name", 22)]
COLUMNS: Columns[Row] = (("NAME", lambda row: row.name), ("COUNT", lambda row: row.count))


def test_a_table_has_one_row_for_each_and_columns_as_wide_as_they_need(capsys: Said) -> None:
    show_list(Form.TABLE, ROWS, COLUMNS)
    assert capsys.readouterr().out.splitlines() == [
        "NAME            COUNT",
        "app             1",
        "team/long-name  22",
    ]


def test_a_table_without_rows_has_its_titles(capsys: Said) -> None:
    show_list(Form.TABLE, [], COLUMNS)
    assert capsys.readouterr().out == "NAME  COUNT\n"


def test_a_long_table_is_printed_in_parts_with_one_head(capsys: Said) -> None:
    show_list(Form.TABLE, (Row(str(number), number) for number in range(2500)), COLUMNS)
    lines = capsys.readouterr().out.splitlines()
    assert [len(lines), lines[0].split(), lines[-1].split()] == [2501, ["NAME", "COUNT"], ["2499", "2499"]]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_json_is_an_array_whatever_its_length(count: int, capsys: Said) -> None:
    show_list(Form.JSON, ROWS[:1] * count, COLUMNS)
    assert json.loads(capsys.readouterr().out) == [{"name": "app", "count": 1}] * count


def test_one_is_shown_on_end_or_as_an_object(capsys: Said) -> None:
    show_one(Form.TABLE, ROWS[0], COLUMNS)
    assert capsys.readouterr().out == "NAME   app\nCOUNT  1\n"
    show_one(Form.JSON, ROWS[0], COLUMNS)
    assert json.loads(capsys.readouterr().out) == {"name": "app", "count": 1}


def test_what_somebody_wrote_does_not_command_a_terminal() -> None:
    assert plain("a\x1b[2J\u009bb\nc") == "a\\x1b[2J\\x9bb\\nc"
    assert plain("Größe 中") == "Größe 中"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536 * 1024, "1.5 MiB"), (5 * 1024**5, "5120.0 TiB")],
)
def test_bytes_are_told_in_the_unit_that_fits(count: int, text: str) -> None:
    assert size(count) == text


def test_times_are_told_to_the_second() -> None:
    assert moment("2026-11-26T19:25:07.1234567Z") == "2026-11-26 19:25:07"
    assert moment(None) == ""


def test_an_image_is_a_repository_with_a_tag_or_a_digest() -> None:
    assert parse_image("team/app:v1") == Image("team/app", "v1", "")
    assert parse_image("team/app@sha256:00") == Image("team/app", "", "sha256:00")
    assert parse_image("team/app:v1@sha256:00") == Image("team/app", "", "sha256:00")


@pytest.mark.parametrize("text", ["app", "app:", ":v1", "app@", "@sha256:00", ""])
def test_anything_else_is_refused_with_how_to_write_it(text: str) -> None:
    with pytest.raises(Refusal, match="REPOSITORY:TAG or REPOSITORY@DIGEST"):
        parse_image(text)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("registry.example.com", "https://registry.example.com"),
        ("https://Registry.example.com:5000/", "https://registry.example.com:5000"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
    ],
)
def test_a_server_is_named_by_its_host(text: str, endpoint: str) -> None:
    assert endpoint_of(text) == endpoint


@pytest.mark.parametrize("text", ["http://registry.example.com", "ftp://host", "https://", "https://me:secret@host"])
def test_a_secret_is_sent_nowhere_in_clear(text: str) -> None:
    with pytest.raises(Refusal, match="https://HOST"):
        endpoint_of(text)


def test_headers_are_a_line_each() -> None:
    assert headers_of("Authorization: Bearer a:b\n\nX-Team:blue\r\n") == {
        "Authorization": "Bearer a:b",
        "X-Team": "blue",
    }


def test_a_line_that_is_no_header_is_named_by_its_number_alone() -> None:
    with pytest.raises(Refusal) as no:
        headers_of("X-Team: blue\nthe-secret")
    assert no.value.lines == ("line 2 of the headers is not NAME: VALUE",)
