"""The reference of task files, printed from the tables that their parser reads by."""

import re
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Final, get_args, get_origin, get_type_hints

import msgspec
from msgspec.structs import FieldInfo

from entrepot.tasks.engines.model import ACR_IMAGE, WORKSPACE_VOLUME
from entrepot.tasks.execution.images import ALIASES
from entrepot.tasks.language.aliases import BUILT_IN, DIRECTIVE
from entrepot.tasks.language.checks import VERSIONS
from entrepot.tasks.language.model import Alias, Network, Secret, Step, TaskFile, Volume, VolumeMount
from entrepot.tasks.language.reading import DEFAULT_NETWORK, Given, Run
from entrepot.tasks.language.templates import absent_functions, function_names

_OBJECTS: Final = (
    ("The file", TaskFile, ""),
    ("A step", Step, "Of `steps`. It has exactly one of `cmd`, `build` and `push`."),
    ("A network", Network, f"Of `networks`. A file without any has `{DEFAULT_NETWORK.name}`, a bridge."),
    ("A volume", Volume, "Of `volumes`."),
    ("A mount", VolumeMount, "Of `volumeMounts`."),
    ("A secret", Secret, "Of `secrets`."),
    ("Aliases", Alias, "The block `alias`, which is read before everything else; from `version: v1.1.0` on."),
)
_INTRODUCTION: Final = (
    "A task file is YAML of these properties, once its aliases and templates are put in. All of them are ACR's, with "
    "ACR's defaults; where what one does differs, it says so. A scalar where a text is expected counts as it is "
    "written: `8080:50`, `no` and `007` are texts. A key that is not here is ignored, with a warning in the log; it is "
    "an error for `entrepot task lint --strict`. [The guide](../guide/tasks.md) begins with an example; "
    "[differences from ACR](../compatibility.md#runs-of-tasks)."
)
_TYPES: Final = {str: "text", int: "whole number", bool: "true or false"}
_NAMES: Final = {Step: "steps", Network: "networks", Volume: "volumes", VolumeMount: "mounts", Secret: "secrets"}
_UNLESS: Final = re.compile(r"([\w$]+) unless said")
# Of each name that templates find below .Run; a name that is missing here fails the page.
_RUN: Final = {
    "ID": "the run's id",
    "Registry": "the registry's login server",
    "RegistryName": "the registry's name",
    "Date": "when the run began, UTC, as 20260504-133000z",
    "OS": "linux",
    "OSVersion": "empty",
    "Architecture": "of the platform that was asked for: amd64",
    "Commit": "of the source, where that is git's",
    "Branch": "of the source, where that is git's",
    "GitTag": "empty",
    "Repository": "empty",
    "TriggeredBy": "what began the run, for a run that a trigger began",
    "SharedVolume": f"the volume that holds `/workspace`: `{WORKSPACE_VOLUME}`",
    "TaskName": "the task's name; empty for a quick run",
}


def task_files_page(printed: str) -> str:
    versions = ", ".join(f"`{version}`" for version in sorted(VERSIONS) if version)
    lines = ["# Task files", "", printed, _INTRODUCTION, "", f"Versions: {versions}.", ""]
    for title, kind, about in _OBJECTS:
        lines += [f"## {title}", "", *([about, ""] if about else []), *_properties(kind), ""]
    return "\n".join([*lines, *_aliases(), *_variables(), *_functions()])


def _properties(kind: type[msgspec.Struct]) -> Iterator[str]:
    yield "| property | type | default | what it does |"
    yield "|---|---|---|---|"
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        shown, meta = get_args(hints[field.name])
        description: str = meta.description
        yield f"| `{field.encode_name}` | {_type(shown)} | {_default(field, description)} | {description} |"


def _type(shown: type | UnionType) -> str:
    origin, arguments = get_origin(shown), get_args(shown)
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"map of {_type(arguments[1])}"
    if origin is Annotated:
        return _type(arguments[0])
    assert isinstance(shown, type)
    return _TYPES.get(shown) or _NAMES[shown]


def _default(field: FieldInfo, description: str) -> str:
    """What is empty, or 0, for "unless said" is told by the description."""
    if told := _UNLESS.search(description):
        return f"`{told[1]}`"
    return f"`{str(field.default).lower()}`" if isinstance(field.default, int) else ""


def _aliases() -> Iterator[str]:
    yield from ("## Built-in aliases", "")
    yield f"With the sign `{DIRECTIVE}` before them, anywhere in the file: `{DIRECTIVE}Registry`."
    yield from ("", "| alias | what stands for it |", "|---|---|")
    yield from (f"| `{DIRECTIVE}{name}` | `{value}` |" for name, value in BUILT_IN.items())
    yield from ("", "As the first word of `cmd`, without a sign. The setting `task_images` names others.", "")
    yield from ("| alias | image |", "|---|---|")
    for name, image in ALIASES.items():
        ours = "made by the worker: `acr purge`, `acr tag`, `acr manifest`"
        yield f"| `{name}` | {ours if image == ACR_IMAGE else f'`{image}`'} |"
    yield ""


def _variables() -> Iterator[str]:
    yield from ("## Template variables", "", "A name that is not there is empty text.", "")
    yield from ("| variable | what it is |", "|---|---|")
    for name in Run().names():
        yield f"| `{{{{.Run.{name}}}}}` | {_RUN[name]} |"
    others = {
        "Values": "values of `--set`, of `--set-secret` and of the values file",
        "Secrets": "what `secrets` names, by its id",
    }
    assert {*others, "Run", "Build"} == Given().root().keys()
    yield from (f"| `{{{{.{name}.NAME}}}}` | {what} |" for name, what in others.items())
    yield from ("", "`.Build` is `.Run` by its older name.", "")


def _functions() -> Iterator[str]:
    yield from ("## Template functions", "", "Those of Go's text/template, and of Sprig:", "")
    yield ", ".join(f"`{name}`" for name in function_names()) + "."
    yield from ("", "Not there, because they read the server or take its processors:", "")
    yield from (", ".join(f"`{name}`" for name in absent_functions()) + ".", "")
