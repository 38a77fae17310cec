"""URLs that carry their own permission, in the form of a shared access signature: sv, sr, sp, se, sig.

Azure's clients keep these parameters and drop all others. What is signed is ours, so no key of a storage account opens
anything here. Form: Azure Storage, "Create a service SAS".
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self
from urllib.parse import quote

from entrepot.access.sealing import Sealer
from entrepot.errors import Kind, Problem
from entrepot.web.request import Request

# The version of Blob Storage whose answers ours are like.
VERSION: Final = "2026-04-06"
_PURPOSE: Final = "signed URLs of task storage"
_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"
_SIGNED: Final = ("sv", "sr", "sp", "se")


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs URLs and checks them, on every server of a deployment alike."""

    key: bytes = field(repr=False)

    @classmethod
    def of(cls, sealer: Sealer) -> Self:
        return cls(sealer.derive(_PURPOSE))

    def query(self, path: str, permissions: str, until: datetime) -> str:
        """What stands after the path, which needs no percent-encoding. ``permissions``: letters, such as rw."""
        values = {"sv": VERSION, "sr": "b", "sp": permissions, "se": until.astimezone(UTC).strftime(_MOMENT)}
        signature = self._signature(path, [values[name] for name in _SIGNED])
        return "&".join(f"{name}={quote(value, safe='')}" for name, value in {**values, "sig": signature}.items())

    def check(self, request: Request, permission: str, now: datetime) -> None:
        """Raises UNAUTHENTICATED for a URL that we did not sign, or whose time is over; UNAUTHORIZED when it is good
        for other things only.
        """
        values = [request.query(name) or "" for name in _SIGNED]
        expected = self._signature(request.path, values)
        given = request.query("sig") or ""
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogateescape")):
            raise Problem(Kind.UNAUTHENTICATED, reason="the signature of the URL did not match")
        _, _, permissions, until = values
        if now >= datetime.strptime(until, _MOMENT).replace(tzinfo=UTC):
            raise Problem(Kind.UNAUTHENTICATED, reason=f"the URL was good until {until}")
        if permission not in permissions:
            raise Problem(Kind.UNAUTHORIZED, reason="the URL does not permit this")

    def _signature(self, path: str, values: list[str]) -> str:
        # A path has no line break (web/routing.py), and is the last.
        text = "\n".join([*(quote(value, safe="") for value in values), path])
        return base64.b64encode(hmac.digest(self.key, text.encode(), hashlib.sha256)).decode()
