"""Helm 2's chart repositories of ACR (``/helm/v1``), which are no more: each route says where charts go instead.

Source: ACR-REFERENCE 3 and what ``az acr helm`` asks for. The answer is the same whoever asks for whatever, so it is
given before anything is looked up.
"""

from typing import Final

from entrepot.access.model import Public
from entrepot.errors import Kind, Problem
from entrepot.gate.call import Call, SurfaceRoute
from entrepot.metadata.parts import Parts
from entrepot.web.answer import Answer
from entrepot.web.rates import DELETES, READS, WRITES
from entrepot.web.routing import Route


async def refuse(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """405: charts are OCI artifacts now, and the answer says how they are pushed."""
    raise Problem(Kind.CHART_REPOSITORY_UNSUPPORTED, loginServer=call.login_server)


_OPEN: Final = Public("it tells of nothing but where charts go")
_INDEX: Final = "/helm/v1/{charts}/index.yaml"
_CHARTS: Final = "/helm/v1/{charts}/_charts"
_CHART: Final = "/helm/v1/{charts}/_charts/{chart}"
_VERSION: Final = "/helm/v1/{charts}/_charts/{chart}/{version}"
_BLOB: Final = "/helm/v1/{charts}/_blobs/{file}"

ROUTES: Final[tuple[SurfaceRoute[Parts], ...]] = (
    Route("GET", _INDEX, refuse, _OPEN, READS),
    Route("GET", _CHARTS, refuse, _OPEN, READS),
    Route("GET", _CHART, refuse, _OPEN, READS),
    Route("DELETE", _CHART, refuse, _OPEN, DELETES),
    Route("GET", _VERSION, refuse, _OPEN, READS),
    Route("GET", _BLOB, refuse, _OPEN, READS),
    Route("PUT", _BLOB, refuse, _OPEN, WRITES),
    Route("PATCH", _BLOB, refuse, _OPEN, WRITES),
    Route("DELETE", _BLOB, refuse, _OPEN, DELETES),
)
