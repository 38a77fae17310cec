"""What is promised of every resource type alike: versions, what is not there, conditions, pages, bodies."""

import copy
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.integration.arm.described import Json, least, operations, own_everything, resolved
from tests.integration.arm.instances import COUNT, GUESTS, KINDS, MADE, Kind, Workshop, naming, refused
from tests.integration.rows import add_principal
from tests.management import Management
from tests.registry import Registry
from tests.wire import Answer

from entrepot.app.management import RESOURCES
from entrepot.arm.descriptor import Listing, nothing

WRONG = '"00000000000000000000000000000000"'
NONE = COUNT  # the number of an instance that was not made
LISTS = [(resource, listing) for resource in RESOURCES for listing in resource.lists]
# A value of each type of JSON, to put where it does not belong.
VALUES = {"number": 12.5, "string": "no", "object": {"no": 1}, "array": ["no"]}


@pytest.fixture
async def workshop(arm: Management, registry: Registry) -> Workshop:
    for guest in GUESTS:
        registry.query(lambda tx, guest=guest: add_principal(tx, guest.removeprefix("id-"), "secret", None))
    registry.query(own_everything)
    made = Workshop(arm)
    await made.furnish()
    return made


# --- versions ---------------------------------------------------------------------------------------------------------


async def test_every_operation_wants_a_version_that_its_type_has(workshop: Workshop) -> None:
    for operation in (each for each in operations() if each.versions):
        path = operation.path.format_map(workshop.params(operation.path))
        for asked, code in ((None, "MissingApiVersionParameter"), ("1999-01-01", "InvalidApiVersionParameter")):
            answer = await replace(workshop.arm, version=asked).send(operation.method, path, {})
            error = refused(answer, 400)
            assert error["code"] == code, operation
            assert error["message"].endswith(f": {', '.join(operation.versions)}."), operation


# --- what is not there ------------------------------------------------------------------------------------------------


async def test_one_that_is_not_there_is_told_by_its_type_and_name(workshop: Workshop) -> None:
    for kind in KINDS:
        with naming(kind):
            path = workshop.id(kind, NONE)
            if not kind.is_made and kind.resource.get is not nothing:
                path += "x"  # those that are there without having been made
            arm = workshop.asking(kind)
            error = refused(await arm.get(path), 404)
            assert error["code"] == kind.resource.not_found
            assert path.rpartition("/")[2] in error["message"]
            if kind.has("PATCH"):
                assert refused(await arm.patch(path, {}), 404) == error
            if kind.has("DELETE"):
                assert (await arm.delete(path)).status == kind.resource.absent


async def test_nothing_is_made_below_what_is_not_there(workshop: Workshop) -> None:
    for kind in MADE:
        for above in ("subscription", "group", "registry"):
            if f"{{{above}}}/" in kind.path:
                with naming(kind):
                    elsewhere = workshop.id(kind, 0, **{above: "nosuch"})
                    error = refused(await workshop.asking(kind).put(elsewhere, workshop.body(kind)), 404)
                    assert re.search(r"[/']nosuch'", error["message"]), error


async def test_a_method_that_a_type_lacks_is_told_with_those_it_has(workshop: Workshop) -> None:
    for kind in KINDS:
        at_path = {each.method for each in operations() if each.path == kind.path}
        for method in {"PUT", "PATCH", "DELETE", "POST"} - at_path:
            answer = await workshop.asking(kind).send(method, workshop.id(kind, NONE), {})
            assert refused(answer, 405)["code"] == "MethodNotAllowed", kind
            assert set(answer["allow"].split(", ")) == at_path


# --- conditions -------------------------------------------------------------------------------------------------------


async def test_a_condition_decides_whether_one_is_made(workshop: Workshop) -> None:
    for kind in MADE:
        with naming(kind):
            unmet(await workshop.make(kind, 0, {"if-match": "*"}))
            assert (await workshop.asking(kind).get(workshop.id(kind))).status == 404
            assert (await workshop.make(kind, 0, {"if-none-match": "*"})).status == kind.resource.created
            unmet(await workshop.make(kind, 0, {"if-none-match": "*"}))
            assert (await workshop.make(kind, 0, {"if-match": "*"})).status == 200


