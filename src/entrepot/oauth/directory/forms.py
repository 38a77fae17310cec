"""Forms as clients and browsers post them: bounded, and each field once (RFC 6749 section 3.2)."""

from typing import Final
from urllib.parse import parse_qsl

from entrepot.gate.management import ManagementCall
from entrepot.oauth.directory.parts import Parts
from entrepot.oauth.directory.problems import Aadsts, refused

FORM_LIMIT: Final = 64 * 1024
FORM_FIELDS_LIMIT: Final = 100


async def read_form(call: ManagementCall, parts: Parts) -> dict[str, str]:
    """Raises a refusal, REQUEST_TOO_LARGE, UPLOAD_STALLED."""
    body = await call.request.body(FORM_LIMIT, parts.idle_seconds)
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FORM_FIELDS_LIMIT
        )
    except ValueError:
        raise refused(Aadsts.FIELD_INVALID, reason="the form cannot be read") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise refused(Aadsts.FIELD_INVALID, reason="a field stands twice")
    if any("\0" in value for value in fields.values()):  # text that PostgreSQL does not take
        raise refused(Aadsts.FIELD_INVALID, reason="a field has a NUL")
    return fields


def field(form: dict[str, str], name: str) -> str:
    """Raises a refusal for one that is missing."""
    value = form.get(name, "")
    if not value:
        raise refused(Aadsts.FIELD_MISSING, field=name)
    return value
