"""Pages for people: HTML without any script, from templates that escape whatever they show.

OWASP Cheat Sheets, "Content Security Policy", "Clickjacking". Forms go to ourselves, and on to where the sign-in was
asked for: a browser checks redirects after a form against ``form-action``, too.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from entrepot.web.answer import Answer, Headers, header

_TEMPLATES: Final = Environment(
    loader=PackageLoader("entrepot.oauth.directory"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_SOURCE: Final = re.compile(r"[a-z][a-z0-9+.-]*:(//[A-Za-z0-9.:\[\]-]+)?")
STYLE_PATH: Final = "/sign-in.css"
ICON_PATH: Final = "/sign-in.svg"


def page(
    template: str, status: int = 200, targets: Iterable[str] = (), **values: str | int | bool | Mapping[str, str]
) -> Answer:
    """A page. ``targets``: the origins, beside our own, that its forms may lead to."""
    body = _TEMPLATES.get_template(template).render(style=STYLE_PATH, icon=ICON_PATH, **values)
    return Answer(status, _headers(targets), body.encode())


def _headers(targets: Iterable[str]) -> Headers:
    sources = ["'self'", *(target for target in targets if _SOURCE.fullmatch(target))]
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action {' '.join(sources)}"
    )
    return [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"no-store"),
        header(b"content-security-policy", policy),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        # "no-referrer" would make the browser hide its Origin from our own forms.
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
    ]


def file_of_pages(name: str) -> bytes:
    """The stylesheet, or the icon."""
    source, _, _ = PackageLoader("entrepot.oauth.directory").get_source(_TEMPLATES, name)
    return source.encode()
