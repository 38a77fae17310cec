"""Where a run's files come from: what the text of a context means (ACR-TASKS 4.6). Nothing is fetched here.

A text that git or a shell could take for an option, a local path or a helper program is refused.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from entrepot.errors import Problem
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag, parse_reference, parse_repository
from entrepot.remote.place import parse_host

LATEST: Final = Tag("latest")
LENGTH_LIMIT: Final = 2048
NOTHING: Final = "/dev/null"
# The user name beside a token that stands alone: servers want one, and do not look at it.
TOKEN_USER: Final = "x-access-token"  # noqa: S105  a name

_AZURE_DEVOPS: Final = "dev.azure.com"
_VISUAL_STUDIO: Final = ".visualstudio.com"
_GITHUB: Final = "github.com"
# As git check-ref-format has it, as far as a name could mean something else.
_REF: Final = re.compile(r"(?!-)(?!.*\.\.)(?!.*//)(?!.*@\{)[^\x00-\x20\x7f~^:?*\[\\]{1,255}")


def is_reference(text: str) -> bool:
    """Whether a branch, a tag or a commit may be called so."""
    return _REF.fullmatch(text) is not None


class ContextInvalid(Exception):
    """What is wrong with it, and what is expected."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """No files at all."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An archive that was put here before; ``path``: as it was handed out."""

    path: str


@dataclass(frozen=True, slots=True)
class Archive:
    """A tar file at an address."""

    url: str
    user: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True)
class Artifact:
    """An OCI artifact whose layers are the files."""

    host: str
    repository: RepositoryName
    reference: Tag | Digest


@dataclass(frozen=True, slots=True)
class Git:
    """``url`` without fragment and credentials; ``ref``: branch, tag, commit or pull request, empty for the default
    branch; ``folder``: below the root, empty for all of it.
    """

    url: str
    ref: str = ""
    folder: str = ""
    user: str = ""
    password: str = ""


Context = Nothing | Upload | Archive | Artifact | Git


def parse_context(text: str, token: str = "") -> Context:
    """``token``: an access token that is kept apart from the address. Raises ContextInvalid."""
    if len(text) > LENGTH_LIMIT:
        raise ContextInvalid(f"the context is longer than {LENGTH_LIMIT} characters")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise ContextInvalid("the context has blanks or control characters")
    if text in {"", NOTHING}:
        return Nothing()
    if text.lower().startswith("oci://"):
        return _artifact(text[len("oci://") :])
    return _address(text, token)


def _address(text: str, token: str) -> Git | Archive | Upload:
    address, _, fragment = text.partition("#")
    try:
        scheme = urlsplit(address).scheme.lower()
    except ValueError as error:
        raise ContextInvalid(f"{_shown(address)} is no address: {error}") from error
    if _is_git(text, address):
        return _git(address, fragment, token)
    if scheme in {"http", "https"}:
        return Archive(*without_credentials(address))
    if scheme or "::" in text or "@" in text or text.startswith(("-", "/", ".")):
        raise ContextInvalid(
            f"{_shown(text)} is no context: an upload, https://HOST/REPOSITORY.git#REF:FOLDER, the address of a tar "
            f"file, oci://HOST/REPOSITORY:TAG or {NOTHING} is expected"
        )
    return Upload(text)


def _is_git(text: str, address: str) -> bool:
    """``.git#`` with nothing behind it is none, as ACR has it."""
    parts = urlsplit(address)
    if parts.scheme.lower() in {"http", "https"}:
        host = (parts.hostname or "").lower()
        is_azure = host == _AZURE_DEVOPS or host.endswith(_VISUAL_STUDIO)
        if is_azure and "/_git/" in parts.path and not parts.query:
            return True
        # GitHub needs no .git: whatever lies there under two names is a repository.
        if host == _GITHUB and len(parts.path.strip("/").split("/")) == 2:  # noqa: PLR2004  owner and name
            return True
        return address.endswith(".git") and not text.endswith("#")
    return text.startswith(("git://", "github.com/"))


def _git(address: str, fragment: str, token: str) -> Git:
    if address.startswith("github.com/"):
        address = f"https://{address}"
    url, user, password = without_credentials(address)
    if token:
        user, password = TOKEN_USER, token
    elif user and not password:
        user, password = TOKEN_USER, user
    ref, _, folder = fragment.partition(":")
    if ref and not is_reference(ref):
        raise ContextInvalid(f"{_shown(ref)} is no branch, tag or commit")
    return Git(url, ref, _folder(folder), user, password)


def _folder(text: str) -> str:
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if ".." in parts or "\\" in text:
        raise ContextInvalid(f"the folder {_shown(text)} is not within the repository")
    return "/".join(parts)


def without_credentials(address: str) -> tuple[str, str, str]:
    """The address without them, user name, password. Raises ContextInvalid."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise ContextInvalid(f"{_shown(address)} is no address: {error}") from error
    host = parts.hostname or ""
    if not host or host.startswith("-"):
        raise ContextInvalid(f"{_shown(address)} is no address: it names no host")
    written = f"[{host}]" if ":" in host else host
    netloc = written if port is None else f"{written}:{port}"
    url = urlunsplit((parts.scheme.lower(), netloc, parts.path, parts.query, ""))
    return url, unquote(parts.username or ""), unquote(parts.password or "")


def _artifact(text: str) -> Artifact:
    host, _, rest = text.partition("/")
    repository, sign, reference = rest.partition("@") if "@" in rest else rest.partition(":")
    try:
        named = parse_reference(reference) if sign else LATEST
        return Artifact(parse_host(host), parse_repository(repository), named)
    except (ValueError, Problem) as error:
        raise ContextInvalid(f"{_shown(text)} is no artifact: oci://HOST/REPOSITORY:TAG is expected") from error


def _shown(text: str) -> str:
    """Without credentials that it may have."""
    return repr(re.sub(r"//[^/@]*@", "//***@", text[:200]))
