"""The room's workflows: signing keys are replaced before they grow old, and what has ended is deleted."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection
from structlog.typing import FilteringBoundLogger

from entrepot.access import keyring
from entrepot.access.sealing import Sealer
from entrepot.catalog.model import SERVER, Change
from entrepot.events.audit import Act, record_change
from entrepot.identities.model import Proof
from entrepot.identities.rules import ACCOUNT, ADDRESS
from entrepot.identities.signing_in import queries
from entrepot.jobs.model import Every, Json, Queue, Workflow
from entrepot.jobs.run import Body, Run

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.identities")

QUEUE: Final = Queue("identities", at_once=1)
_HOUR: Final = 3600


def workflows(sealer: Sealer, key_life: timedelta) -> Mapping[Workflow, Body]:
    """What a job worker runs for the directory. ``key_life``: the age at which a signing key gets a successor."""

    def keys(run: Run) -> None:
        run.step("keys", _rotate, run, sealer, key_life)

    def pruning(run: Run) -> None:
        run.step("prune", _prune, run)

    return {
        Workflow("identities.keys", QUEUE, Every(_HOUR)): keys,
        Workflow("identities.prune", QUEUE, Every(_HOUR)): pruning,
    }


def _rotate(run: Run, sealer: Sealer, key_life: timedelta) -> Json:
    """Twice is safe: a key that was just made is not due."""
    made, dropped = run.write(rotate_due, sealer, key_life, run.now)
    if made or dropped:
        log.info("signing_keys_changed", made=made, dropped=dropped)
    return {"made": len(made), "dropped": len(dropped)}


def rotate_due(tx: Connection, sealer: Sealer, key_life: timedelta, now: datetime) -> tuple[list[str], list[str]]:
    """The ids of the keys that were made, and of those that went."""
    new = {use: uuid.uuid4().hex for use in keyring.due(tx, key_life, now)}
    if new:
        keyring.rotate(tx, sealer, new, now)
    made, dropped = list(new.values()), keyring.drop_ended(tx, sealer, now)
    if made or dropped:
        record_change(tx, Change(SERVER, now, ""), Act.KEYS_ROTATE, "", {"made": made, "dropped": dropped})
    return made, dropped


def _prune(run: Run) -> Json:
    """Twice is safe: it deletes what has ended by then."""
    run.write(prune, run.now)
    return None


def prune(tx: Connection, now: datetime) -> None:
    """Delete handles and grants that have ended, and failures that nobody counts any more."""
    queries.delete_expired(tx, now, (Proof.GRANT.value,))
    queries.delete_failures(tx, now - max(ACCOUNT.forgotten, ADDRESS.forgotten))
