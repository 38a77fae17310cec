"""Which page of a list is asked for, in which order, and the link to the next. Spec: ACR-REFERENCE 3.3.

``last`` holds a name or a digest in every order. Under an order by time the link also tells the time that stood beside
it (``at``, in microseconds since 1970), so that a page goes on where the one before ended, whatever was pushed or
deleted meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from entrepot.catalog.properties.model import After, Order
from entrepot.db.columns import instant_of, number_of
from entrepot.errors import Kind, Problem
from entrepot.web.paging import Asked, asked_page, next_link
from entrepot.web.request import Request

PAGE_DEFAULT: Final = 100
PAGE_LIMIT: Final = 1000
_ORDERS: Final = {
    "": Order.NAME,
    "none": Order.NAME,
    "timeasc": Order.OLDEST_FIRST,
    "timedesc": Order.NEWEST_FIRST,
}


@dataclass(frozen=True, slots=True)
class Page:
    """What is asked for, and how the next is named."""

    asked: Asked
    after: After
    path: str
    orderby: str

    @classmethod
    def of(cls, request: Request) -> "Page":
        """Raises PAGE_INVALID, REQUEST_INVALID. The path was routed, so it holds what a header may."""
        asked = asked_page(request, PAGE_DEFAULT, PAGE_LIMIT)
        orderby = (request.query("orderby") or "").lower()
        order = _ORDERS.get(orderby)
        if order is None:
            raise Problem(Kind.REQUEST_INVALID, reason="orderby is timeasc, timedesc or none", orderby=orderby[:64])
        return cls(asked, After(order, asked.last, _at(request.query("at"))), request.path, orderby)

    def next(self, last: str, at: datetime | None = None, filters: str = "") -> tuple[bytes, bytes]:
        """After this name or digest, which was updated at that time; ``filters`` as ``&name=value``."""
        extra = f"&orderby={self.orderby}{filters}"
        if at is not None and self.after.order is not Order.NAME:
            extra += f"&at={number_of(at)}"
        return next_link(self.path, self.asked, last, extra)


def _at(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return instant_of(int(text))
    except (ValueError, OverflowError):
        raise Problem(Kind.PAGE_INVALID, reason="at is not what the link said", at=text[:64]) from None