async def test_a_change_is_made_to_what_its_sender_has_seen_alone(workshop: Workshop) -> None:
    for kind in MADE:
        with naming(kind):
            arm, path = workshop.asking(kind), workshop.id(kind)
            made = (await workshop.make(kind))["etag"]
            for method in ("PUT", "PATCH", "DELETE"):
                if kind.has(method):
                    body = workshop.body(kind) if method == "PUT" else {}
                    unmet(await arm.send(method, path, body, {"if-match": WRONG}))
                    assert (await arm.get(path))["etag"] == made
                    assert (await arm.send(method, path, body, {"if-match": f"{WRONG}, {made}"})).status in {200, 202}
            left = await arm.get(path)
            # What goes on going after the answer says so.
            assert left.status == 404 or left.json()["properties"]["provisioningState"] == "Deleting"


def unmet(answer: Answer) -> None:
    assert refused(answer, 412)["code"] == "PreconditionFailed"


async def test_who_holds_the_current_state_gets_no_body(workshop: Workshop) -> None:
    for kind in MADE:
        with naming(kind):
            arm, path = workshop.asking(kind), workshop.id(kind)
            etag = (await workshop.make(kind))["etag"]
            again = await arm.get(path, {"if-none-match": etag})
            assert (again.status, again.body, again["etag"]) == (304, b"", etag)
            assert (await arm.get(path, {"if-none-match": WRONG})).status == 200
            assert (await arm.send("HEAD", path))["etag"] == etag


# --- lists ------------------------------------------------------------------------------------------------------------


async def test_the_pages_of_every_list_hold_each_element_once(workshop: Workshop) -> None:
    await workshop.make_all()
    sizes: dict[str, int] = {}
    for resource, listing in LISTS:
        arm, path, query = workshop.asking(resource), _filled(workshop, listing), _queries(resource.name)
        whole = [each["id"] for each in (await arm.get(path, None, **query)).json()["value"]]
        for top in ("1", "2", str(max(len(whole), 1))):
            pages = [page async for page in _pages(arm, path, {**query, "top": top})]
            expected = whole[: int(top)] if listing.top_is_all else whole
            assert [each for page in pages for each in page] == expected, (listing.path, top)
            assert max(map(len, pages)) <= int(top), listing.path
        assert len(set(map(str.lower, whole))) == len(whole), listing.path
        sizes[listing.path] = len(whole)
    lacking = {kind.path for kind in MADE if sizes[kind.path.rpartition("/")[0]] < COUNT}
    assert lacking == set()


async def _pages(arm: Management, path: str, query: dict[str, str]) -> AsyncIterator[list[str]]:
    """The ids on each."""
    answer = await arm.get(path, None, **query)
    while True:
        assert answer.status == 200, answer.body
        document = answer.json()
        yield [each["id"] for each in document["value"]]
        if "nextLink" not in document:
            return
        assert document["value"], "a page with a next one is not empty"
        answer = await arm.http.get("/" + document["nextLink"].split("/", 3)[3])


def _filled(workshop: Workshop, listing: Listing[Any]) -> str:
    return listing.path.format_map(workshop.params(listing.path))


def _queries(name: str) -> dict[str, str]:
    return {"filter": "eventTimestamp ge 2024-05-01T00:00:00Z"} if name.startswith("Microsoft.Insights") else {}


# --- bodies -----------------------------------------------------------------------------------------------------------


async def test_a_patch_changes_what_it_names_and_nothing_else(workshop: Workshop) -> None:
    for kind in MADE:
        if kind.has("PATCH"):
            with naming(kind):
                arm, path = workshop.asking(kind), workshop.id(kind)
                shown = (await workshop.make(kind)).json()
                for patch in [{}, *_parts(kind, shown)]:
                    changed = await arm.patch(path, patch)
                    assert (changed.status, changed.json()) == (200, shown), patch
                # Tags are replaced as a whole.
                for tags in [{"a": "1", "b": "2"}, {"c": "3"}] if "tags" in shown else []:
                    assert (await arm.patch(path, {"tags": tags})).json() == {**shown, "tags": tags}


