"""The token endpoint under load: a token is presented, another one is signed."""

from typing import Final
from urllib.parse import urlencode, urlsplit

from bench.model import OURS, OURS_ON_POSTGRESQL, WARM_SECONDS, Measure, Plan, Row, Running, Sample, Wrong
from bench.registry import basic, bearer, pull
from bench.rows.reads import CONNECTIONS, RATE, REPOSITORY, pids
from bench.usage import Meter
from bench.wrk import Load, run_wrk

# Under this name a token stands in a password's place (ACR-REFERENCE 4.4).
NIL_USER: Final = "00000000-0000-0000-0000-000000000000"


def prepare(running: Running, plan: Plan) -> Measure:
    exchange(running, WARM_SECONDS)
    return lambda: exchange(running, plan.seconds)


def exchange(running: Running, seconds: float) -> Sample:
    token = bearer(running.tokens, pull(REPOSITORY))["Authorization"].partition(" ")[2]
    if not token:
        raise Wrong("there is no token to exchange")
    asked = urlencode({"service": urlsplit(running.url).netloc, "scope": pull(REPOSITORY)})
    headers = {"Authorization": basic(NIL_USER, token)}
    load = Load(f"{running.url}/oauth2/token?{asked}", CONNECTIONS, 2, seconds, headers)
    with Meter(pids(running)) as meter:
        outcome = run_wrk(load).checked()
    latencies = {f"p{at}_ms": value for at, value in outcome.latency_ms.items()}
    return Sample({"rate": outcome.rate, **latencies, **meter.metrics(outcome.requests)})


ROWS: Final = (Row("token", "a token for a token, TLS, 16 connections", RATE, (OURS, OURS_ON_POSTGRESQL), prepare),)
