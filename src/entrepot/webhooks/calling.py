"""One call to a receiver: its head, its signature, and what is written down of how it went. Touches no catalog."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from entrepot.access.sealing import Sealer
from entrepot.outbound.client import Line, Outbound
from entrepot.outbound.model import TEXTS, OutboundError, Request
from entrepot.webhooks.model import Attempt, Call, Ended, Head, Message, Outcome, Receiver
from entrepot.webhooks.payloads import timestamp
from entrepot.webhooks.rules import retry_after, secret_bytes
from entrepot.webhooks.schemas import HEADERS

MASK: Final = "******"
# What is read of an answer, and what is kept of it: of its content ACR keeps as much.
_ANSWER_LIMIT: Final = 64 * 1024
_CONTENT_KEPT: Final = 4000
_HEADERS_KEPT: Final = 20
_HEADER_KEPT: Final = 200
_MASKED: Final = frozenset({"set-cookie", "authorization", "www-authenticate"})
# A shorter one may stand in a text by chance.
_SECRET_LENGTH: Final = 6


class Caller:
    """Calls receivers, in whatever thread. ``seconds``: how long a receiver may take to answer."""

    def __init__(self, outbound: Outbound, sealer: Sealer, seconds: float) -> None:
        self._outbound = outbound
        self._sealer = sealer
        self.seconds = seconds

    def send(self, call: Call, is_wanted: Callable[[], bool]) -> Ended:
        """One message after the other until one is not heard; a slow receiver gets no further one in this call."""
        began, outcomes = time.monotonic(), list[Outcome]()
        receiver = msgspec.json.decode(self._sealer.open(call.sealed, call.purpose), type=Receiver)
        with self._outbound.line() as line:
            for message in call.messages:
                outcomes.append(self._post(line, receiver, message))
                if not outcomes[-1].is_heard or time.monotonic() - began > self.seconds or not is_wanted():
                    break
        return Ended(call.lane, tuple(outcomes))

    def _post(self, line: Line, receiver: Receiver, message: Message) -> Outcome:
        at, began = datetime.now(UTC), time.monotonic()
        head = head_of(receiver, message, at)
        request = Request("POST", head.uri, head.headers, message.content, self.seconds, _ANSWER_LIMIT)
        attempt = Attempt(timestamp(at), 0.0, _shown_uri(head.uri), _shown_request(receiver, head, message))
        try:
            answer = line.send(request)
        except OutboundError as error:
            attempt.reason = TEXTS[error.reason]
            attempt.seconds = round(time.monotonic() - began, 3)
            return Outcome(message, is_heard=False, attempt=attempt)
        attempt.seconds = round(time.monotonic() - began, 3)
        attempt.status = answer.status
        attempt.response_headers = _shown_headers(answer.headers, head.secrets)
        content = answer.body[:_CONTENT_KEPT].decode(errors="replace").replace("\0", "\ufffd")
        attempt.content = _masked(content, head.secrets)
        is_heard = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
        return Outcome(message, is_heard, attempt, retry_after(answer.headers.get("retry-after"), datetime.now(UTC)))


def head_of(receiver: Receiver, message: Message, at: datetime) -> Head:
    """A user and password in the URI go as a header, as every HTTP client sends them."""
    url = urlsplit(receiver.service_uri)
    userinfo, _, place = url.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    given = f"{unquote(user)}:{unquote(password)}"
    headers = {**receiver.custom_headers, **HEADERS[message.schema]}
    secrets = [*receiver.custom_headers.values(), unquote(password)]
    if userinfo and not any(name.lower() == "authorization" for name in headers):
        basic = base64.b64encode(given.encode()).decode()
        headers["Authorization"] = f"Basic {basic}"
        secrets.append(basic)
    if receiver.signing_secret is not None:
        headers |= signature_headers(receiver.signing_secret, message, at)
    bare = url._replace(netloc=place).geturl()
    long_enough = tuple(secret for secret in secrets if len(secret) >= _SECRET_LENGTH)
    return Head(bare, headers, long_enough)


def signature_headers(secret: str, message: Message, at: datetime) -> dict[str, str]:
    """Spec: Standard Webhooks 1.0, "Signature scheme", symmetric."""
    seconds = str(int(at.timestamp()))
    signed = f"{message.event_id}.{seconds}.".encode() + message.content
    digest = hmac.new(secret_bytes(secret), signed, hashlib.sha256).digest()
    return {
        "webhook-id": message.event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _shown_uri(uri: str) -> str:
    """Without what may be a key in its query."""
    bare, question, _ = uri.partition("?")
    return bare + (f"?{MASK}" if question else "")


def _shown_request(receiver: Receiver, head: Head, message: Message) -> dict[str, str]:
    """Every header that the webhook's owner set is masked."""
    hidden = {*receiver.custom_headers, "Authorization"}
    shown = {name: MASK if name in hidden else value for name, value in head.headers.items()}
    return {**shown, "Content-Length": str(len(message.content))}


def _shown_headers(headers: Mapping[str, str], secrets: tuple[str, ...]) -> dict[str, str]:
    shown: dict[str, str] = {}
    for name, value in list(headers.items())[:_HEADERS_KEPT]:
        kept = MASK if name.lower() in _MASKED else _masked(value, secrets)
        shown[name[:_HEADER_KEPT]] = kept[:_HEADER_KEPT].replace("\0", "\ufffd")
    return shown


def _masked(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text
