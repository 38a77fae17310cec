"""The OCI conformance suite of distribution-spec: its switches, one run, and what a run has found.

Source: github.com/opencontainers/distribution-spec/conformance, README.md and config.go. The program is built by
scripts/test, in the revision that requirements/go-test.txt names.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.services import Registry

PROGRAM = "oci-conformance"
WIRE_LENGTH = 3000  # characters of a failure's requests and answers that are worth reading at once
PATIENCE = 240.0  # seconds; a run takes about fifteen on two quiet cores

# The switch DATA_SPARSE asks for a manifest whose layer nobody has pushed; a registry may refuse it, and ours does so
# unless it is told otherwise.
SETTINGS = ("--sparse-manifests",)

# Every switch there is. Those that version 1.1 leaves off by itself are what makes this list necessary.
SWITCHES = (
    "API_PING",
    "API_PULL",
    "API_PUSH",
    "API_BLOBS_ATOMIC",
    "API_BLOBS_DELETE",
    "API_BLOBS_DIGEST_HEADER",
    "API_BLOBS_MOUNT_ANONYMOUS",
    "API_BLOBS_UPLOAD_CANCEL",
    "API_MANIFESTS_ATOMIC",
    "API_MANIFESTS_DELETE",
    "API_MANIFESTS_DIGEST_HEADER",
    "API_MANIFESTS_TAG_PARAM",
    "API_TAGS_ATOMIC",
    "API_TAGS_DELETE",
    "API_TAGS_LIST",
    "API_REFERRER",
    "DATA_IMAGE",
    "DATA_INDEX",
    "DATA_INDEX_LIST",
    "DATA_SPARSE",
    "DATA_ARTIFACT",
    "DATA_SUBJECT",
    "DATA_SUBJECT_MISSING",
    "DATA_ARTIFACT_LIST",
    "DATA_SUBJECT_LIST",
    "DATA_DATA_FIELD",
    "DATA_NONDISTRIBUTABLE",
    "DATA_CUSTOM_FIELDS",
    "DATA_NO_LAYERS",
    "DATA_EMPTY_BLOB",
    "DATA_SHA512",
)


@dataclass(frozen=True)
class Outcome:
    """One run, as its results folder tells it."""

    tests: int
    failed: int
    skipped: int  # those that the configuration disables count here too
    statuses: dict[str, str]  # of each API and each kind of content
    switched_off: tuple[str, ...]

    @property
    def passed(self) -> int:
        return self.tests - self.failed - self.skipped


def run_suite(registry: Registry, version: str, results: Path) -> Outcome:
    """Runs every test of this version of the specification; the results folder holds this run's files alone."""
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    settings = _settings(registry, version, results)
    with (results / "output.txt").open("wb") as output:
        # It ends with 1 when a test has failed; what failed is read from its report.
        subprocess.run([PROGRAM], env=settings, stdout=output, stderr=output, timeout=PATIENCE, check=False)
    return outcome_in(results)


def _settings(registry: Registry, version: str, results: Path) -> dict[str, str]:
    """The whole environment: nothing that the caller has set may switch a test off."""
    return {
        "PATH": os.environ["PATH"],
        "OCI_VERSION": version,
        "OCI_REGISTRY": registry.login_server,
        "OCI_TLS": "enabled",
        "SSL_CERT_FILE": str(registry.ca),
        "OCI_USERNAME": registry.user,
        "OCI_PASSWORD": registry.password,
        "OCI_RESULTS_DIR": str(results),
        "OCI_CONFIGURATION": os.devnull,
        **{f"OCI_{switch}": "true" for switch in SWITCHES},
    }


def outcome_in(results: Path) -> Outcome:
    report = _report(results)
    told = {name: int(report.get(name, "0")) for name in ("tests", "failures", "errors", "skipped", "disabled")}
    found = (results / "results.yaml").read_text()
    configuration, _, statuses = found.partition("\napis:\n")
    return Outcome(
        tests=told["tests"],
        failed=told["failures"] + told["errors"],
        skipped=told["skipped"] + told["disabled"],
        statuses=dict(re.findall(r"^  ([^:\n]+): (\w+)$", statuses, re.MULTILINE)),
        switched_off=tuple(re.findall(r"^\s+(\w+): false$", configuration, re.MULTILINE)),
    )


def complaints_in(results: Path) -> Iterator[str]:
    """Each test that did not pass: its name, why, and what was sent and received."""
    for case in _report(results).iter("testcase"):
        if case.get("status") != "passed":
            why, wire = (case.findtext(part, "").strip() for part in ("system-out", "system-err"))
            yield f"{case.get('name')}: {case.get('status')}\n{why}\n{wire[-WIRE_LENGTH:]}"


def _report(results: Path) -> ET.Element:
    return ET.parse(results / "junit.xml").getroot()  # noqa: S314  # a report that was just written by our own child
