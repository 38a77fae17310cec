"""Reading the JSON of a request: known members with known types, and nothing else.

Docker's clients send every member there is, most of them empty, so what is empty counts as not given. A member that is
not in the structure is refused. What goes to the engine is written anew from what was read, so the engine's more
generous reader (names in any case, the last of two) has nothing to misunderstand.
"""

from http import HTTPStatus
from typing import TypeVar

import msgspec

from entrepot.tasks.engines.docker.proxy.model import Json, Refused


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, rename="pascal"):
    """Docker's members are in Pascal's case."""


_Body = TypeVar("_Body", bound=Body)


def read(kind: type[_Body], given: Json, where: str = "") -> _Body:
    """``where``: the member that this is in, for messages. Raises Refused."""
    present = {name: value for name, value in given.items() if not _is_empty(value)}
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    for name in present:
        if name not in known:
            raise Refused(f"a run may not set {where}{name[:80]}")
    try:
        return msgspec.convert(present, kind)
    except msgspec.ValidationError as error:
        raise Refused(f"a run may not ask for this: {where or 'body'}: {error}", HTTPStatus.FORBIDDEN) from None


def written(body: Body) -> Json:
    return msgspec.to_builtins(body)


def _is_empty(value: object) -> bool:
    return value is None or value in (False, "", [], {})  # 0 equals False
