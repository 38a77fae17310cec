from enum import Enum
from typing import Any

import msgspec
import pytest

from entrepot.arm.bodies import convert, merge, parse_object, unknown_members
from entrepot.errors import Kind, Problem


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Inner(msgspec.Struct, rename="camel"):
    is_on: bool = False
    colour: Colour | None = None


class Outer(msgspec.Struct):
    count: int
    inner: Inner = msgspec.field(default_factory=Inner)
    rows: list[Inner] = []
    tags: dict[str, str] = {}
    more: str = ""
    places: dict[str, list[Inner]] = {}
    nested: dict[str, dict[str, list[int]]] = {}


class Shown(msgspec.Struct):
    """As it is read: with a part that nobody writes."""

    count: int
    state: Inner = msgspec.field(default_factory=Inner)


@pytest.mark.parametrize(
    ("patch", "merged"),
    [
        ({"b": {"d": 3}}, {"a": 1, "b": {"c": 2, "d": 3}, "tags": {"x": "1"}}),
        ({"a": None}, {"b": {"c": 2}, "tags": {"x": "1"}}),
        ({"b": [1]}, {"a": 1, "b": [1], "tags": {"x": "1"}}),
        ({"a": {"n": None}}, {"a": {}, "b": {"c": 2}, "tags": {"x": "1"}}),
        ({"tags": {"y": "2"}}, {"a": 1, "b": {"c": 2}, "tags": {"y": "2"}}),
    ],
    ids=["members are added", "null takes away", "a list replaces", "an object replaces a number", "tags are replaced"],
)
def test_a_patch_is_laid_over_what_is_there(patch: dict[str, Any], merged: dict[str, Any]) -> None:
    before = {"a": 1, "b": {"c": 2}, "tags": {"x": "1"}}
    assert merge(before, patch) == merged
    assert before == {"a": 1, "b": {"c": 2}, "tags": {"x": "1"}}


@pytest.mark.parametrize(
    ("document", "target", "allowed"),
    [
        ({"count": "1"}, "count", ""),
        ({}, "$", ""),
        ({"count": 1, "inner": {"isOn": "yes"}}, "inner.isOn", "true, false"),
        ({"count": 1, "inner": {"colour": "green"}}, "inner.colour", "red, blue"),
        ({"count": 1, "rows": [{}, {"colour": 1}]}, "rows[1].colour", "red, blue"),
        ({"count": 1, "tags": {"a": 1}}, "tags.a", ""),
        ({"count": 1, "tags": {**{f"t{number}": "" for number in range(9)}, "b": 1, "c": 2}, "more": 1}, "tags.b", ""),
        ({"count": 1, "tags": {"x" * 99: 1}}, f"tags.{'x' * 64}", ""),
        ({"count": 1, "places": {"a": [{}], "b": [{}, {"isOn": 1}]}}, "places.b[1].isOn", "true, false"),
        ({"count": 1, "places": {"a.b": [1]}}, "places.a.b[0]", ""),
        ({"count": 1, "nested": {"a": {}, "b.c": {"d": [], "e[0]": [0, "f"]}}}, "nested.b.c.e[0][1]", ""),
    ],
)
def test_a_wrong_member_is_named_with_what_it_may_be(document: dict[str, Any], target: str, allowed: str) -> None:
    with pytest.raises(Problem) as raised:
        convert(document, Outer)
    assert raised.value.kind is Kind.RESOURCE_INVALID
    assert (raised.value.detail["target"], raised.value.detail["allowed"]) == (target, allowed)


def test_members_that_nobody_knows_are_named_wherever_they_stand() -> None:
    sent = {"count": 1, "odd": 1, "inner": {"isOn": True, "is_on": 1}, "rows": [{}, {"x": {}}], "tags": {"free": "1"}}
    assert unknown_members(sent, Outer) == ["odd", "inner.is_on", "rows[1].x"]


def test_a_member_is_known_if_it_can_be_read_or_written() -> None:
    sent = {"count": 1, "tags": {"a": "b"}, "state": {"isOn": True, "odd": 1}, "inner": {"isOn": True, "odd": 2}}
    assert unknown_members(sent, Shown, Outer) == ["state.odd", "inner.odd"]


def test_no_more_than_a_few_unknown_members_are_named() -> None:
    assert len(unknown_members({f"m{number}": 1 for number in range(1000)}, Outer)) == 20


@pytest.mark.parametrize("raw", [b"{", b"null", b"[" * 100_000, b"1", b"\xff"])
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(Problem) as raised:
        parse_object(raw)
    assert raised.value.kind is Kind.REQUEST_INVALID


def test_no_body_is_an_empty_object() -> None:
    assert parse_object(b" ") == {}


def test_a_member_that_one_of_several_types_has_is_known() -> None:
    class Written(msgspec.Struct):
        secret: str

    class Shown(msgspec.Struct):
        id: str

    sent = {"secret": "a", "id": "b", "other": "c"}
    assert unknown_members(sent, Shown, Written) == ["other"]


LISTED = {"timers": [{"name": "a", "at": {"hour": 1, "day": 2}}, {"name": "b"}], "plain": [{"name": "a"}]}


@pytest.mark.parametrize(
    ("patch", "timers"),
    [
        ({"timers": []}, LISTED["timers"]),
        ({"timers": [{"name": "a", "at": {"hour": 3}}]}, [{"name": "a", "at": {"hour": 3, "day": 2}}, {"name": "b"}]),
        ({"timers": [{"name": "c"}]}, [*LISTED["timers"], {"name": "c"}]),
        ({"timers": [{"name": "a", "at": None}]}, [{"name": "a"}, {"name": "b"}]),
        ({"timers": [{"hour": 1}, 7]}, [*LISTED["timers"], {"hour": 1}, 7]),
    ],
    ids=["none", "changed", "added", "a member removed", "without a name"],
)
def test_a_list_that_goes_by_names_is_merged_by_them(patch: dict[str, Any], timers: list[Any]) -> None:
    assert merge({"in": LISTED}, {"in": patch}, ("timers",)) == {"in": {**LISTED, "timers": timers}}


def test_other_lists_are_replaced() -> None:
    assert merge(LISTED, {"plain": [{"name": "b"}]}, ("timers",))["plain"] == [{"name": "b"}]


class Circle(msgspec.Struct, tag_field="type", tag=True):
    radius: int


class Square(msgspec.Struct, tag_field="type", tag=True):
    side: int


class Drawing(msgspec.Struct):
    shape: Circle | Square


def test_the_mark_that_tells_kinds_apart_is_known_and_wrong_ones_are_told_with_those_there_are() -> None:
    assert unknown_members({"shape": {"type": "Circle", "radius": 1, "colour": "red"}}, Drawing) == ["shape.colour"]
    with pytest.raises(Problem) as refused:
        convert({"shape": {"type": "Line"}}, Drawing)
    assert refused.value.detail["target"] == "shape.type"
    assert refused.value.detail["allowed"] == "Circle, Square"
