"""The body of a PATCH: attributes to be set. Spec: ACR-REFERENCE 3.2, "PATCH body"."""

from typing import Final

import msgspec

from entrepot.catalog.properties.model import AttributeChange
from entrepot.errors import Kind, Problem
from entrepot.web.request import Request

BODY_LIMIT: Final = 16 * 1024
# az sends text where somebody typed it.
_WORDS: Final = {"true": True, "false": False}
_Value = bool | str | None


class _Body(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    delete_enabled: _Value = None
    write_enabled: _Value = None
    read_enabled: _Value = None
    list_enabled: _Value = None


async def read_change(request: Request, idle_seconds: float) -> AttributeChange:
    """Raises REQUEST_INVALID, also for a member that is no attribute: a lock that was misspelt would not hold.

    And REQUEST_TOO_LARGE, UPLOAD_STALLED.
    """
    return parse_change(await request.body(BODY_LIMIT, idle_seconds))


def parse_change(body: bytes) -> AttributeChange:
    """Raises REQUEST_INVALID."""
    try:
        asked = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Problem(
            Kind.REQUEST_INVALID,
            reason="the body is a JSON object of deleteEnabled, writeEnabled, readEnabled, listEnabled: true or false",
        ) from None
    return AttributeChange(
        delete_enabled=_flag(asked.delete_enabled),
        write_enabled=_flag(asked.write_enabled),
        read_enabled=_flag(asked.read_enabled),
        list_enabled=_flag(asked.list_enabled),
    )


def _flag(value: _Value) -> bool | None:
    if not isinstance(value, str):
        return value
    flag = _WORDS.get(value.lower())
    if flag is None:
        raise Problem(Kind.REQUEST_INVALID, reason="an attribute is true or false", value=value[:64])
    return flag
