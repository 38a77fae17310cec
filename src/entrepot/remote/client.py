"""One repository of another registry, to pull from: every byte is checked against its digest or by whoever takes it.

Nothing of it is trusted: sizes, counts and times are bounded, and a digest that does not fit ends the pull. A blob is
streamed, a range at a time, so what came before a broken connection is kept.
"""

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, NamedTuple, TypeVar

from entrepot.errors import Problem
from entrepot.oci import media_type as types
from entrepot.oci.digest import CANONICAL, Digest
from entrepot.oci.manifest import BODY_LIMIT, Manifest, parse_manifest
from entrepot.oci.reference import Tag
from entrepot.outbound.client import Outbound
from entrepot.outbound.model import OutboundError, Reason, Request, Stream
from entrepot.remote.challenge import parse_challenges
from entrepot.remote.place import RemotePlace
from entrepot.remote.problems import failed, refused
from entrepot.remote.sign_in import Credentials, authorize

T = TypeVar("T")

# What one request for a part of a blob brings at most, and how long it may take: 75 KB a second or more.
PART: Final = 64 * 1024 * 1024
_PART_SECONDS: Final = 900.0
_SECONDS: Final = 60.0
_ERROR_LIMIT: Final = 64 * 1024
_ACCEPT: Final = ", ".join(sorted(types.IMAGES | types.INDEXES | types.ARTIFACTS))
_RANGE: Final = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")
# Worth another try: a moment later it may go.
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
_PASSING_REASONS: Final = frozenset(
    {Reason.CONNECTION_FAILED, Reason.TIMED_OUT, Reason.BUSY, Reason.ANSWER_INVALID, Reason.NAME_UNKNOWN}
)
PAUSES: Final = (1.0, 4.0, 16.0)
_LONGEST_PAUSE: Final = 60.0
# A day.
_RETRY_AFTER_DIGITS: Final = 5


class Pulled(NamedTuple):
    """A manifest and the digest that names it there."""

    manifest: Manifest
    digest: Digest


class _Got(NamedTuple):
    """A manifest's answer: two of its headers, its body."""

    media_type: str | None
    digest: str | None
    body: bytes


class _Again(Exception):
    """Try again after so many seconds, or as long as is usual."""

    def __init__(self, problem: Problem, seconds: float | None = None) -> None:
        super().__init__(problem, seconds)
        self.problem = problem
        self.seconds = seconds


