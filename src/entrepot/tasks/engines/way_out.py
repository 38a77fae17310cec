"""The way out of runs whose egress is a list: the worker looks into the list, and connects through its own guard."""

from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final

from entrepot.outbound.model import OutboundError, Reason
from entrepot.outbound.streams import Connected, Streams
from entrepot.tasks.egress import Egress, plain_host
from entrepot.tasks.engines.model import NoWay, WayOut

# A step that tries everything does not fill its log with it.
_TOLD: Final = 100


def way_out(egress: Egress, streams: Streams, near: Iterable[str], tell: Callable[[str], None]) -> WayOut:
    """``tell``: is told once of each host that nobody gets to, by several threads."""
    told, lock = set[str](), Lock()

    def refused(message: str) -> NoWay:
        with lock:
            is_new = message not in told and len(told) < _TOLD
            told.update([message] if is_new else [])
        if is_new:
            tell(message)
        return NoWay(message, is_refused=True)

    def lists(host: str, port: int) -> bool:
        name = plain_host(host)
        return name is not None and egress.lists(name, port)

    def opened(host: str, port: int) -> Connected:
        """A name that is not in the list is not even looked up: that alone would tell somebody something."""
        name = plain_host(host)
        if name is None or not egress.lists(name, port):
            raise refused(f"Refused by the run's egress list: {name or ascii(host[:100])}:{port}")
        try:
            return streams.open(name, port)
        except OutboundError as error:
            if error.reason is Reason.ADDRESS_REFUSED:
                raise refused(f"Refused: {name} is in the run's egress list, but its address is not public") from None
            raise NoWay(str(error), is_refused=False) from None

    return WayOut(lists, opened, tuple(near))
