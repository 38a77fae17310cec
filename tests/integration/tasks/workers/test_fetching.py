"""What a worker fetches for a task file before its steps: further aliases, and contexts of builds."""

import base64

from tests.integration.conftest import Until
from tests.integration.tasks.contexts.test_archives import TAR
from tests.integration.tasks.workers.conftest import StartWorker, log_of, properties, scheduled
from tests.integration.tasks.workers.program import Record
from tests.management import Management
from tests.outside import Asked, answer, ok, serving

TASK = """\
version: v1.1.0
alias: {src: ['http://PLACE/aliases.yaml']}
steps:
  - build: -t app http://PLACE/app.tgz
  - cmd: $tools echo hello
"""


async def test_a_run_has_aliases_and_a_builds_context_from_addresses(
    arm: Management, start_worker: StartWorker, record: Record, until: Until
) -> None:
    def answers(asked: Asked) -> list[bytes]:
        return {"/aliases.yaml": ok(b"tools: tools/busybox\n"), "/app.tgz": ok(TAR)}.get(asked.target, answer(404))

    record.let_go()
    with serving(answers) as server:
        text = TASK.replace("PLACE", server.place)
        run = await scheduled(arm, encodedTaskContent=base64.b64encode(text.encode()).decode())
        start_worker(outbound_allow=("127.0.0.1",))

        async def has_ended() -> bool:
            return (await properties(arm, run))["status"] not in {"Queued", "Started", "Running"}

        await until(has_ended, 60.0)
        assert (await properties(arm, run))["status"] == "Succeeded", await log_of(arm, run)
    assert [asked.target for asked in server.asked] == ["/aliases.yaml", "/app.tgz"]
    assert record.runs("begin") == ["1-1"]
