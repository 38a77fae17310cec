"""The gate: each request passes here once, and what its row does not permit never reaches a handler (DESIGN D9)."""

import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

import structlog

from entrepot.errors import Kind, Problem
from entrepot.gate.call import Site, Surface
from entrepot.gate.passage import Passage
from entrepot.telemetry.logs import AccessLog, AccessRecord, timestamp
from entrepot.telemetry.metrics import RequestMetrics
from entrepot.web.answer import CLOSE, AnyAnswer, deliver, header
from entrepot.web.request import Request, Send

log: Final = structlog.get_logger("entrepot.gate")

_FOR_AUDIT: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})

# Surfaces differ in what their handlers get; each handler gets its own.
AnySurface = Surface[Any, Any]


class Gate:
    """Takes a request of a surface to its handler and back. One per worker process."""

    def __init__(self, site: Site, access_log: AccessLog, metrics: RequestMetrics | None) -> None:
        self._site = site
        self._access_log = access_log
        self._metrics = metrics

    async def serve(self, surface: AnySurface, request: Request, send: Send) -> None:
        """Answer the request, whatever happens, and write it down."""
        started = time.perf_counter()
        passage = Passage(request)
        try:
            answer = await self._answer(surface, passage)
        except Problem as problem:
            answer = self._refuse(surface, passage, problem)
        except Exception:
            log.exception("request_failed", request_id=request.id, method=request.method, path=request.path)
            answer = surface.render(Problem(Kind.INTERNAL), request)
        answer.headers = [*answer.headers, *surface.headers]
        if request.is_stream():
            with suppress(Problem):
                await request.read_away()
        elif request.leaves_body():
            # The server closes it in any case; a client that is not told may send its next request into nothing.
            answer.headers.append(CLOSE)
        try:
            await deliver(answer, send, request.id, is_head=request.method == "HEAD")
        finally:
            self._write_down(surface, passage, answer.status, time.perf_counter() - started)

    async def _answer(self, surface: AnySurface, passage: Passage) -> AnyAnswer:
        request = passage.request
        passage.route, passage.params = surface.table.find(request.method, request.path)
        call = await surface.admission.admit(passage)
        return await passage.route.handler(call, surface.parts)

    def _refuse(self, surface: AnySurface, passage: Passage, problem: Problem) -> AnyAnswer:
        answer = surface.render(problem, passage.request)
        if answer.status in _FOR_AUDIT:
            self._site.auditor.refused(passage, problem, answer.status)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            challenge = surface.admission.challenge(passage, problem)
            if challenge is not None:
                answer.headers = [*answer.headers, header(b"www-authenticate", challenge)]
        return answer

    def _write_down(self, surface: AnySurface, passage: Passage, status: int, seconds: float) -> None:
        request = passage.request
        route = "" if passage.route is None else passage.route.path
        if self._metrics is not None:
            self._metrics.observe(surface.name, request.method, route, status, seconds)
        if self._access_log.wants(status):
            self._access_log.write(
                AccessRecord(
                    timestamp=timestamp(self._site.clock()),
                    request_id=request.id,
                    client=request.client,
                    principal="" if passage.identity is None else passage.identity.principal,
                    method=request.method,
                    host=request.header(b"host") or "",
                    path=request.path,
                    status=status,
                    seconds=round(seconds, 6),
                    user_agent=request.header(b"user-agent") or "",
                )
            )
