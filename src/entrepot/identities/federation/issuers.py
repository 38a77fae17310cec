"""Keys of outside issuers, by OpenID Connect Discovery 1.0, remembered for a while.

Keys are fresh for an hour and asked for again when a token names one that is not known, at most twice a minute for each
issuer, whoever sends what. An issuer that is down keeps its last keys for a day: a CI system that restarts its
identity provider must not stop every push.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from threading import Lock
from typing import Final

import msgspec

from entrepot.identities.federation.keys import KeySet, VerifyingKey
from entrepot.identities.federation.model import AssertionRefused, Reason, quoted
from entrepot.outbound.client import Outbound
from entrepot.outbound.model import OutboundError, Request

FRESH: Final = timedelta(hours=1)
STALE: Final = timedelta(hours=24)
REFRESH_INTERVAL: Final = timedelta(seconds=30)
MAX_ISSUERS: Final = 256
_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_CALL_SECONDS: Final = 3.0
_DOCUMENT_LIMIT: Final = 256 * 1024
# How long a thread waits for another one that asks the same issuer.
_WAIT_SECONDS: Final = 2 * _CALL_SECONDS


class Discovery(msgspec.Struct):
    """What an issuer says of itself, as far as it is looked at. Signing workloads in takes the first two alone."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] | None = None
    authorization_response_iss_parameter_supported: bool | None = None


@dataclass
class _Known:
    """What is known of one issuer. The lock is held by the thread that asks it."""

    lock: Lock = field(default_factory=Lock)
    keys: KeySet | None = None
    discovery: Discovery | None = None
    read_at: datetime | None = None
    asked_at: datetime | None = None
    failure: AssertionRefused | None = None

    def keys_at(self, now: datetime) -> KeySet | None:
        return self.keys if _is_within(self.read_at, STALE, now) else None

    def is_fresh(self, now: datetime) -> bool:
        return _is_within(self.read_at, FRESH, now)

    def was_just_asked(self, now: datetime) -> bool:
        return _is_within(self.asked_at, REFRESH_INTERVAL, now)


class Issuers:
    """The keys of every issuer that was asked for; one for a process, safe in many threads at once."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = Lock()

    def keys(self, issuer: str, kid: str | None, algorithm: str, now: datetime) -> tuple[VerifyingKey, ...]:
        """The keys that may have made such a token, none if the issuer has no such key. Raises AssertionRefused.

        ``issuer`` must be one that a credential trusts: it is called.
        """
        known = self._of(issuer)
        if not known.is_fresh(now):
            self._refresh(issuer, known, now)
        current = known.keys_at(now)
        found = current.fitting(kid, algorithm) if current else ()
        if not found and current:
            self._refresh(issuer, known, now, wait=True)
            current = known.keys_at(now)
            found = current.fitting(kid, algorithm) if current else ()
        if current is None:
            raise _failure_of(issuer, known)
        return found

    def discovery(self, issuer: str, now: datetime) -> Discovery:
        """Its endpoints, kept as long as its keys. Raises AssertionRefused."""
        known = self._of(issuer)
        if not known.is_fresh(now):
            self._refresh(issuer, known, now)
        if known.keys_at(now) is None or known.discovery is None:
            raise _failure_of(issuer, known)
        return known.discovery

    def _of(self, issuer: str) -> _Known:
        with self._lock:
            known = self._known.setdefault(issuer, _Known())
            self._known.move_to_end(issuer)
            while len(self._known) > MAX_ISSUERS:
                self._known.popitem(last=False)
            return known

    def _refresh(self, issuer: str, known: _Known, now: datetime, *, wait: bool = False) -> None:
        """Ask the issuer, unless it was just asked. With old keys at hand nobody waits for another thread."""
        must_wait = wait or known.keys_at(now) is None
        if not known.lock.acquire(timeout=_WAIT_SECONDS if must_wait else 0):
            return
        try:
            if known.was_just_asked(now):
                return
            known.asked_at = now
            known.discovery, known.keys = self._read(issuer)
            known.read_at, known.failure = now, None
        except AssertionRefused as failure:
            known.failure = failure
        finally:
            known.lock.release()

    def _read(self, issuer: str) -> tuple[Discovery, KeySet]:
        document = self._get(issuer, issuer.rstrip("/") + _WELL_KNOWN)
        try:
            found = msgspec.json.decode(document, type=Discovery)
        except (msgspec.ValidationError, msgspec.DecodeError, RecursionError):
            raise _invalid(issuer, "its discovery document is none") from None
        if found.issuer != issuer:
            raise _invalid(issuer, f"its discovery document names the issuer {quoted(found.issuer)}")
        if not found.jwks_uri.startswith("https://"):
            raise _invalid(issuer, "its keys are not offered over https")
        try:
            keys = KeySet.parse(self._get(issuer, found.jwks_uri))
        except ValueError:
            raise _invalid(issuer, "its key set is none") from None
        if not keys.keys:
            raise _invalid(issuer, "its key set has no key that can be used")
        return found, keys

    def _get(self, issuer: str, url: str) -> bytes:
        request = Request("GET", url, {"accept": "application/json"}, seconds=_CALL_SECONDS, limit=_DOCUMENT_LIMIT)
        try:
            answer = self._outbound.send(request)
        except OutboundError as error:
            raise AssertionRefused(Reason.ISSUER_UNREACHABLE, _unreachable(issuer), str(error)) from None
        if answer.status != HTTPStatus.OK:
            detail = f"{quoted(url)} answers {answer.status}"
            raise AssertionRefused(Reason.ISSUER_UNREACHABLE, _unreachable(issuer), detail)
        return answer.body


def _is_within(moment: datetime | None, span: timedelta, now: datetime) -> bool:
    """Not when the clock went back: then it is later than we know."""
    return moment is not None and timedelta(0) <= now - moment < span


def _failure_of(issuer: str, known: _Known) -> AssertionRefused:
    """A new one each time: several threads raise it. None is known while another thread still asks."""
    if known.failure is None:
        return AssertionRefused(Reason.ISSUER_UNREACHABLE, _unreachable(issuer), "another request still asks it")
    return AssertionRefused(known.failure.reason, known.failure.text, known.failure.detail)


def _unreachable(issuer: str) -> str:
    return f"The keys of the issuer {quoted(issuer)} cannot be read at the moment."


def _invalid(issuer: str, detail: str) -> AssertionRefused:
    text = f"The issuer {quoted(issuer)} offers no discovery document and keys that can be used."
    return AssertionRefused(Reason.ISSUER_INVALID, text, detail)
