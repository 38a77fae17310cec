"""The management API: documents by their ids, lists page by page, long operations. Spec: Azure Resource Manager."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from entrepot.client.account import Account, renew, token_for
from entrepot.client.http import Answer, Http, Request, read, refused
from entrepot.client.model import Found, Group, Operation, Registry, Subscription
from entrepot.client.refusals import Refused, Unreadable

T = TypeVar("T")
REGISTRY_TYPE: Final = "Microsoft.ContainerRegistry/registries"
_REGISTRY_VERSION: Final = "2026-09-01-preview"
_RESOURCES_VERSION: Final = "2025-04-01"
_PROVIDER: Final = "/providers/Microsoft.ContainerRegistry"
SUCCEEDED: Final = "Succeeded"
_ENDED: Final = frozenset({SUCCEEDED, "Failed", "Canceled"})
_LOOK_AGAIN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Management:
    """As one account sees it. All methods raise Refused, SignInNeeded, Unreachable, Unreadable."""

    http: Http
    account: Account
    now: Callable[[], float] = field(default=time.time)
    pause: Callable[[float], None] = field(default=time.sleep)

    # --- subscriptions, groups and registries -------------------------------------------------------------------------

    def subscriptions(self) -> Iterator[Subscription]:
        return self.pages("/subscriptions", Subscription)

    def groups(self, subscription: str) -> Iterator[Group]:
        return self.pages(f"/subscriptions/{quote(subscription, safe='')}/resourceGroups", Group)

    def registries(self) -> Iterator[Registry]:
        """Of every subscription that the account sees."""
        for each in self.subscriptions():
            yield from self.pages(f"/subscriptions/{each.subscription_id}{_PROVIDER}/registries", Registry)

    def find_registry(self, name: str) -> Registry | None:
        """By its name, in whichever group it is: one look-up for each subscription."""
        asked = name.replace("'", "''")
        filtered = f"resourceType eq '{REGISTRY_TYPE}' and name eq '{asked}'"
        for each in self.subscriptions():
            path = f"/subscriptions/{each.subscription_id}/resources?{urlencode({'$filter': filtered})}"
            for found in self.pages(path, Found):
                return self.get(found.id, Registry)
        return None

    # --- any document -------------------------------------------------------------------------------------------------

    def get(self, path: str, shape: type[T]) -> T:
        return read(self._expected("GET", path), shape)

    def pages(self, path: str, shape: type[T]) -> Iterator[T]:
        """Every document of a list; the next page is asked for when it is needed."""
        url: str | None = self._url(path)
        while url is not None:
            page = read(self._answer(Request("GET", url)), _Page)
            yield from (_converted(each, shape) for each in page.value)
            url = None if page.next_link is None else self.own(page.next_link)

    def create(self, path: str, body: dict[str, Any], shape: type[T]) -> T:
        """Raises Refused, 412, when there is one already."""
        return read(self._expected("PUT", path, body, {"if-none-match": "*"}), shape)

    def patch(self, path: str, body: dict[str, Any], shape: type[T]) -> T:
        return read(self._expected("PATCH", path, body), shape)

    def post(self, path: str, body: dict[str, Any], shape: type[T]) -> T:
        return read(self._expected("POST", path, body), shape)

    def act(self, path: str) -> None:
        """Let something be done that answers with nothing."""
        self._expected("POST", path, {})

    def delete(self, path: str) -> bool:
        """Whether it was there. What takes longer is waited for."""
        answer = self._expected("DELETE", path)
        operation = self._operation_of(answer)
        if operation is not None:
            *_, ended = self.follow(operation)
            if ended.status != SUCCEEDED:
                raise failed(ended)
        return answer.status != HTTPStatus.NO_CONTENT

    # --- long operations ----------------------------------------------------------------------------------------------

    def start(self, path: str, body: dict[str, Any]) -> str:
        """Ask for something that takes longer; where to ask how it goes."""
        operation = self._operation_of(self._expected("POST", path, body))
        if operation is None:
            raise Unreadable("the server names no operation to follow")
        return operation

    def operation(self, address: str) -> Operation:
        """How it stands now."""
        return read(self._answer(Request("GET", self.own(address))), Operation)

    def find_operation(self, name: str) -> str:
        """The address of an operation by its name. Raises Refused when no subscription has it."""
        last: Refused | None = None
        for each in self.subscriptions():
            place = f"/subscriptions/{each.subscription_id}{_PROVIDER}/locations/global/operationStatuses"
            address = self._url(f"{place}/{quote(name, safe='')}")
            try:
                self.operation(address)
            except Refused as no:
                last = no
                continue
            return address
        raise last or Refused(HTTPStatus.NOT_FOUND, "OperationNotFound", f"There is no operation '{name}'.")

    def follow(self, address: str) -> Iterator[Operation]:
        """How it stands, again and again until it has ended."""
        while True:
            answer = self._answer(Request("GET", self.own(address)))
            status = read(answer, Operation)
            yield status
            if status.status in _ENDED:
                return
            self.pause(answer.retry_after or _LOOK_AGAIN_SECONDS)

    # --- one request --------------------------------------------------------------------------------------------------

    def _expected(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        content = None if body is None else msgspec.json.encode(body)
        sent = {"content-type": "application/json", **headers}
        return self._answer(Request(method, self._url(path), sent, content))

    def _answer(self, request: Request) -> Answer:
        """A token that was revoked is replaced once."""
        scope = self.account.management_scope
        answer = self._send(request, token_for(self.http, self.account, scope, self.now()))
        if answer.status == HTTPStatus.UNAUTHORIZED:
            answer = self._send(request, renew(self.http, self.account, scope, self.now()))
        no = refused(answer)
        if no is not None:
            raise no
        return answer

    def _send(self, request: Request, token: str) -> Answer:
        headers = {**request.headers, "authorization": f"Bearer {token}"}
        return self.http.send(Request(request.method, request.url, headers, request.content))

    def _url(self, path: str) -> str:
        version = _REGISTRY_VERSION if _PROVIDER.lower() in path.lower() else _RESOURCES_VERSION
        return f"{self.account.endpoint}{path}{'&' if '?' in path else '?'}api-version={version}"

    def own(self, url: str) -> str:
        """A link of an answer. The token goes to this deployment alone."""
        link, own = urlsplit(url), urlsplit(self.account.endpoint)
        if (link.scheme, link.netloc) != (own.scheme, own.netloc):
            raise Unreadable(f"an answer leads to {link.scheme}://{link.netloc}, and not to {self.account.endpoint}")
        return url

    def _operation_of(self, answer: Answer) -> str | None:
        return answer.headers.get("azure-asyncoperation") if answer.status == HTTPStatus.ACCEPTED else None


def failed(operation: Operation) -> Refused:
    """Why a long operation ended without success."""
    told = operation.error
    return Refused(
        HTTPStatus.CONFLICT,
        "" if told is None else told.code,
        f"the operation ended as {operation.status}" if told is None else told.message,
    )


class _Page(msgspec.Struct, rename="camel"):
    value: list[msgspec.Raw]
    next_link: str | None = None


def _converted(raw: msgspec.Raw, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=shape)
    except msgspec.DecodeError as error:
        raise Unreadable(f"an answer of the server cannot be read: {error}") from None
