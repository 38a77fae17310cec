"""The catalog against itself: what DESIGN section 4 says holds at every moment."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Final

from sqlalchemy import Connection

from entrepot.catalog.blobs.queries import queue_review, revive_links
from entrepot.catalog.model import BlobId
from entrepot.oci.manifest import parse_manifest
from entrepot.retention import queries as collection
from entrepot.retention.check import queries
from entrepot.retention.check.model import Absent, Fault, Finding, Repair, Stray
from entrepot.retention.check.queries import Window
from entrepot.retention.collect import Site, delete_those_unlinked

_DOOMED: Final = 1000


def check_links(site: Site, window: Window) -> Iterator[Finding]:
    """Links and blobs that collection would treat wrongly, for ever."""
    for stray in site.doors.read(queries.needed_but_condemned, window):
        yield _stray(Fault.CONDEMNED, stray, partial(collection.absolve, pairs=[(stray.repository, stray.blob)]))
    for stray in site.doors.read(queries.needed_but_hidden, window):
        repair = partial(revive_links, repository_id=stray.repository, blobs=[stray.blob])
        yield _stray(Fault.HIDDEN, stray, repair)
    for stray in site.doors.read(queries.forgotten_links, window):
        yield _stray(Fault.FORGOTTEN, stray, partial(_review, stray=stray, now=site.now()))
    for blob_id, digest in site.doors.read(queries.forgotten_blobs, window):
        due = site.now() + site.waits.retired
        yield Finding(Fault.FORGOTTEN, digest, {}, partial(_delete, blob_id=blob_id, due=due))


def _stray(fault: Fault, stray: Stray, repair: Repair) -> Finding:
    return Finding(fault, stray.digest, {"repository": stray.name}, repair)


def _review(tx: Connection, stray: Stray, now: datetime) -> None:
    queue_review(tx, stray.repository, [stray.blob], now, "forgotten")


def _delete(tx: Connection, blob_id: BlobId, due: datetime) -> None:
    delete_those_unlinked(tx, list(collection.hold_blobs(tx, [blob_id])), due)


def check_manifests(site: Site, window: Window) -> Iterator[Finding]:
    """Manifests that need a blob which their repository does not link. A push of the blob puts it right."""
    for _, rows in groupby(site.doors.read(queries.absent_blobs, window), key=lambda absent: absent.manifest):
        absent = list(rows)
        required = _required(absent[0])
        for one in absent:
            if one.digest in required:
                yield Finding(
                    Fault.UNLINKED, one.digest, {"repository": one.repository, "manifest": one.manifest_digest}
                )


def _required(absent: Absent) -> set[str]:
    """What the manifest cannot do without: not layers that lie elsewhere, nor what an unknown type seems to name."""
    parsed = parse_manifest(absent.body, absent.media_type)
    return {str(named.digest) for named in parsed.references if named.required}


def check_uses(site: Site, window: Window) -> Iterator[Finding]:
    """How many repositories of a registry link each blob."""
    for wrong in site.doors.read(queries.wrong_uses, window):
        detail = {"figure": "repositories of the registry that link it", "said": wrong.said, "counted": wrong.counted}
        repair = partial(queries.recount_uses, registry_id=wrong.registry, blob_id=wrong.blob)
        yield Finding(Fault.USAGE, wrong.digest, detail, repair)


def check_counts(site: Site, window: Window) -> Iterator[Finding]:
    """How many manifests and tags each repository has."""
    for wrong in site.doors.read(queries.wrong_counts, window):
        detail = {
            "figure": "manifests and tags",
            "said": f"{wrong.said_manifests}, {wrong.said_tags}",
            "counted": f"{wrong.manifests}, {wrong.tags}",
        }
        yield Finding(Fault.USAGE, wrong.name, detail, partial(queries.recount, repository_id=wrong.repository))


def check_usage(site: Site) -> Iterator[Finding]:
    """How many bytes each registry uses: every manifest, and every blob once."""
    for wrong in site.doors.read(queries.wrong_usage):
        detail = {"figure": "bytes used", "said": wrong.said, "counted": wrong.counted}
        yield Finding(Fault.USAGE, wrong.name, detail, partial(queries.recount_usage, registry_id=wrong.registry))


def check_doomed(site: Site) -> Iterator[Finding]:
    """Bytes of a blob that are queued to be removed."""
    for store, key in site.doors.read(queries.doomed_keys, _DOOMED):
        yield Finding(Fault.DOOMED, key, {"store": store}, partial(_spare, store=store, key=key))


def _spare(tx: Connection, store: str, key: str) -> None:
    collection.forget_keys(tx, store, [key])
