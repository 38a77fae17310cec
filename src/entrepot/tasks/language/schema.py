"""The JSON Schema of task files, for editors: from the table that the parser reads by."""

from typing import Any, cast

import msgspec

from entrepot.tasks.language.model import AliasBlock, TaskFile


def schema() -> dict[str, Any]:
    """Draft 2020-12. Unknown keys are allowed, as the parser allows them."""
    _, defined = msgspec.json.schema_components((TaskFile, AliasBlock), ref_template="#/$defs/{name}")
    whole = defined.pop("TaskFile")
    whole["properties"] |= defined.pop("AliasBlock")["properties"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_loosened(whole),
        "title": "Task file",
        "$defs": {name: _loosened(each) for name, each in defined.items()},
    }


def _loosened(part: dict[str, Any]) -> dict[str, Any]:
    """Where a text is expected any scalar is one: its text counts."""
    found: dict[str, Any] = {}
    for key, value in part.items():
        if key == "type" and value == "string":
            found[key] = ["string", "number", "boolean", "null"]
        elif key == "type" and value in {"array", "object", "integer", "boolean"} and "default" in part:
            found[key] = [value, "null"]
        elif isinstance(value, dict):
            found[key] = _loosened(cast("dict[str, Any]", value))
        else:
            found[key] = value
    return found
