"""Tags of a registry and of a task say what runs reach, as the worker reads them."""

import pytest
from sqlalchemy import Connection, select
from tests.management import management
from tests.registry import Registry

from entrepot.app.task_site import egress_in
from entrepot.db.tables import registry as registry_table
from entrepot.tasks.egress import TAG, Egress, EgressUnknown

STEP = {"type": "EncodedTask", "encodedTaskContent": "c3RlcHM6IFtd", "contextPath": None}
TASK = {"location": "local", "properties": {"status": "Enabled", "platform": {"os": "linux"}, "step": STEP}}


def _id(tx: Connection) -> int:
    return tx.execute(select(registry_table.c.id)).scalar_one()


async def test_a_run_is_closed_by_the_setting_the_registry_or_the_task(registry: Registry) -> None:
    arm, own = await management(registry), registry.query(_id)
    for name, tags in (("opened", {}), ("closed", {TAG: "none"}), ("wrong", {TAG: "off"})):
        made = await arm.put(f"{arm.registry()}/tasks/{name}", {**TASK, "tags": tags})
        assert made.status in {200, 201}, made.body

    def of(task: str | None, setting: Egress = Egress.OPEN) -> Egress:
        return egress_in(registry.database, setting, own, task)

    assert [of(None), of("opened"), of("closed"), of("gone")] == [Egress.OPEN, Egress.OPEN, Egress.NONE, Egress.OPEN]
    assert of("opened", Egress.NONE) is Egress.NONE
    with pytest.raises(EgressUnknown):
        of("wrong")
    await arm.patch(arm.registry(), {"tags": {TAG: "none"}})
    assert [of(None), of("opened")] == [Egress.NONE, Egress.NONE]
