"""In which order the steps of a push reach the disk, before the client is told: what SIGKILL cannot show.

Spec: docs/concepts/durability.md. strace follows a web worker that answers in plain HTTP.
"""

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
from tests.content import an_image, digest_of, some_bytes
from tests.faults.durability.trace import Call, Trace, traced
from tests.faults.plain import Repository, plain_server, repository_of
from tests.faults.serve.seen import processes_of
from tests.faults.strace import needs_strace
from tests.services import wait_until

from entrepot.db.database import CATALOG_FILE

pytestmark = needs_strace

LOG = "catalog.sqlite-wal"
COMMITTED = [f"write {LOG}", f"sync {LOG}"]


@dataclass(frozen=True)
class Watched:
    """A client of a server, and the trace of the one worker that answers it."""

    repository: Repository
    trace: Trace
    data_dir: Path

    def steps(self, answered: httpx.Response) -> list[str]:
        """What the worker did for a request, each step begun after the one before had ended."""
        chosen = [
            (call, step) for call in self.trace.until_answered(answered.status_code) if (step := self._step(call))
        ]
        assert all(call.answer >= 0 for call, _ in chosen)
        assert all(before.ended < after.begun for (before, _), (after, _) in itertools.pairwise(chosen))
        return [step for step, _ in itertools.groupby(step for _, step in chosen)]

    def _step(self, call: Call) -> str | None:
        """What concerns content, the catalog's log or the client. The log goes into the catalog's file at leisure."""
        step = "" if call.step is None else call.step.replace(f"{self.data_dir}/", "")
        kind, _, rest = step.partition(" ")
        return step if kind == "answer" or rest.startswith(("content/", LOG)) else None


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    data_dir = tmp_path_factory.mktemp("durability") / "data"
    with plain_server(data_dir, "--workers", "1", "--access-log", "off") as registry:
        (process,) = processes_of(registry).web
        with traced(process) as trace, repository_of(registry) as repository:
            # The sign-in's entry in the audit log is written a moment later, beside other requests, once in a minute.
            for entries in (0, 1):
                wait_until(partial(_has_sign_ins, data_dir, entries), "the sign-in is in the audit log")
                trace.until_answered(repository.http.get("/v2/").status_code)
            yield Watched(repository, trace, data_dir)


def _has_sign_ins(data_dir: Path, count: int) -> bool:
    with closing(sqlite3.connect(data_dir / CATALOG_FILE)) as catalog:
        (found,) = catalog.execute("SELECT count(*) FROM audit_entry WHERE action = 'sign_in'").fetchone()
    return found >= count


def settled(digest: str, session: str) -> list[str]:
    """Of a blob whose digest is the first one with these two digits."""
    algorithm, _, encoded = digest.partition(":")
    folder = f"content/blobs/{algorithm}/{encoded[:2]}"
    return [
        f"write content/staging/{session}",
        f"sync content/blobs/{algorithm}",
        f"sync content/staging/{session}",
        f"rename content/staging/{session} {folder}/{encoded}.{session}",
        f"sync {folder}",
    ]


def test_a_blob_lasts_before_the_catalog_names_it_and_that_lasts_before_the_client_knows(watched: Watched) -> None:
    content = some_bytes(3000, "in chunks")
    started = watched.repository.start()
    assert watched.steps(started) == [*COMMITTED, "answer 202"]
    location = started.headers["location"]
    session = location.rpartition("/")[2]
    patched = watched.repository.http.patch(location, content=content[:1000])
    assert watched.steps(patched) == [f"write content/staging/{session}", "answer 202"]
    closed = watched.repository.close(location, content, content[1000:])
    assert watched.steps(closed) == [*settled(digest_of(content), session), *COMMITTED, "answer 201"]


def test_a_blob_in_one_request_lasts_as_well(watched: Watched) -> None:
    content = some_bytes(3000, "at once")
    steps = watched.steps(watched.repository.push_blob_at_once(content))
    session = steps[2].rpartition("/")[2]
    assert steps == [*COMMITTED, *settled(digest_of(content), session), *COMMITTED, "answer 201"]


def test_a_manifest_is_committed_before_the_client_knows(watched: Watched) -> None:
    image = an_image("durable", layers=1)
    for content in image.blobs.values():
        watched.steps(watched.repository.push_blob_at_once(content))
    assert watched.steps(watched.repository.put(image, "v1")) == [*COMMITTED, "answer 201"]


@pytest.mark.parametrize("reference", ["v1", "digest"])
def test_a_delete_is_committed_before_the_client_knows(watched: Watched, reference: str) -> None:
    image = an_image(f"deleted by {reference}", layers=0)
    for content in image.blobs.values():
        watched.steps(watched.repository.push_blob_at_once(content))
    watched.steps(watched.repository.put(image, "v1"))
    target = watched.repository.path(f"manifests/{image.digest if reference == 'digest' else reference}")
    assert watched.steps(watched.repository.http.delete(target)) == [*COMMITTED, "answer 202"]
