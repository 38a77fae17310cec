"""One worker's ASGI application: surfaces behind the gate, and what the worker does beside requests."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from entrepot.access import queries as access
from entrepot.app.health import livez, readyz
from entrepot.app.parts import (
    hosts_of,
    keeping_of,
    limits_of,
    new_id,
    open_catalog,
    open_content,
    sparse_of,
    upstreams_of,
    utc_now,
)
from entrepot.app.people import open_signing_in
from entrepot.app.secret_key import open_sealer
from entrepot.app.surfaces import Keeping, Surfaces
from entrepot.caching.images.pulling import Cache
from entrepot.catalog.manifests.queries import note_pulls
from entrepot.distribution import parts as distribution
from entrepot.errors import Kind, Problem
from entrepot.events.audit import record_entries
from entrepot.gate.auditing import Auditor
from entrepot.gate.authenticate import Authenticator
from entrepot.gate.call import Site
from entrepot.gate.doors import Doors
from entrepot.gate.gate import Gate
from entrepot.gate.registries import Registries
from entrepot.jobs.wake import Jobs
from entrepot.settings import Settings
from entrepot.telemetry.logs import AccessLog, configure_logs
from entrepot.telemetry.metrics import RequestMetrics
from entrepot.telemetry.request_id import request_ids
from entrepot.web.answer import deliver
from entrepot.web.forwarded import addresses_of, true_client
from entrepot.web.rates import Buckets
from entrepot.web.request import Receive, Request, Scope, Send

log: Final = structlog.get_logger("entrepot.app")

_EPOCH_SECONDS: Final = 1.0
_LOG_SECONDS: Final = 0.2
_PULLS_SECONDS: Final = 30.0
_AUDIT_SECONDS: Final = 0.25


class Application:
    """ASGI. Built before the event loop runs; opened and closed by the lifespan."""

    def __init__(
        self, settings: Settings, clock: Callable[[], datetime] = utc_now, buckets: Buckets | None = None
    ) -> None:
        """``buckets``: those of all workers, where requests are counted; without it this worker's own."""
        log_format = settings.log_format or ("console" if sys.stderr.isatty() else "json")
        configure_logs(log_format, settings.log_level)
        self._settings = settings
        self._access_log = AccessLog(log_format, settings.access_log)
        self._doors = Doors(open_catalog(settings))
        self._store = open_content(settings)
        sealer = open_sealer(settings)
        signing_in = open_signing_in(settings, self._doors, sealer, clock)
        self._authenticator = Authenticator(self._doors, sealer, clock, signing_in.basic)
        self._registries = Registries(self._doors, keeping_of(settings, buckets, clock))
        self._auditor = Auditor(clock)
        self._site = Site(
            self._doors, self._authenticator, hosts_of(settings), settings.scheme, clock, new_id, self._auditor
        )
        self._gate = Gate(self._site, self._access_log, RequestMetrics() if settings.metrics_port else None)
        fresh = timedelta(seconds=settings.cache_fresh_seconds)
        upstreams = partial(upstreams_of, settings, self._doors.database)
        self._cache = Cache(self._doors, upstreams, Jobs(self._doors.database), fresh)
        self._v2 = distribution.Parts(self._store, limits_of(settings), sparse_of(settings), self._cache)
        self.surfaces = Surfaces(self._site, self._registries, settings, Keeping(sealer, signing_in), self._v2)
        self._new_request_id = request_ids()
        self._epoch: int | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        request = Request(scope, receive, self._new_request_id())
        if self._settings.trusted_proxies:
            request.client = true_client(request.client, self._forwarded(request), self._settings.trusted_proxies)
        if request.path in {"/livez", "/readyz"}:
            answer = livez() if request.path == "/livez" else await readyz(self._doors, self._store)
            await deliver(answer, send, request.id, is_head=request.method == "HEAD")
            return
        await self._gate.serve(self.surfaces.find(request.path), request, send)

    def _forwarded(self, request: Request) -> list[str]:
        """By the one header that the proxies write: the other may be the client's own."""
        if self._settings.proxy_header == "forwarded":
            return addresses_of(request.headers(b"forwarded"))
        return request.headers(b"x-forwarded-for")

    async def _live(self, receive: Receive, send: Send) -> None:
        """The worker's life: its chores run until the server says that no request is left."""
        await receive()
        async with asyncio.TaskGroup() as chores:
            tasks = [
                chores.create_task(self._every(_EPOCH_SECONDS, self._follow_epoch)),
                chores.create_task(self._every(_LOG_SECONDS, self._flush_log)),
                chores.create_task(self._every(_PULLS_SECONDS, self._flush_pulls)),
                chores.create_task(self._every(_AUDIT_SECONDS, self._flush_audit)),
            ]
            await send({"type": "lifespan.startup.complete"})
            await receive()
            for task in tasks:
                task.cancel()
        with suppress(Problem):
            await self._flush_pulls()
        self._auditor.gathering.end()
        with suppress(Problem):
            while await self._flush_audit():
                pass
        await self._flush_log()
        self._cache.close()
        self._doors.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _every(self, seconds: float, chore: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await chore()
            except Problem as problem:
                log.warning("chore_failed", chore=getattr(chore, "__name__", ""), kind=problem.kind.name)

    async def _follow_epoch(self) -> None:
        """Forget what is remembered of access when it has changed anywhere (DESIGN D9)."""
        try:
            found = await self._doors.read(access.epoch)
        except Problem as problem:
            if problem.kind is not Kind.CATALOG_UNAVAILABLE:
                raise
            return
        # Also at the first look: something may have been remembered, and changed, before it.
        if found != self._epoch:
            self._authenticator.forget()
            self._registries.forget()
            self._cache.forget()
        self._epoch = found

    async def _flush_log(self) -> None:
        self._access_log.flush()

    async def _flush_pulls(self) -> None:
        pulls = self._v2.pulls.take()
        if pulls:
            await self._doors.write(note_pulls, pulls)

    async def _flush_audit(self) -> int:
        """Write what was gathered for the audit log; how many entries. They wait while the catalog does not answer."""
        gathering = self._auditor.gathering
        entries = gathering.take(self._site.clock())
        if entries:
            try:
                await self._doors.write(record_entries, entries)
            except Problem:
                gathering.put_back(entries)
                raise
        return len(entries)
