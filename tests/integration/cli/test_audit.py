"""`entrepot audit`: list and verify, on the data folder."""

import json
from pathlib import Path

import pytest
from sqlalchemy import delete, update
from tests.integration.auditing.conftest import write
from tests.integration.cli.conftest import Command
from tests.registry import SECRET_KEY, Registry

from entrepot.auditing.chaining import Chainer
from entrepot.db.access_tables import audit_checkpoint, audit_entry


@pytest.fixture(autouse=True)
def secret_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command reads it from the environment, as a server does."""
    monkeypatch.setenv("ENTREPOT_SECRET_KEY", SECRET_KEY)


@pytest.fixture
def log(registry: Registry, chainer: Chainer) -> Chainer:
    """Six chained entries, a minute apart; the newest checkpoint is at the fifth or later."""
    write(registry.database, registry.clock, 6)
    chainer.chain()
    return chainer


async def test_a_log_that_is_whole_is_told_so_with_its_newest_checkpoint(log: Chainer, entrepot: Command) -> None:
    assert entrepot.succeeds("audit", "verify").splitlines() == [
        "entries: 6, the last one 6; not chained yet: 0",
        "newest checkpoint: entry 6, 2024-05-06 07:14:09 UTC",
        "the log is whole",
    ]


async def test_an_empty_log_is_whole(registry: Registry, entrepot: Command) -> None:
    assert entrepot.succeeds("audit", "verify").splitlines()[0] == "entries: 0, the last one 0; not chained yet: 0"


async def test_a_changed_entry_is_named(log: Chainer, registry: Registry, entrepot: Command) -> None:
    change = update(audit_entry).where(audit_entry.c.sequence == 3).values(principal="somebody else")
    registry.query(lambda tx: tx.execute(change))
    done = entrepot("audit", "verify")
    assert done.exit_code == 1
    told = done.out.splitlines()
    assert told[0] == "changed: entry 3 is not what was chained: it was changed, put in or moved"
    assert told[-1] == "the log is not whole"


async def test_a_cut_tail_is_found_by_the_checkpoints_kept_apart(
    log: Chainer, registry: Registry, entrepot: Command, tmp_path: Path
) -> None:
    kept = tmp_path / "elsewhere.jsonl"
    log.path.replace(kept)
    registry.query(lambda tx: tx.execute(delete(audit_entry).where(audit_entry.c.sequence > 4)))
    registry.query(lambda tx: tx.execute(delete(audit_checkpoint)))
    assert entrepot("audit", "verify").exit_code == 0
    done = entrepot("audit", "verify", "--checkpoints", kept)
    assert done.exit_code == 1
    assert "cut: the log ends with entry 4, and a checkpoint was signed at entry 6" in done.out


async def test_a_forged_checkpoint_is_named(log: Chainer, entrepot: Command) -> None:
    log.path.write_text(log.path.read_text().replace('"sequence":6', '"sequence":5'))
    done = entrepot("audit", "verify")
    assert done.exit_code == 1
    assert "forged: the checkpoint at entry 5 was not signed by this deployment" in done.out


@pytest.mark.parametrize(
    ("content", "exit_code", "told"),
    [("no checkpoint\n", 1, "line 1 is no checkpoint"), (None, 3, "No such file or directory")],
)
async def test_a_file_of_checkpoints_that_cannot_be_read_is_told(
    log: Chainer, entrepot: Command, tmp_path: Path, content, exit_code, told
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_text(content)
    done = entrepot("audit", "verify", "--checkpoints", file)
    assert done.exit_code == exit_code
    assert told in done.error


async def test_a_folder_without_a_registry_cannot_be_looked_at(entrepot: Command, tmp_path: Path, settings) -> None:
    done = entrepot.on(settings.model_copy(update={"data_dir": tmp_path / "none", "database_url": None}))(
        "audit", "verify"
    )
    assert (done.exit_code, done.error) == (
        3,
        f"entrepot audit: --data-dir: {tmp_path}/none holds no registry\n",
    )


async def test_a_list_is_a_line_for_each_entry_and_those_that_wait_come_last(
    log: Chainer, registry: Registry, entrepot: Command
) -> None:
    write(registry.database, registry.clock, 1, first=7)
    lines = entrepot.succeeds("audit", "list").splitlines()
    assert len(lines) == 7
    assert lines[0] == "1 2024-05-06 07:08:09Z sign_in success principal-1 - - {}"
    assert lines[-1] == "- 2024-05-06 07:14:09Z sign_in success principal-7 - - {}"


async def test_a_list_may_be_json_lines_of_some_entries(log: Chainer, entrepot: Command) -> None:
    out = entrepot.succeeds(
        *("audit", "list", "--json-lines", "--since", "2024-05-06T07:09:09Z", "--until", "2024-05-06T07:12:09"),
        *("--action", "sign*", "--result", "success"),
    )
    assert [json.loads(line)["sequence"] for line in out.splitlines()] == [2, 3, 4]
    assert entrepot.succeeds("audit", "list", "--principal", "nobody", "--registry", "local") == ""


async def test_what_a_client_sent_does_not_command_a_terminal(registry: Registry, entrepot: Command) -> None:
    values = {"at": registry.clock.now, "action": "sign_in", "result": "failure", "principal": "\x1b[2J"}
    registry.query(lambda tx: tx.execute(audit_entry.insert().values(**values)))
    assert "\x1b" not in entrepot.succeeds("audit", "list")
