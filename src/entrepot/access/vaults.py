"""Vaults: folders of the operator's, in which each secret is a file. They are named as secrets of Key Vault are.

``https://VAULT.vault.azure.net/secrets/NAME`` is the file ``NAME`` of the folder that the setting ``vaults`` has
for ``VAULT``, and ``.../NAME/VERSION`` the file ``NAME.VERSION``; names are in lower case. Who may read is in the file
``.readers``: client ids or object ids of identities, one a line, or ``*`` for each; without it nobody may.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

READERS: Final = ".readers"
# Of a secret of Key Vault.
_LENGTH_LIMIT: Final = 25 * 1024
_READERS_LIMIT: Final = 256 * 1024
_PATH: Final = re.compile(r"/secrets/(?P<name>[0-9a-z-]{1,127})(?:/(?P<version>[0-9a-z]{1,32}))?/?")


class VaultFailed(Exception):
    """There is no secret, and why."""


class NotReader(VaultFailed):
    """There may be one, but the identity may not read the vault."""


class Reader(Protocol):
    """An identity that reads: its object id and, where it has one, its client id."""

    @property
    def principal(self) -> str: ...
    @property
    def client(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Vaults:
    """``folders``: by the names of the vaults, in lower case."""

    folders: Mapping[str, Path]

    def read(self, url: str, reader: Reader) -> str:
        """The secret's text, without a line's end behind it. Raises VaultFailed."""
        vault, name = parse_secret(url)
        if not _may_read(self._folder(vault), reader):
            who = reader.client or reader.principal
            raise NotReader(f"the identity {who} may not read the vault '{vault}': add a line with it to {READERS}")
        return self._secret(vault, name)

    def read_own(self, url: str) -> str:
        """The same for whoever the folders belong to: which files they may read is the system's to say."""
        return self._secret(*parse_secret(url))

    def _secret(self, vault: str, name: str) -> str:
        content = _content(self._folder(vault) / name, _LENGTH_LIMIT)
        if content is None:
            raise VaultFailed(f"the vault '{vault}' has no secret '{name}' of {_LENGTH_LIMIT} bytes of text or less")
        return content.removesuffix("\n").removesuffix("\r")

    def _folder(self, vault: str) -> Path:
        if vault not in self.folders:
            raise VaultFailed(f"there is no vault '{vault}' here: the setting vaults names its folder, {vault}=FOLDER")
        return self.folders[vault]


def parse_secret(url: str) -> tuple[str, str]:
    """Vault and file. As ACR does, the whole is read in lower case. Raises VaultFailed."""
    try:
        parts = urlsplit(url.lower())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    found = _PATH.fullmatch(parts.path)
    if parts.scheme != "https" or "." not in host or port not in {None, 443} or found is None or parts.query:
        raise VaultFailed(f"{url[:300]!r} names no secret: https://VAULT.vault.azure.net/secrets/NAME is expected")
    version = found["version"]
    return host.partition(".")[0], found["name"] + (f".{version}" if version else "")


def _may_read(folder: Path, reader: Reader) -> bool:
    written = _content(folder / READERS, _READERS_LIMIT) or ""
    readers = {line.partition("#")[0].strip().lower() for line in written.splitlines()}
    return not readers.isdisjoint({"*", reader.principal.lower(), reader.client.lower()} - {""})


def _content(file: Path, limit: int) -> str | None:
    """None for what is not there, no text, or too long."""
    try:
        with file.open("rb") as opened:
            read = opened.read(limit + 1)
        return read.decode() if len(read) <= limit else None
    except (OSError, ValueError):
        return None
