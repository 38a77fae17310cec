"""A tar file at an address as a context (ACR-TASKS 4.6)."""

from http import HTTPStatus
from pathlib import Path
from typing import Final

from entrepot.outbound.model import OutboundError, Reason, Request, Stream
from entrepot.remote.sign_in import Credentials
from entrepot.tasks.context import Archive
from entrepot.tasks.contexts.model import ContextFailed, Means, Watch, status_line
from entrepot.tasks.contexts.unpack import unpack
from entrepot.tasks.removing import remove_tree

_PAUSES: Final = (1.0, 3.0)
_SAID_LIMIT: Final = 500
# What another try does not change.
_FINAL: Final = frozenset(
    {
        Reason.ADDRESS_REFUSED,
        Reason.ANSWER_TOO_LARGE,
        Reason.REDIRECT_REFUSED,
        Reason.REQUEST_REFUSED,
        Reason.TLS_FAILED,
    }
)


class _Again(Exception):
    """Why a try failed that may go another time."""


def fetch_archive(context: Archive, folder: Path, means: Means) -> None:
    """Three tries. Raises ContextFailed, Canceled."""
    watch = Watch.over(means)
    for pause in (*_PAUSES, None):
        try:
            _fetch(context, folder, means, watch)
        except _Again as again:
            if pause is None:
                raise ContextFailed(str(again)) from again
            means.canceled.wait(min(pause, watch.left()))
            _empty(folder)
        else:
            return


def _fetch(context: Archive, folder: Path, means: Means, watch: Watch) -> None:
    headers: dict[str, str] = {}
    if context.user or context.password:
        headers["authorization"] = Credentials(context.user, context.password).basic()
    seconds, bounds = watch.left(), means.bounds
    request = Request("GET", context.url, headers, seconds=seconds, limit=bounds.packed, canceled=means.canceled)
    try:
        with means.outbound.stream(request) as stream:
            if stream.status != HTTPStatus.OK:
                raise _refusal(context, stream)
            unpack(stream.pieces, folder, bounds, watch)
    except OutboundError as error:
        watch.left()
        text = f"unable to download remote context: failed to GET {_shown(context)}: {error}"
        if error.reason in _FINAL:
            raise ContextFailed(text) from error
        raise _Again(text) from error


def _refusal(context: Archive, stream: Stream) -> Exception:
    said = bytearray()
    for piece in stream.pieces:
        said += piece
        if len(said) > _SAID_LIMIT:
            break
    body = "".join(sign if sign.isprintable() else " " for sign in said[:_SAID_LIMIT].decode(errors="replace"))
    status = status_line(stream.status)
    text = f"unable to download remote context: failed to GET {_shown(context)} with status {status}: {body}"
    if stream.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _Again(text)
    return ContextFailed(text)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink()


def _shown(context: Archive) -> str:
    """Without its query, which may be a signature that opens it."""
    return context.url.partition("?")[0]
