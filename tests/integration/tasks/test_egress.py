"""Tags of a registry and of a task say what runs reach, as the worker reads them."""

import pytest
from sqlalchemy import Connection, select
from tests.management import management
from tests.registry import Registry

from entrepot.app.task_site import egress_in, egress_of_setting, reached_by_runs
from entrepot.db.tables import registry as registry_table
from entrepot.outbound.addresses import literal_of
from entrepot.settings import SettingError, Settings
from entrepot.tasks.egress import NONE, OPEN, TAG, Egress, EgressUnknown

STEP = {"type": "EncodedTask", "encodedTaskContent": "c3RlcHM6IFtd", "contextPath": None}
TASK = {"location": "local", "properties": {"status": "Enabled", "platform": {"os": "linux"}, "step": STEP}}


def _id(tx: Connection) -> int:
    return tx.execute(select(registry_table.c.id)).scalar_one()


async def test_a_run_is_closed_by_the_setting_the_registry_or_the_task(registry: Registry) -> None:
    arm, own = await management(registry), registry.query(_id)
    tagged = (("opened", {}), ("closed", {TAG: "none"}), ("wrong", {TAG: "off"}), ("listed", {TAG: "a.example"}))
    for name, tags in tagged:
        made = await arm.put(f"{arm.registry()}/tasks/{name}", {**TASK, "tags": tags})
        assert made.status in {200, 201}, made.body

    def of(task: str | None, setting: Egress = OPEN) -> Egress:
        return egress_in(registry.database, setting, own, task)

    assert [of(None), of("opened"), of("closed"), of("gone")] == [OPEN, OPEN, NONE, OPEN]
    assert of("listed") == Egress.parse(["a.example"])
    assert of("listed", Egress.parse(["*.example:443"])) == Egress.parse(["a.example:443"])
    assert [of("opened", NONE), of("listed", NONE)] == [NONE, NONE]
    with pytest.raises(EgressUnknown):
        of("wrong")
    await arm.patch(arm.registry(), {"tags": {TAG: "none"}})
    assert [of(None), of("opened")] == [NONE, NONE]


@pytest.mark.parametrize("text", ["a.example,none", "a.example,*.127.0.0.1", ".example", "a.example:65536"])
def test_a_setting_that_is_no_list_is_named(text: str) -> None:
    with pytest.raises(SettingError, match="task_egress"):
        egress_of_setting(Settings(task_egress=text))  # type: ignore[arg-type]  as a flag has it


@pytest.mark.parametrize(
    ("egress", "reached"),
    [
        ("a.example", {"10.1.1.1"}),
        ("a.example,127.0.0.1:81", {"10.1.1.1", "127.0.0.1"}),
        # A tag names the hosts then, and whoever writes it has no say in what is not public.
        ("open", set[str]()),
    ],
)
def test_the_operator_says_what_is_reached_that_is_not_public(egress: str, reached: set[str]) -> None:
    settings = Settings(task_egress=egress, outbound_allow="10.1.0.0/16")  # type: ignore[arg-type]  as flags have them
    permitted = reached_by_runs(settings, egress_of_setting(settings))
    texts = ("10.1.1.1", "127.0.0.1", "169.254.169.254", "9.9.9.9")
    addresses = {text: address for text in texts if (address := literal_of(text)) is not None}
    assert {text for text, address in addresses.items() if permitted.allows(address)} == reached | {"9.9.9.9"}
