"""The OCI conformance suite with every switch on: nothing fails and nothing is skipped, on either database."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.contract.conformance.suite import SETTINGS, complaints_in, run_suite
from tests.services import Registry, entrepot, postgres

# Kept: a build's artefact, and what docs/conformance.md is printed from.
RESULTS = Path(__file__).parents[3] / "build" / "conformance"

DATABASES = [
    pytest.param(name, marks=pytest.mark.xdist_group(f"conformance-{name}")) for name in ("sqlite", "postgresql")
]


@pytest.fixture
def registry(database: str, tmp_path: Path) -> Iterator[Registry]:
    """A server that nothing was pushed to: the suite deletes blobs, and asks whether they are gone."""
    with ExitStack() as stack:
        place = ["--database-url", stack.enter_context(postgres())] if database == "postgresql" else []
        yield stack.enter_context(entrepot(tmp_path / "data", *SETTINGS, *place))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("version", ["1.1", "dev"])
def test_every_test_of_the_suite_passes_and_none_is_skipped(registry: Registry, version: str, database: str) -> None:
    results = RESULTS / f"{version}-{database}"
    outcome = run_suite(registry, version, results)
    complaints = "\n\n".join(complaints_in(results))
    assert (outcome.failed, outcome.skipped) == (0, 0), f"{complaints}\n\nall of it: {results}/report.html"
    assert set(outcome.statuses.values()) == {"Pass"}
    assert outcome.switched_off == ()
    assert outcome.tests > 1000
