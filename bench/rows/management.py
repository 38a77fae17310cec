"""The management API under load: one registry is looked at again and again, as az and Terraform do before anything."""

from typing import Final

from bench.management import Deployment
from bench.model import OURS, OURS_ON_POSTGRESQL, WARM_SECONDS, Measure, Metric, Plan, Row, Running, Sample
from bench.rows.reads import CONNECTIONS, pids
from bench.usage import Meter
from bench.wrk import Load, run_wrk

_REGISTRY: Final = "providers/Microsoft.ContainerRegistry/registries/local?api-version=2025-04-01"


# Clients that think between two requests: what is left when nobody saturates the machine.
_PAUSE_MS: Final = 20


def prepare(running: Running, plan: Plan) -> Measure:
    here = Deployment.of(running.folder / "data")
    path = f"/subscriptions/{here.subscription}/resourceGroups/{here.group}/{_REGISTRY}"
    listed = running.folder / "looks"
    listed.write_text(f"{path}\n")
    headers = here.bearer()

    def look(seconds: float) -> Sample:
        paced = ("cycle.lua", (str(listed), str(_PAUSE_MS)))
        calm = run_wrk(Load(running.url, CONNECTIONS, 2, seconds, headers, *paced)).checked()
        with Meter(pids(running)) as meter:
            outcome = run_wrk(Load(running.url + path, CONNECTIONS, 2, seconds, headers)).checked()
        latencies = {f"p{at}_ms": value for at, value in outcome.latency_ms.items()}
        told = {"rate": outcome.rate, "paced_rate": calm.rate, "paced_p99_ms": calm.latency_ms[99]}
        return Sample({**told, **latencies, **meter.metrics(outcome.requests)})

    look(WARM_SECONDS)
    return lambda: look(plan.seconds)


ROWS: Final = (
    Row(
        "management",
        "GET of a registry by the management API, token, TLS, 16 connections",
        Metric("paced_p99_ms", "ms", higher_is_better=False),
        (OURS, OURS_ON_POSTGRESQL),
        prepare,
    ),
)