def _parts(kind: Kind, shown: Json) -> Iterator[Json]:
    """What may be written of the document, one member at a time, as it is."""
    schema = _schema(kind)
    yield from ({name: shown[name]} for name in schema["properties"] if name in shown)
    inner = resolved(schema["properties"].get("properties", {})).get("properties", {})
    yield from ({"properties": {name: shown["properties"][name]}} for name in inner if name in shown["properties"])


async def test_a_member_of_a_wrong_type_is_named(workshop: Workshop) -> None:
    for kind in MADE:
        with naming(kind):
            arm, path = workshop.asking(kind), workshop.id(kind)
            tried = [*_wrong(_schema(kind), "", workshop.body(kind))]
            assert {place.partition(".")[0] for place, _ in tried} == set(_schema(kind)["properties"])
            for place, body in tried:
                error = refused(await arm.put(path, body), 400)
                assert (error["code"], error["target"]) == ("InvalidRequestContent", place), body
                assert place in error["message"]
                assert error["details"][0]["target"] == place
            assert (await arm.get(path)).status == 404
            await workshop.make(kind)
            for place, body in tried if kind.has("PATCH") else []:
                # Lists that are merged by name have it after what was there.
                target = refused(await arm.patch(path, body), 400)["target"]
                assert target in {place, place.replace("[0]", "[1]", 1)}


def _schema(kind: Kind) -> Json:
    """Of what is written."""
    return resolved(kind.operation.described["requestBody"]["content"]["application/json"]["schema"])


def _wrong(schema: Json, where: str, body: Json) -> Iterator[tuple[str, Json]]:
    """Each place, and the body with a value there that it cannot have."""
    for name, member in schema.get("properties", {}).items():
        yield from _wrong_at(member, f"{where}.{name}" if where else name, body)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _wrong_at(schema["additionalProperties"], f"{where}.no", body)
    if "items" in schema:
        yield from _wrong_at(schema["items"], f"{where}[0]", body)


def _wrong_at(schema: Json, where: str, body: Json) -> Iterator[tuple[str, Json]]:
    kinds = [*_kinds(schema)]
    taken = {_type(each) for each in kinds}
    if None not in taken:
        yield where, _with(body, where, next(value for name, value in VALUES.items() if name not in taken))
    for each in kinds:
        if _type(each) in {"object", "array"}:
            yield from _wrong(each, where, body if _fits(_at(body, where), each) else _with(body, where, least(each)))


def _kinds(schema: Json) -> Iterator[Json]:
    """What a member may be, each of several."""
    schema = resolved(schema)
    for each in schema.get("anyOf", ()):
        yield from _kinds(each)
    if "anyOf" not in schema:
        yield schema


def _fits(value: Json, schema: Json) -> bool:
    """Whether it is there, and is the one of several that the schema is of."""
    tags = schema.get("properties", {}).get("type", {}).get("enum") if isinstance(value, dict) else None
    return bool(value) and (tags is None or value.get("type") in tags)


def _type(schema: Json) -> str | None:
    """None: it takes everything."""
    return "string" if "enum" in schema else schema.get("type")


def _places(where: str) -> list[str | int]:
    return [int(each) if each.isdigit() else each for each in re.findall(r"\w+", where)]


def _at(body: Json, where: str) -> Json:
    for name in _places(where):
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _with(body: Json, where: str, value: Json) -> Json:
    """The body with this value at the place, and what is needed above it."""
    changed = copy.deepcopy(body)
    *above, last = _places(where)
    inner = changed
    for name in above:
        inner = inner[name]
    if isinstance(last, int):
        inner[:] = [value]
    else:
        inner[last] = value
    return changed


async def test_a_member_that_nobody_knows_is_left_out_and_told(workshop: Workshop) -> None:
    for kind in MADE:
        with naming(kind):
            arm, path, body = workshop.asking(kind), workshop.id(kind), workshop.body(kind)
            shown = (await workshop.make(kind)).json()
            unknown = {"warpDrive": True, "properties": {**body.get("properties", {}), "hyperSpace": 1}}
            for method in ("PUT", "PATCH"):
                if kind.has(method):
                    answer = await arm.send(method, path, {**body, **unknown})
                    assert (answer.status, answer.json()) == (200, shown)
                    told = answer["warning"].removeprefix('299 - "unknown members were left out: ').rstrip('"')
                    assert sorted(told.split(", ")) == ["properties.hyperSpace", "warpDrive"]
