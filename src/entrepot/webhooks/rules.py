"""What a webhook may be, which events it asks for, and when a call that was not heard comes again."""

import base64
import binascii
import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from entrepot.errors import Kind, Problem
from entrepot.outbound.client import OURS

# ACR-REFERENCE 2.1.
_NAME: Final = re.compile(r"[A-Za-z0-9]{5,50}")
_URI_LIMIT: Final = 2048
_HEADERS: Final = 20
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|")
_HEADER_BYTES: Final = 8192
# A receiver tells by them what it got and from whom.
_SIGNED: Final = frozenset({"content-type", "aeg-event-type", "webhook-id", "webhook-timestamp", "webhook-signature"})
_SCOPE: Final = re.compile(r"[a-z0-9._/*-]{1,255}(?::[A-Za-z0-9._*-]{1,128})?")
# Standard Webhooks: the secret is 24 to 64 bytes in base64, after its mark.
_MARK: Final = "whsec_"
_SECRET_BYTES: Final = range(24, 65)
_LONGEST_ASKED: Final = 24 * 3600.0


def purpose_of(registry_id: int, name: str) -> str:
    """Under which a receiver is sealed: it opens for this webhook alone."""
    return f"webhook {registry_id}/{name.lower()}"


def expect_name(name: str) -> None:
    """Raises NAME_INVALID."""
    if _NAME.fullmatch(name) is None:
        raise Problem(Kind.NAME_INVALID, name=name[:64], reason="A webhook's name has 5 to 50 letters and digits.")


def expect_uri(uri: str) -> None:
    """Raises RESOURCE_INVALID."""
    try:
        parts = urlsplit(uri)
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    is_one = is_one and uri.isascii() and uri.isprintable() and " " not in uri
    if not is_one or len(uri) > _URI_LIMIT:
        raise _invalid("serviceUri", f"it is the http or https URI of a receiver, of at most {_URI_LIMIT} characters")


def expect_headers(headers: Mapping[str, str]) -> None:
    """Raises RESOURCE_INVALID. No reason repeats a value."""
    if len(headers) > _HEADERS or sum(len(name) + len(value) for name, value in headers.items()) > _HEADER_BYTES:
        raise _invalid("customHeaders", f"there are at most {_HEADERS} of them, with {_HEADER_BYTES} characters in all")
    if len({name.lower() for name in headers}) < len(headers):
        raise _invalid("customHeaders", "a header's name occurs once, in whatever case")
    for name, value in headers.items():
        if _HEADER_NAME.fullmatch(name) is None or _HEADER_VALUE.fullmatch(value) is None:
            raise _invalid("customHeaders", "a header is a token with a value in printable ASCII")
        if name.lower() in OURS | _SIGNED:
            raise _invalid("customHeaders", f"'{name}' is set by the registry")


def expect_scope(scope: str) -> None:
    """Raises RESOURCE_INVALID."""
    if scope and _SCOPE.fullmatch(scope) is None:
        reason = (
            "it is empty, REPOSITORY (which is its tag 'latest'), REPOSITORY:TAG or REPOSITORY:*; '*' stands for any"
        )
        raise _invalid("scope", f"{reason} characters")


def secret_bytes(secret: str) -> bytes:
    """The key that a signing secret is. Raises RESOURCE_INVALID."""
    try:
        key = base64.b64decode(secret.removeprefix(_MARK), validate=True) if secret.startswith(_MARK) else b""
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in _SECRET_BYTES:
        raise _invalid("signingSecret", f"it is '{_MARK}' and the base64 of 24 to 64 random bytes")
    return key


def _invalid(member: str, reason: str) -> Problem:
    return Problem(Kind.RESOURCE_INVALID, target=f"properties.{member}", reason=reason)


# --- scopes -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scope:
    """Which repositories and tags. None: any."""

    repository: re.Pattern[str] | None
    tag: re.Pattern[str] | None

    def covers(self, repository: str, tags: tuple[str, ...]) -> bool:
        """``tags``: those that the event is about. Without one, only a scope of every tag covers it."""
        if self.repository is not None and self.repository.match(repository) is None:
            return False
        tag = self.tag
        return tag is None or any(tag.match(each) for each in tags)


@lru_cache(1024)
def parse_scope(scope: str) -> Scope:
    """Of a scope that ``expect_scope`` let pass."""
    if not scope:
        return Scope(None, None)
    repository, colon, tag = scope.partition(":")
    if not colon:
        # ACR: a repository alone is its tag "latest". With a star it is a family of repositories, so every tag.
        tag = "*" if "*" in repository else "latest"
    return Scope(_glob(repository), None if tag == "*" else _glob(tag))


def _glob(pattern: str) -> re.Pattern[str]:
    """In time linear in the text: fnmatch uses atomic groups."""
    return re.compile(fnmatch.translate(pattern))


# --- when to call again -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: before the first further attempt, at most between two, and after the first one until it is given up."""

    first: float = 5.0
    longest: float = 3600.0
    give_up_after: float = 24 * 3600.0

    def pause(self, attempts: int, chance: float) -> float:
        """After that many attempts; twice as long each time, half to one and a half of it by ``chance`` (0 to 1)."""
        return min(self.longest, self.first * 2.0 ** min(attempts - 1, 32)) * (0.5 + chance)


def retry_after(text: str | None, now: datetime) -> float:
    """The seconds of a Retry-After header, a number or a date (RFC 9110, 10.2.3); 0 for anything else."""
    if text is None:
        return 0.0
    if text.isascii() and text.isdecimal():
        return min(float(text[:12]), _LONGEST_ASKED)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(0.0, (at - now).total_seconds()), _LONGEST_ASKED)
