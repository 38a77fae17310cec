"""YAML as ACR's engine reads it: scalars keep their text, and the field says what the text means (ACR-TASKS 1.2).

``8080:50`` is no number, ``no`` is a text where a text is expected, and ``"5"`` is no number because it has quotes.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import yaml
from msgspec import inspect

from entrepot.tasks.language.findings import Finding, Place, TaskInvalid

TEXT_LIMIT: Final = 1024 * 1024
# How many values are read: anchors may name one node again and again.
VALUES_LIMIT: Final = 100_000

_TRUE: Final = frozenset({"y", "yes", "true", "on"})
_FALSE: Final = frozenset({"n", "no", "false", "off"})
_NULL: Final = frozenset({"", "~", "null"})
_OCTAL: Final = re.compile(r"^([-+]?)0(?=[0-7]+$)")
_INT_END: Final = 2**63

Path = tuple[str | int, ...]
T = TypeVar("T", bound=msgspec.Struct)


class Read(NamedTuple):
    """What was read, where each of its parts stands (by its path), and what is odd about it."""

    value: Any
    places: dict[Path, Place]
    findings: list[Finding]


def read_document(text: str, kind: type[T]) -> tuple[T, Read]:
    """The first document of a text as this object; an empty text is an empty object. Raises TaskInvalid."""
    if len(text) > TEXT_LIMIT:
        raise TaskInvalid([Finding(f"the task is longer than {TEXT_LIMIT} characters")])
    root = _compose(text)
    reader = _Reader()
    if root is None or _is_null(root):
        return kind(), Read({}, {}, [])
    try:
        value = reader.value(root, inspect.type_info(kind), ())
    except RecursionError as error:
        raise _too_deep() from error
    if any(finding.is_error for finding in reader.findings):
        raise TaskInvalid(reader.findings)
    return msgspec.convert(value, kind), Read(value, reader.places, reader.findings)


def read_values(text: str) -> dict[str, object]:
    """A file of values for templates: plain scalars are what they look like, unlike a task's (ACR-TASKS 3.1).

    Raises TaskInvalid.
    """
    if len(text) > TEXT_LIMIT:
        raise TaskInvalid([Finding(f"the values are longer than {TEXT_LIMIT} characters")])
    root = _compose(text)
    if root is None or _is_null(root):
        return {}
    try:
        value = _Plain().value(root)
    except RecursionError as error:
        raise _too_deep() from error
    if not isinstance(value, dict):
        raise TaskInvalid([Finding("the values are no map of names", _place(root))])
    return msgspec.convert(value, dict[str, object])


class _Plain:
    """Nodes as plain values, so many at most."""

    def __init__(self) -> None:
        self._left = VALUES_LIMIT

    def value(self, node: yaml.Node) -> object:
        self._left -= 1
        if self._left < 0:
            raise TaskInvalid([Finding(f"there are more than {VALUES_LIMIT} values", _place(node))])
        if isinstance(node, yaml.MappingNode):
            return {str(name.value): self.value(value) for name, value in node.value}
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each) for each in node.value]
        is_plain = isinstance(node, yaml.ScalarNode) and node.style is None
        return _scalar(str(node.value)) if is_plain else node.value


def _scalar(text: str) -> object:
    """``8080:50`` and dates stay text."""
    if text.lower() in _NULL:
        return None
    truth = _boolean(text)
    if truth is not None:
        return truth
    number = _integer(text)
    if number is not None:
        return number
    try:
        return float(text.replace("_", "")) if text[:1] in "+-.0123456789" else text
    except ValueError:
        return text


def _compose(text: str) -> yaml.Node | None:
    try:
        loader = yaml.SafeLoader(text)
        return loader.get_node() if loader.check_node() else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = None if mark is None else Place(mark.line + 1, mark.column + 1)
        said = " ".join(filter(None, (error.context, error.problem)))
        raise TaskInvalid([Finding(f"yaml: {said}", place)]) from error
    except yaml.YAMLError as error:
        raise TaskInvalid([Finding(f"yaml: {error}")]) from error
    except RecursionError as error:
        raise _too_deep() from error


def _too_deep() -> TaskInvalid:
    return TaskInvalid([Finding("yaml: the text is nested too deep, or holds itself")])


class _Reader:
    """Walks the nodes beside the type that is expected, and collects everything that is wrong."""

    def __init__(self) -> None:
        self.places: dict[Path, Place] = {}
        self.findings: list[Finding] = []
        self._left = VALUES_LIMIT

    def value(self, node: yaml.Node, kind: inspect.Type, path: Path) -> object:
        """As plain values for msgspec; what does not fit is left out and named in the findings."""
        self._left -= 1
        if self._left < 0:
            raise TaskInvalid([Finding(f"the task has more than {VALUES_LIMIT} values")])
        self.places[path] = _place(node)
        match kind:
            case inspect.Metadata():
                return self.value(node, kind.type, path)
            case inspect.StructType():
                return self._object(node, kind, path)
            case inspect.ListType():
                return self._list(node, kind.item_type, path)
            case inspect.DictType():
                return self._texts(node, path)
            case _:
                return self._scalar(node, kind)

    def _object(self, node: yaml.Node, kind: inspect.StructType, path: Path) -> dict[str, object]:
        if not isinstance(node, yaml.MappingNode):
            self._misfit(node, kind.cls.__name__.lower())
            return {}
        fields = {each.encode_name: each for each in kind.fields}
        found: dict[str, object] = {}
        for key, value in self._pairs(node):
            known = fields.get(key.value)
            if known is None:
                self._unknown(key, fields)
            elif _is_null(value):
                found.pop(known.encode_name, None)
            else:
                found[known.encode_name] = self.value(value, known.type, (*path, known.encode_name))
        return found

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """What ``<<`` merges in comes first: what the mapping itself says counts."""
        own: list[tuple[yaml.ScalarNode, yaml.Node]] = []
        for key, value in node.value:
            self._left -= 1
            if self._left < 0:
                raise TaskInvalid([Finding(f"the task has more than {VALUES_LIMIT} values")])
            if not isinstance(key, yaml.ScalarNode):
                self._misfit(key, "string")
            elif key.tag == "tag:yaml.org,2002:merge":
                merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
                # Of several, the first counts most.
                for each in reversed(merged):
                    if isinstance(each, yaml.MappingNode):
                        yield from self._pairs(each)
                    else:
                        self.findings.append(Finding("yaml: map merge requires map or sequence of maps", _place(each)))
            else:
                own.append((key, value))
        yield from own

    def _list(self, node: yaml.Node, item: inspect.Type, path: Path) -> list[object]:
        if not isinstance(node, yaml.SequenceNode):
            self._misfit(node, f"[]{_named(item)}")
            return []
        return [self.value(each, item, (*path, at)) for at, each in enumerate(node.value)]

    def _texts(self, node: yaml.Node, path: Path) -> dict[str, str]:
        if not isinstance(node, yaml.MappingNode):
            self._misfit(node, "map[string]string")
            return {}
        found: dict[str, str] = {}
        for key, value in self._pairs(node):
            if not isinstance(value, yaml.ScalarNode):
                self._misfit(value, "string")
                continue
            self.places[*path, key.value] = _place(key)
            found[key.value] = "" if _is_null(value) else value.value
        return found

    def _scalar(self, node: yaml.Node, kind: inspect.Type) -> object:
        named = _named(kind)
        if not isinstance(node, yaml.ScalarNode):
            self._misfit(node, named)
            return _EMPTY[named]
        if named == "string":
            return node.value
        read = None if node.style is not None else (_boolean if named == "bool" else _integer)(node.value)
        if read is None:
            self._misfit(node, named)
            return _EMPTY[named]
        return read

    def _misfit(self, node: yaml.Node, wanted: str) -> None:
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        shown = f" `{node.value[:40]}`" if isinstance(node, yaml.ScalarNode) else ""
        quoted = isinstance(node, yaml.ScalarNode) and node.style in {"'", '"'} and wanted in {"int", "bool"}
        self.findings.append(
            Finding(
                f"line {node.start_mark.line + 1}: cannot unmarshal !!{tag}{shown} into {wanted}",
                _place(node),
                f"expected {_EXPECTED.get(wanted, 'a list' if wanted.startswith('[]') else 'an object')}"
                + (" without quotes" if quoted else ""),
            )
        )

    def _unknown(self, key: yaml.ScalarNode, known: Iterable[str]) -> None:
        close = difflib.get_close_matches(key.value, list(known), n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
        self.findings.append(Finding(f"unknown key {key.value[:40]!r} is ignored", _place(key), hint, is_error=False))


_EMPTY: Final[dict[str, object]] = {"string": "", "int": 0, "bool": False}
_EXPECTED: Final = {"string": "a text", "int": "a whole number", "bool": "true or false"}


def _named(kind: inspect.Type) -> str:
    """As Go calls it, whose texts users know."""
    match kind:
        case inspect.Metadata():
            return _named(kind.type)
        case inspect.IntType():
            return "int"
        case inspect.BoolType():
            return "bool"
        case inspect.StrType():
            return "string"
        case inspect.StructType():
            return kind.cls.__name__.lower()
        case _:
            raise TypeError(kind)


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value.lower() in _NULL


def _boolean(text: str) -> bool | None:
    lowered = text.lower()
    return lowered in _TRUE if lowered in _TRUE | _FALSE else None


def _integer(text: str) -> int | None:
    """A YAML 1.1 integer, or another number without a fraction."""
    plain = _OCTAL.sub(r"\g<1>0o", text.replace("_", "")) if text.isascii() else ""
    try:
        value = int(plain, 0)
    except ValueError:
        value = _without_fraction(plain)
    return value if value is not None and abs(value) < _INT_END else None


def _without_fraction(text: str) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None
