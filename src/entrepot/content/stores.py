"""Which store a blob URL means. Credentials come from the environment, as obstore reads them.

``file:///path``, ``s3://bucket/prefix``, ``az://container/prefix``, ``gs://bucket/prefix``; what else is needed to find
the store stands in the query, as the table below says.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store
from obstore.store import ObjectStore as Bucket

from entrepot.content.folder import FolderStore
from entrepot.content.model import ContentStore
from entrepot.content.object_store import ObjectStore

if TYPE_CHECKING:
    from obstore.store import AzureConfig, ClientConfig, GCSConfig, RetryConfig, S3Config

SETTING: Final = "ENTREPOT_BLOB_URL"
# scheme -> its form, and what may stand in its query
FORMS: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "file": ("file:///FOLDER", frozenset[str]()),
    "s3": ("s3://BUCKET/PREFIX?region=REGION&endpoint=URL", frozenset({"region", "endpoint"})),
    "az": ("az://CONTAINER/PREFIX?account=NAME&endpoint=URL", frozenset({"account", "endpoint"})),
    "gs": ("gs://BUCKET/PREFIX?endpoint=URL", frozenset({"endpoint"})),
}
_BUCKET: Final = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{0,221}")
_ENDPOINT: Final = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")
_SEGMENT: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]+")

# A request is tried six times within half a minute, each try for a minute at most: a part of 8 MiB then still goes
# over a line of 140 KB/s, and a store that is away is known to be away before clients give up.
RETRIES: Final["RetryConfig"] = {
    "max_retries": 5,
    "retry_timeout": timedelta(seconds=30),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
}
TIME_LIMITS: Final["ClientConfig"] = {"connect_timeout": timedelta(seconds=5), "timeout": timedelta(seconds=60)}


@dataclass(frozen=True, slots=True)
class BlobUrl:
    """A blob URL taken apart and found well-formed. ``place`` is a folder's path or a bucket's name."""

    scheme: str
    place: str
    prefix: str | None
    options: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError, which names the setting and says what is allowed."""
        try:
            url = urlsplit(text)
        except ValueError as error:
            raise _wrong("this is no URL") from error
        if url.scheme not in FORMS:
            raise _wrong("it begins with none of the schemes that we know")
        options = _options(url)
        if url.scheme == "file":
            return cls(url.scheme, _folder(url), None, options)
        return cls(url.scheme, _bucket(url), _prefix(url), options)


def open_store(url: str, name: str = "local") -> ContentStore:
    """The store under the URL; ``name`` is recorded with its pieces.

    Raises ValueError for a URL or an environment that cannot work. Opening a bucket makes no request: whether it is
    there and lets us in, its first use tells.
    """
    where = BlobUrl.parse(url)
    if where.scheme == "file":
        return FolderStore(Path(where.place), name)
    try:
        return ObjectStore(_open_bucket(where), name)
    except (BaseError, ValueError) as error:
        # What obstore says can repeat a credential from the environment.
        raise _wrong("an account, a key or another part of the environment is missing or malformed") from error


def _open_bucket(where: BlobUrl) -> Bucket:
    endpoint = where.options.get("endpoint")
    limits: ClientConfig = {**TIME_LIMITS, "allow_http": endpoint is not None and endpoint.startswith("http://")}
    match where.scheme:
        case "s3":
            s3: S3Config = {} if endpoint is None else {"endpoint": endpoint}
            if "region" in where.options:
                s3["region"] = where.options["region"]
            return S3Store(where.place, prefix=where.prefix, config=s3, client_options=limits, retry_config=RETRIES)
        case "az":
            az: AzureConfig = {} if endpoint is None else {"endpoint": endpoint}
            if "account" in where.options:
                az["account_name"] = where.options["account"]
            return AzureStore(where.place, prefix=where.prefix, config=az, client_options=limits, retry_config=RETRIES)
        case _:
            gs: GCSConfig = {} if endpoint is None else {"base_url": endpoint}
            return GCSStore(where.place, prefix=where.prefix, config=gs, client_options=limits, retry_config=RETRIES)


def _options(url: SplitResult) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query), max_num_fields=8)
    except ValueError as error:
        raise _wrong("its query is malformed") from error
    options = dict(pairs)
    allowed = FORMS[url.scheme][1]
    if url.fragment or len(options) != len(pairs) or not options.keys() <= allowed or not all(options.values()):
        raise _wrong(
            f"a {url.scheme}: URL takes {' and '.join(sorted(allowed)) or 'nothing'} after the path, once each"
        )
    _check_endpoint(options.get("endpoint"))
    return options


def _check_endpoint(endpoint: str | None) -> None:
    if endpoint is not None and _ENDPOINT.fullmatch(endpoint) is None:
        raise _wrong("an endpoint is an http:// or https:// URL of a host, with a port or a path if need be")


def _folder(url: SplitResult) -> str:
    path = unquote(url.path)
    if url.netloc not in {"", "localhost"} or not path.startswith("/") or "\0" in path:
        raise _wrong("a folder is named by an absolute path after three slashes")
    return path


def _bucket(url: SplitResult) -> str:
    if _BUCKET.fullmatch(url.netloc) is None:
        raise _wrong("after the two slashes comes the name of a bucket or container and nothing else")
    return url.netloc


def _prefix(url: SplitResult) -> str | None:
    path = url.path.strip("/")
    if path and not all(_SEGMENT.fullmatch(segment) for segment in path.split("/")):
        raise _wrong("a prefix has letters, digits, dots, underscores and hyphens between its slashes")
    return path or None


def _wrong(reason: str) -> ValueError:
    allowed = ", ".join(form for form, _ in FORMS.values())
    return ValueError(f"{SETTING}: {reason}; allowed are {allowed}, with credentials in the environment")
