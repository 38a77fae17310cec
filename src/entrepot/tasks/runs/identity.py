"""What a run signs in with to its own registry: a name and a password of its own, while it runs (ACR-TASKS 8)."""

import uuid
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from entrepot.access import queries
from entrepot.access.queries import RUN_PREFIX, RunPrincipal
from entrepot.access.secrets import generate_secret, hash_generated
from entrepot.jobs.run import Run
from entrepot.tasks.model import LoginMode
from entrepot.tasks.runs.model import Plan
from entrepot.tasks.runs.queries import RunRow

# After its run's limit: for the last push, and the end.
_MARGIN: Final = timedelta(minutes=10)


def sign_in(run: Run, row: RunRow, plan: Plan) -> tuple[str, str] | None:
    """User name and password; None where the run is not to sign in by itself."""
    source = plan.credentials.source_registry
    if source is not None and source.login_mode is LoginMode.NONE:
        return None
    secret, made = generate_secret(), str(uuid.uuid4())
    principal = RunPrincipal(
        made,
        f"{_prefix(row)}{made}",
        row.registry_id,
        hash_generated(secret),
        run.now,
        run.now + timedelta(seconds=plan.timeout) + _MARGIN,
    )
    run.write(_replace, row, principal)
    return principal.client_id, secret


def _replace(tx: Connection, row: RunRow, principal: RunPrincipal) -> None:
    """What an attempt before had is good no longer."""
    sign_out(tx, row)
    queries.insert_run_principal(tx, principal)


def sign_out(tx: Connection, row: RunRow) -> None:
    """Within two seconds nobody is the run any more."""
    if queries.delete_run_principals(tx, _prefix(row)):
        queries.raise_epoch(tx)


def _prefix(row: RunRow) -> str:
    return f"{RUN_PREFIX}{row.id}-"
