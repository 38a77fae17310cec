"""Tags of resources. Spec: Azure Resource Manager, "Use tags to organize your Azure resources", limitations."""

from typing import Final

from entrepot.errors import Kind, Problem

_LIMIT: Final = 50
_NAME_LENGTH: Final = 512
_VALUE_LENGTH: Final = 256
_FORBIDDEN: Final = frozenset("<>%&\\?/\0")


def expect_tags(tags: dict[str, str]) -> None:
    """Raises RESOURCE_INVALID."""
    if len(tags) > _LIMIT:
        raise _invalid("tags", f"a resource has at most {_LIMIT} tags")
    for name, value in tags.items():
        if not 0 < len(name) <= _NAME_LENGTH or not _FORBIDDEN.isdisjoint(name):
            raise _invalid("tags", f"a tag's name has 1 to {_NAME_LENGTH} characters, none of < > % & \\ ? /")
        if len(value) > _VALUE_LENGTH or "\0" in value:
            raise _invalid(f"tags.{name}", f"a tag's value has at most {_VALUE_LENGTH} characters")


def _invalid(target: str, reason: str) -> Problem:
    return Problem(Kind.RESOURCE_INVALID, code="InvalidTag", target=target, reason=reason)
