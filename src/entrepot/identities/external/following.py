"""Whether somebody from outside still may: the outside is asked again when what they hold is refreshed.

What it said is believed for a while (``outside_check_seconds``), so that clients which refresh often do not ask it each
time. When it does not answer nothing is taken away, but nothing is refreshed either: what is out runs out.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

import structlog
from structlog.typing import FilteringBoundLogger

from entrepot.access.sealing import SealBrokenError, Sealer
from entrepot.catalog.model import SERVER, Change
from entrepot.events.audit import Origin
from entrepot.gate.doors import Doors
from entrepot.gate.turns import Turns
from entrepot.identities.external import queries
from entrepot.identities.external.model import (
    Arrival,
    Asked,
    Kept,
    Outside,
    OutsideDownError,
    OutsideRefusedError,
    Renews,
    Source,
)
from entrepot.identities.external.people import (
    Arrived,
    Coming,
    Look,
    arrive,
    begin_look,
    give_up_look,
    is_fresh,
    open_refresh,
    turn_away,
)
from entrepot.identities.external.queries import OutsideRow

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.identities")

_LOOK_AGAIN_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 15.0


class Standing(Enum):
    """What became of somebody since they signed in."""

    STANDS = auto()
    GONE = auto()
    UNKNOWN = auto()


class Following:
    """One per worker process."""

    def __init__(
        self,
        doors: Doors,
        sealer: Sealer,
        outsides: Mapping[Source, Outside],
        fresh: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._doors = doors
        self._sealer = sealer
        self._outsides = outsides
        self._fresh = fresh
        self._clock = clock
        # A few at once: an outside that stalls must not hold every thread.
        self.turns = Turns(doors, at_once=4)

    @property
    def until(self) -> datetime:
        """The end of what is believed from now on."""
        return self._clock() + self._fresh

    async def arrive(self, arrival: Arrival, tenant_id: str, origin: Origin) -> Arrived:
        """Keep what the outside has just said. Raises OutsideRefusedError."""
        return await self._doors.run(self._keep, arrival, tenant_id, origin)

    def _keep(self, arrival: Arrival, tenant_id: str, origin: Origin) -> Arrived:
        cause = Change("", self._clock(), "", origin)
        coming = Coming(str(uuid.uuid4()), str(uuid.uuid4()), tenant_id, cause)
        welcome = self._outsides[arrival.source].welcome
        return self._doors.database.write(arrive, self._sealer, arrival, welcome, coming)

    async def follow(self, principal_id: str, origin: Origin) -> Standing:
        """Whether the principal may go on. Whoever is no person from outside may, for all that is known here."""
        row = await self._doors.read(queries.outside_of, principal_id)
        if row is None or is_fresh(row, self._fresh, self._clock()):
            return Standing.STANDS
        outside = self._outsides.get(Source(row.source))
        if outside is None:
            log.warning("outside_not_set_up", source=row.source, user=row.upn)
            return Standing.GONE
        looked = await self._begin(row)
        if isinstance(looked, Kept):
            # In one thread from end to end: what a provider gives for a token that is then used up must not be lost
            # when the client hangs up.
            return await self.turns.run(self._ask, row, outside.asks, looked, origin)
        return {Look.FRESH: Standing.STANDS, Look.GONE: Standing.GONE, Look.BUSY: Standing.UNKNOWN}[looked]

    async def _begin(self, row: OutsideRow) -> Kept | Look:
        """Waits while another request asks; its answer is as good."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE_SECONDS
        while True:
            looked = await self._doors.write(begin_look, row, self._fresh, self._clock())
            if looked is not Look.BUSY or loop.time() > deadline:
                return looked
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def _ask(self, row: OutsideRow, asks: Renews, kept: Kept, origin: Origin) -> Standing:
        write = self._doors.database.write
        try:
            asked = Asked(row.external_id, kept.login, open_refresh(self._sealer, row, kept))
            if asked.refresh is None and row.source == Source.OIDC:
                # Nothing to ask with: they sign in again, and nothing else ends by it.
                write(give_up_look, row)
                return Standing.GONE
            self._keep(_renewed(asks, asked, self._clock()), row.tenant_id, origin)
        except OutsideRefusedError as refused:
            log.info("outside_refused", source=row.source, user=row.upn, reason=refused.detail)
            write(turn_away, row, refused.detail, Change(SERVER, self._clock(), "", origin))
            return Standing.GONE
        except (OutsideDownError, SealBrokenError) as error:
            detail = error.detail if isinstance(error, OutsideDownError) else "kept under another key"
            log.warning("outside_down", source=row.source, user=row.upn, reason=detail)
            write(give_up_look, row)
            return Standing.UNKNOWN
        return Standing.STANDS


def _renewed(asks: Renews, asked: Asked, now: datetime) -> Arrival:
    found = asks.renew(asked, now)
    if found is None:
        raise OutsideRefusedError("the outside does not know them any more, or has locked them out")
    return found
