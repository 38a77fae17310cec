"""What a registry holds: /acr/v1 and /v2 of one registry, with tokens for what each request does.

Tokens come as docker's do: a token of the directory is exchanged for one of the registry, and that for one with a scope
(ACR-REFERENCE 4). Names in paths keep their slashes.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from entrepot.client.account import REGISTRY_SCOPE, Account, renew, token_for
from entrepot.client.http import Answer, Http, Request, read, refused
from entrepot.client.model import Deleted, Manifest, Repository, Tag
from entrepot.oci.media_type import IMAGES, INDEXES

T = TypeVar("T")
Row = TypeVar("Row")
_FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
_NEXT: Final = re.compile(r'<(/[^>]*)>\s*;\s*rel="next"')
_MANIFESTS: Final = ", ".join(sorted(IMAGES | INDEXES))
_CATALOG: Final = "registry:catalog:*"


@dataclass(frozen=True, slots=True)
class Content:
    """One registry as one account sees it. All methods raise Refused, SignInNeeded, Unreachable, Unreadable."""

    http: Http
    account: Account
    login_server: str
    now: Callable[[], float] = field(default=time.time)
    _tokens: dict[str, str] = field(default_factory=dict[str, str], repr=False)

    def repositories(self) -> Iterator[str]:
        return self._listed("/acr/v1/_catalog", _CATALOG, _Catalog, lambda page: page.repositories)

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
        path = f"/acr/v1/{quote(repository)}/_tags/{quote(tag, safe='')}"
        self._answer("DELETE", path, _to("delete", repository))

    def manifests(self, repository: str, order: str = "") -> Iterator[Manifest]:
        """As ``tags``; by digest without an order."""
        path = f"/acr/v1/{quote(repository)}/_manifests{_ordered(order)}"
        return self._listed(path, _to("metadata_read", repository), _Manifests, lambda page: page.manifests)

    def manifest(self, repository: str, digest: str) -> Manifest:
        path = f"/acr/v1/{quote(repository)}/_manifests/{quote(digest, safe=':')}"
        return self._read(path, _to("metadata_read", repository), _ManifestOne).manifest

    def digest_of(self, repository: str, tag: str) -> str:
        path = f"/acr/v1/{quote(repository)}/_tags/{quote(tag, safe='')}"
        return self._read(path, _to("metadata_read", repository), _TagOne).tag.digest

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

    def _answer(self, method: str, path: str, scope: str, headers: Mapping[str, str] | None = None) -> Answer:
        token = self._tokens.get(scope) or self._token(scope)
        sent = {**(headers or {}), "authorization": f"Bearer {token}"}
        answer = self.http.send(Request(method, self._url(path), sent))
        no = refused(answer)
        if no is not None:
            raise no
        return answer

    def _token(self, scope: str) -> str:
        """Also for an account without the right: the request itself then says what is missing."""
        form = {"grant_type": "refresh_token", "service": self.login_server, "refresh_token": self._exchanged()}
        answer = self._posted("token", {**form, "scope": scope})
        token = self._tokens[scope] = read(answer, _Access).access_token
        return token

    def _exchanged(self) -> str:
        """A token of the directory that was revoked is replaced once."""
        answer = self._exchange(token_for(self.http, self.account, REGISTRY_SCOPE, self.now()))
        if answer.status == HTTPStatus.UNAUTHORIZED:
            answer = self._exchange(renew(self.http, self.account, REGISTRY_SCOPE, self.now()))
        no = refused(answer)
        if no is not None:
            raise no
        return read(answer, _Refresh).refresh_token

    def _exchange(self, token: str) -> Answer:
        form = {"grant_type": "access_token", "service": self.login_server, "access_token": token}
        return self.http.send(Request("POST", self._url("/oauth2/exchange"), _FORM, urlencode(form).encode()))

    def _posted(self, what: str, form: Mapping[str, str]) -> Answer:
        answer = self.http.send(Request("POST", self._url(f"/oauth2/{what}"), _FORM, urlencode(form).encode()))
        no = refused(answer)
        if no is not None:
            raise no
        return answer

    def _url(self, path: str) -> str:
        return f"{urlsplit(self.account.endpoint).scheme}://{self.login_server}{path}"


def _to(action: str, repository: str) -> str:
    return f"repository:{repository}:{action}"


def _ordered(order: str) -> str:
    return f"?orderby={quote(order)}" if order else ""


class _Access(msgspec.Struct):
    access_token: str


class _Refresh(msgspec.Struct):
    refresh_token: str


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
