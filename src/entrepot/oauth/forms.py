"""Forms as OAuth clients post them. Spec: RFC 6749, appendix B."""

from typing import Final
from urllib.parse import parse_qs

from entrepot.errors import Kind, Problem
from entrepot.gate.call import Call
from entrepot.oauth.parts import Parts

FORM_LIMIT: Final = 64 * 1024
FORM_FIELDS_LIMIT: Final = 100


class Form:
    """The fields of a form."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def get(self, name: str) -> str | None:
        """The value of a field that may stand once. Raises REQUEST_INVALID where it stands twice."""
        values = self.every(name)
        if len(values) > 1:
            raise Problem(Kind.REQUEST_INVALID, reason=f"{name} stands twice")
        return values[0] if values else None

    def every(self, name: str) -> list[str]:
        return self._fields.get(name, [])


async def read_form(call: Call, parts: Parts) -> Form:
    """Raises REQUEST_INVALID, REQUEST_TOO_LARGE, UPLOAD_STALLED."""
    body = await call.request.body(FORM_LIMIT, parts.idle_seconds)
    try:
        return Form(
            parse_qs(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FORM_FIELDS_LIMIT)
        )
    except ValueError:
        raise Problem(Kind.REQUEST_INVALID, reason="the form cannot be read") from None


def expect_service(call: Call, service: str | None) -> None:
    """A client that names a service means this registry, under whatever name. Raises REQUEST_INVALID."""
    if service is None:
        return
    host = call.site.hosts.find(service)
    if host is None or host.registry != call.host.registry:
        raise Problem(Kind.REQUEST_INVALID, reason="service is not this registry", service=service[:256])
