"""What a client writes of a resource: merged, checked against its type, with what nobody knows told apart.

Spec: RFC 7396 (JSON merge patch). Public templates carry many members that we do not know, so they pass and are named
in a warning; a wrong type or value is an error that names the member and what is allowed.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from enum import StrEnum
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

from entrepot.errors import Kind, Problem

# JSON as it comes: whatever a client sends.
Json = Any

B = TypeVar("B")


class AnyCase(StrEnum):
    """Values that clients write in any case."""

    @classmethod
    def _missing_(cls, value: object) -> "AnyCase | None":
        return next(
            (member for member in cls if isinstance(value, str) and member.value.lower() == value.lower()), None
        )


_PLACE: Final = re.compile(r"(?P<reason>.*?)(?: - at (?:key in )?`\$(?P<path>[^`]*)`)?", re.DOTALL)
_UNKNOWN_LIMIT: Final = 20
_ANY_NAME: Final = "[...]"
_STEP: Final = re.compile(r"[^.\[\]]+")
_NAME_LIMIT: Final = 64


def parse_object(raw: bytes) -> dict[str, Json]:
    """A JSON object; nothing at all is an empty one. Raises REQUEST_INVALID."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Json]) if raw.strip() else {}
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise Problem(
            Kind.REQUEST_INVALID, code="InvalidRequestContent", reason=f"the body is not a JSON object: {error}"
        ) from None


def merge(current: dict[str, Json], patch: dict[str, Json], by_name: Collection[str] = ()) -> dict[str, Json]:
    """The patch laid over what is there. Tags are replaced as a whole, as Azure's resource providers do it; lists too,
    but ``by_name``: each element of those is laid over the one of its name, and the others stay.
    """
    merged = dict(current)
    for name, value in patch.items():
        below = _members(value)
        if value is None:
            merged.pop(name, None)
        elif name in by_name and isinstance(value, list):
            merged[name] = _merge_lists(merged.get(name), value, by_name)
        elif below is None:
            merged[name] = value
        else:
            merged[name] = merge({} if name == "tags" else _members(merged.get(name)) or {}, below, by_name)
    return merged


def _merge_lists(current: Json, patch: Json, by_name: Collection[str]) -> list[Json]:
    """What has no name stands behind: the check of the type tells of it."""
    named: dict[Json, Json] = {}
    others: list[Json] = []
    for element in (*(current or ()), *patch):
        members = _members(element)
        name = None if members is None else members.get("name")
        if members is None or not isinstance(name, str):
            others.append(element)
        else:
            named[name] = merge(named.get(name, {}), members, by_name)
    return [*named.values(), *others]


def _members(value: Json) -> dict[str, Json] | None:
    """Of an object; None for everything else."""
    return msgspec.convert(value, type=dict[str, Json]) if isinstance(value, dict) else None


def convert(document: dict[str, Json], wanted: type[B]) -> B:
    """Raises RESOURCE_INVALID."""
    try:
        return msgspec.convert(document, type=wanted)
    except msgspec.ValidationError as error:
        said = str(error)
    found = _PLACE.fullmatch(said)
    target = (found["path"] or "").lstrip(".") if found else ""
    reason = found["reason"] if found else said
    # A name that may be any holds its place: what they stand for has one type.
    allowed = _allowed(wanted, target.replace(_ANY_NAME, ".any"))
    if allowed:
        reason = f"{reason}. It is one of: {allowed}"
    if _ANY_NAME in target:
        target = _with_names(document, wanted, said, target)
    raise Problem(Kind.RESOURCE_INVALID, target=target or "$", reason=reason, allowed=allowed)


def _with_names(document: dict[str, Json], wanted: type, said: str, target: str) -> str:
    """With the names that msgspec leaves out where members may have any."""
    whole = msgspec.to_builtins(document)
    first, *others = target.split(_ANY_NAME)
    named, holder = first, _at(whole, first)
    for below in others:
        name = _first_wrong(holder, lambda: _refusal(whole, wanted) == said)
        named += f".{name[:_NAME_LIMIT]}{below}"
        holder = _at(holder[name], below)
    return named


def _at(found: Json, path: str) -> Json:
    for step in _STEP.findall(path):
        found = found[int(step) if isinstance(found, list) else step]
    return found


def _first_wrong(holder: dict[str, Json], is_refused: Callable[[], bool]) -> str:
    """Of members, as msgspec stops at the first. The holder is left with those up to it."""
    members = list(holder.items())

    def is_within(count: int) -> bool:
        holder.clear()
        holder.update(members[:count])
        return is_refused()

    place = bisect_left(range(1, len(members)), True, key=is_within)  # noqa: FBT003  what is looked for
    is_within(place + 1)
    return members[place][0]


def _refusal(document: dict[str, Json], wanted: type) -> str | None:
    try:
        msgspec.convert(document, type=wanted)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def _allowed(wanted: type, path: str) -> str:
    """The values that the member at the path may have, if they are a fixed few."""
    found: inspect.Type | None = inspect.type_info(wanted)
    for name in re.findall(r"\w+", path):
        found = None if found is None else _member(found, name)
    return ", ".join(str(value) for value in _choices(found)) if found is not None else ""


def _choices(kind: inspect.Type) -> Iterator[Json]:
    match kind:
        case inspect.UnionType(types=types):
            for each in types:
                yield from _choices(each)
        case inspect.EnumType(cls=cls):
            yield from (member.value for member in cls)
        case inspect.LiteralType(values=values):
            yield from values
        case inspect.BoolType():
            yield from ("true", "false")
        case _:
            pass


def _member(kind: inspect.Type, name: str) -> inspect.Type | None:
    match kind:
        case inspect.StructType(fields=fields, tag_field=tag_field, tag=tag):
            if name == tag_field:
                return inspect.LiteralType((tag,))
            return next((field.type for field in fields if field.encode_name == name), None)
        case inspect.UnionType(types=types):
            found = tuple(member for each in types if (member := _member(each, name)) is not None)
            return inspect.UnionType(found) if len(found) > 1 else next(iter(found), None)
        case inspect.DictType(value_type=value):
            return value
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return item
        case _:
            return None


def unknown_members(sent: dict[str, Json], *known: type) -> list[str]:
    """The members of what was sent that stand in none of the types, as paths; the first few."""
    found = _unknown(sent, [inspect.type_info(each) for each in known], "")
    return list(islice(found, _UNKNOWN_LIMIT))


def _unknown(sent: Json, kinds: list[inspect.Type], path: str) -> Iterator[str]:
    members = _members(sent)
    if members is not None and not any(map(_is_open, kinds)):
        for name, value in members.items():
            below = [found for kind in kinds if (found := _member(kind, name)) is not None]
            where = f"{path}.{name}" if path else name
            if below:
                yield from _unknown(value, below, where)
            else:
                yield where
    if isinstance(sent, list):
        below = [found for kind in kinds if (found := _member(kind, "0")) is not None]
        for number, value in enumerate(msgspec.convert(sent, type=list[Json])) if below else ():
            yield from _unknown(value, below, f"{path}[{number}]")


def _is_open(kind: inspect.Type) -> bool:
    """Whether members of any name belong there."""
    match kind:
        case inspect.UnionType(types=types):
            return any(_is_open(each) for each in types)
        case inspect.DictType() | inspect.AnyType():
            return True
        case _:
            return False
