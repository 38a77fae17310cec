"""What a registry holds: /acr/v1 and /v2 of one registry. Names in paths keep their slashes."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from entrepot.client.http import Answer, Http, Request, read, refused
from entrepot.client.model import Deleted, Manifest, Repository, Tag
from entrepot.oci.media_type import IMAGES, INDEXES

T = TypeVar("T")
Row = TypeVar("Row")
_NEXT: Final = re.compile(r'<(/[^>]*)>\s*;\s*rel="next"')
_MANIFESTS: Final = ", ".join(sorted(IMAGES | INDEXES))
_JSON: Final = {"content-type": "application/json"}
_CATALOG: Final = "registry:catalog:*"


@dataclass(frozen=True, slots=True)
class Content:
    """One registry as one account sees it. All methods raise Refused, SignInNeeded, Unreachable, Unreadable.

    ``url``: of the registry, without a path. ``authorization``: the header for what has this scope.
    """

    http: Http
    url: str
    authorization: Callable[[str], str]

    def repositories(self, page: int = 0) -> Iterator[str]:
        """``page``: how many are asked for at once; the server's own number without."""
        path = f"/acr/v1/_catalog?n={page}" if page else "/acr/v1/_catalog"
        return self._listed(path, _CATALOG, _Catalog, lambda found: found.repositories)

    def repository(self, name: str) -> Repository:
        return self._read(f"/acr/v1/{quote(name)}", _to("metadata_read", name), Repository)

    def delete_repository(self, name: str) -> Deleted:
        """With all that it holds."""
        answer = self._answer("DELETE", f"/acr/v1/{quote(name)}", _to("delete", name))
        return read(answer, Deleted)

    def tags(self, repository: str, order: str = "") -> Iterator[Tag]:
        """``order``: ``timeasc`` or ``timedesc``; by name without."""
        path = f"/acr/v1/{quote(repository)}/_tags{_ordered(order)}"
        return self._listed(path, _to("metadata_read", repository), _Tags, lambda page: page.tags)

    def delete_tag(self, repository: str, tag: str) -> None:
        """The manifest stays."""
        self._answer("DELETE", _tag(repository, tag), _to("delete", repository))

    def unlock_tag(self, repository: str, tag: str) -> None:
        self._unlock(_tag(repository, tag), repository)

    def unlock_manifest(self, repository: str, digest: str) -> None:
        self._unlock(_manifest(repository, digest), repository)

    def manifests(self, repository: str, order: str = "") -> Iterator[Manifest]:
        """As ``tags``; by digest without an order."""
        path = f"/acr/v1/{quote(repository)}/_manifests{_ordered(order)}"
        return self._listed(path, _to("metadata_read", repository), _Manifests, lambda page: page.manifests)

    def manifest(self, repository: str, digest: str) -> Manifest:
        return self._read(_manifest(repository, digest), _to("metadata_read", repository), _ManifestOne).manifest

    def digest_of(self, repository: str, tag: str) -> str:
        return self._read(_tag(repository, tag), _to("metadata_read", repository), _TagOne).tag.digest

    def raw_manifest(self, repository: str, reference: str) -> bytes:
        """Byte by byte as it was pushed."""
        path = f"/v2/{quote(repository)}/manifests/{quote(reference, safe=':')}"
        return self._answer("GET", path, _to("pull", repository), {"accept": _MANIFESTS}).content

    def delete_manifest(self, repository: str, digest: str) -> None:
        """With every tag that points to it."""
        path = f"/v2/{quote(repository)}/manifests/{quote(digest, safe=':')}"
        self._answer("DELETE", path, _to("delete", repository))

    def _read(self, path: str, scope: str, shape: type[T]) -> T:
        return read(self._answer("GET", path, scope), shape)

    def _listed(self, path: str, scope: str, shape: type[T], rows: Callable[[T], list[Row]]) -> Iterator[Row]:
        """Page by page, each when it is needed."""
        target: str | None = path
        while target is not None:
            answer = self._answer("GET", target, scope)
            yield from rows(read(answer, shape))
            following = _NEXT.search(answer.headers.get("link", ""))
            target = None if following is None else following[1]

    def _unlock(self, path: str, repository: str) -> None:
        body = msgspec.json.encode({"deleteEnabled": True, "writeEnabled": True})
        self._answer("PATCH", path, _to("metadata_write", repository), _JSON, body)

    def _answer(
        self, method: str, path: str, scope: str, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> Answer:
        sent = {**(headers or {}), "authorization": self.authorization(scope)}
        answer = self.http.send(Request(method, f"{self.url}{path}", sent, content))
        no = refused(answer)
        if no is not None:
            raise no
        return answer


def _tag(repository: str, tag: str) -> str:
    return f"/acr/v1/{quote(repository)}/_tags/{quote(tag, safe='')}"


def _manifest(repository: str, digest: str) -> str:
    return f"/acr/v1/{quote(repository)}/_manifests/{quote(digest, safe=':')}"


def _to(action: str, repository: str) -> str:
    return f"repository:{repository}:{action}"


def _ordered(order: str) -> str:
    return f"?orderby={quote(order)}" if order else ""


class _Catalog(msgspec.Struct):
    repositories: list[str]


class _Tags(msgspec.Struct):
    tags: list[Tag]


class _TagOne(msgspec.Struct):
    tag: Tag


class _Manifests(msgspec.Struct):
    manifests: list[Manifest]


class _ManifestOne(msgspec.Struct):
    manifest: Manifest