@dataclass(slots=True)
class RemoteRepository:
    """For one thread. ``pause``: waits so many seconds; it may raise to end the pull. ``pauses``: how long it waits
    before it tries again what may pass, each once. ``headers``: sent with each request.
    """

    outbound: Outbound
    place: RemotePlace
    credentials: Credentials | None
    pause: Callable[[float], None]
    pauses: tuple[float, ...] = PAUSES
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    _authorization: str | None = field(default=None, repr=False)

    def manifest(self, reference: Tag | Digest) -> Pulled | None:
        """None when there is none. Raises SOURCE_FAILED."""
        answer = self._patiently(lambda: self._get("manifests", str(reference), _ACCEPT))
        return None if answer is None else self._checked(reference, answer)

    def digest_of(self, tag: Tag, known: Digest | None) -> Digest | None:
        """What the tag names; None when there is none. ``known``: what it named before, which a registry may confirm.

        Asked for once, and without the manifest where the registry tells its digest. Raises SOURCE_FAILED.
        """
        try:
            return self._head(tag, known)
        except _Again as again:
            raise again.problem from None
        except OutboundError as error:
            raise failed(self.place, f"cannot be pulled from: {error}") from None

    def _head(self, tag: Tag, known: Digest | None) -> Digest | None:
        headers = {"accept": _ACCEPT, **({} if known is None else {"if-none-match": f'"{known}"'})}
        url = self.place.url("manifests", str(tag))
        with self._opened(url, headers, seconds=_SECONDS, limit=0, method="HEAD") as stream:
            if stream.status in {HTTPStatus.NOT_MODIFIED, HTTPStatus.NOT_FOUND}:
                return known if stream.status == HTTPStatus.NOT_MODIFIED else None
            if stream.status != HTTPStatus.OK:
                raise self._refusal(f"manifests {self.place.repository} {tag}", stream, b"")
            told = stream.headers.get("docker-content-digest")
        if told is None:
            got = self._get("manifests", str(tag), _ACCEPT)
            return None if got is None else self._checked(tag, got).digest
        try:
            return Digest.parse(told)
        except Problem:
            raise failed(self.place, f"gave for {tag} what is no digest") from None

    def _get(self, kind: str, reference: str, accept: str) -> _Got | None:
        url = self.place.url(kind, reference)
        with self._opened(url, {"accept": accept}, seconds=_SECONDS, limit=BODY_LIMIT) as stream:
            if stream.status == HTTPStatus.NOT_FOUND:
                return None
            body = b"".join(stream.pieces)
            if stream.status != HTTPStatus.OK:
                raise self._refusal(f"{kind} {self.place.repository} {reference}", stream, body)
            return _Got(stream.headers.get("content-type"), stream.headers.get("docker-content-digest"), body)

    def _checked(self, reference: Tag | Digest, got: _Got) -> Pulled:
        """Raises SOURCE_FAILED for bytes that are not what a digest says, or no manifest."""
        try:
            expected = reference if isinstance(reference, Digest) else got.digest and Digest.parse(got.digest)
            actual = Digest.of(got.body, expected.algorithm if expected else CANONICAL)
            manifest = parse_manifest(got.body, got.media_type)
        except Problem as problem:
            reason = problem.detail.get("reason", problem.kind.name)
            raise failed(self.place, f"gave for {reference} what is no manifest: {reason}") from None
        if expected and actual != expected:
            raise failed(self.place, f"gave other bytes for {reference} than the digest {expected} names")
        return Pulled(manifest, actual)

    def referrers(self, subject: Digest) -> list[Digest]:
        """What names this manifest as its subject: by the referrers API, else by the tag that stands in for it.

        Spec: OCI distribution-spec, "Listing Referrers", "Referrers Tag Schema". Raises SOURCE_FAILED.
        """
        got = self._patiently(lambda: self._get("referrers", str(subject), types.OCI_INDEX))
        if got is None:
            got = self._patiently(lambda: self._get("manifests", f"{subject.algorithm}-{subject.encoded}", _ACCEPT))
        if got is None:
            return []
        try:
            index = parse_manifest(got.body, got.media_type)
        except Problem:
            raise failed(self.place, f"gave no list of what refers to {subject}") from None
        return [named.digest for named in index.references] if index.is_index else []

    @contextmanager
    def blob(self, digest: Digest, start: int, stop: int, size: int) -> Generator[Iterator[bytes]]:
        """The bytes from ``start`` on, up to ``stop`` of ``size``, fewer when the connection breaks off.

        Of a source that knows no ranges all the bytes before them are passed over. Raises SOURCE_FAILED, and
        OutboundError while the bytes come; nothing is tried again here.
        """
        headers = {"range": f"bytes={start}-{stop - 1}"}
        url = self.place.url("blobs", str(digest))
        with self._opened(url, headers, seconds=_PART_SECONDS, limit=size) as stream:
            match stream.status:
                case HTTPStatus.PARTIAL_CONTENT:
                    self._expect_range(digest, stream, start, size)
                    yield _first(stream.pieces, stop - start)
                case HTTPStatus.OK:
                    yield _first(_after(stream.pieces, start), size - start)
                case _:
                    raise self._refusal(f"the blob {digest}", stream, _bounded_body(stream))

    def patiently_blob(self, take: Callable[[], T]) -> T:
        """Do what takes a part of a blob, again when the source only stumbled. Raises SOURCE_FAILED."""
        return self._patiently(take)

    def _expect_range(self, digest: Digest, stream: Stream, start: int, size: int) -> None:
        found = _RANGE.fullmatch(stream.headers.get("content-range", ""))
        if found is None or int(found[1]) != start or found[3] not in {"*", str(size)}:
            raise failed(self.place, f"answered another range of the blob {digest} than it was asked for")

    # --- requests -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _opened(
        self, url: str, headers: dict[str, str], *, seconds: float, limit: int, method: str = "GET"
    ) -> Generator[Stream]:
        """An answer, signed in when the registry wants that: at first, or when a token has run out."""

        def request() -> Request:
            all_of = {**self.headers, **headers}
            signed = all_of if self._authorization is None else {**all_of, "authorization": self._authorization}
            return Request(method, url, signed, seconds=seconds, limit=max(limit, _ERROR_LIMIT))

        with self.outbound.stream(request()) as stream:
            if stream.status != HTTPStatus.UNAUTHORIZED:
                yield stream
                return
            asked = parse_challenges(stream.headers.get_list("www-authenticate"))
        self._authorization = None
        self._authorization = authorize(self.outbound, self.place, self.credentials, asked)
        with self.outbound.stream(request()) as stream:
            yield stream

    def _refusal(self, what: str, stream: Stream, body: bytes) -> Exception:
        problem = refused(self.place, what, stream.status, body)
        if stream.status not in _PASSING:
            return problem
        wait = stream.headers.get("retry-after", "")
        if not wait.isdecimal() or len(wait) > _RETRY_AFTER_DIGITS:
            return _Again(problem)
        problem.detail["retry_after"] = int(wait)
        return _Again(problem, float(wait))

    def _patiently(self, work: Callable[[], T]) -> T:
        for usual in (*self.pauses, None):
            try:
                return work()
            except _Again as again:
                if usual is None:
                    raise again.problem from None
                wait = usual if again.seconds is None else again.seconds
            except OutboundError as error:
                if usual is None or error.reason not in _PASSING_REASONS:
                    raise failed(self.place, f"cannot be pulled from: {error}") from None
                wait = usual
            self.pause(min(wait, _LONGEST_PAUSE))
        raise AssertionError("the last try returns or raises")


def _first(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    """So many bytes of it; the rest is left where it is."""
    for piece in pieces:
        yield piece[:count]
        count -= len(piece)
        if count <= 0:
            return


def _after(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    """What follows so many bytes."""
    for piece in pieces:
        if len(piece) > count:
            yield piece[count:]
        count = max(0, count - len(piece))


def _bounded_body(stream: Stream) -> bytes:
    """Of an error: its beginning."""
    return b"".join(_first(stream.pieces, _ERROR_LIMIT))
