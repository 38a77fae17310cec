"""A run's own registry, into which its worker puts what no engine pushes: OCI indexes, and attestations as referrers.

The worker's hand is not the run's: it could write anywhere. So it writes only where the run itself has pushed, by its
own sign-in, what the index names or the attestation is about; the audit log, which no run can write to, says so.
Spec: OCI image-spec image-index.md, manifest.md ("Guidelines for Artifact Usage").
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar
from uuid import uuid4

import msgspec
from sqlalchemy import Connection

from entrepot.catalog.manifests.commit import Sparse, commit_manifest
from entrepot.catalog.manifests.delete import delete_tag
from entrepot.catalog.model import Change, Grace, Place, Push, RegistryId, Upload
from entrepot.catalog.uploads.finish import finish_upload
from entrepot.catalog.uploads.sessions import begin_upload
from entrepot.content.model import ContentStore
from entrepot.errors import Problem
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import parse_manifest
from entrepot.oci.media_type import OCI_INDEX, OCI_MANIFEST
from entrepot.oci.platform import Platform
from entrepot.oci.reference import parse_repository, parse_tag
from entrepot.tasks.execution.images import ImageName
from entrepot.tasks.execution.model import Attachment, PublishFailed
from entrepot.tasks.publishing.queries import Pushed, pushed_by

P = ParamSpec("P")
T = TypeVar("T")

EMPTY: Final = "application/vnd.oci.empty.v1+json"
_NOTHING: Final = b"{}"
_SESSIONS: Final = 1000
# A blob waits for its manifest no longer than the next line takes.
_GRACE: Final = timedelta(days=1)


class Doors(Protocol):
    """The catalog, as a job's attempt has it."""

    @property
    def now(self) -> datetime: ...

    def read(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Look at the catalog."""
        ...

    def write(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Change the catalog in one short transaction."""
        ...


@dataclass(frozen=True, slots=True)
class OwnRegistry:
    """``run_id``: the run's row."""

    run: Doors
    store: ContentStore
    registry: RegistryId
    run_id: int

    def put_index(self, image: ImageName, children: Mapping[str, str], temporary: Sequence[str]) -> str:
        """One index under the image's tag. ``children``: digests by platform; ``temporary``: tags that go. Its digest.

        Raises PublishFailed.
        """
        try:
            return self.run.write(self._index, self._place(image), image.tag, children, temporary)
        except Problem as problem:
            raise PublishFailed(_told(problem)) from None

    def attach(self, image: ImageName, attachment: Attachment) -> str:
        """Refer to the image, which has a digest; the referrer's digest. Raises PublishFailed."""
        try:
            place, subject = self._place(image), Digest.parse(image.digest)
            pushed = self.run.read(_pushed, place, self.run_id, [str(subject)])[str(subject)]
            blobs = [self._blob(place, content, pushed.principal) for content in (_NOTHING, attachment.content)]
            return self.run.write(self._referrer, place, pushed, attachment, blobs)
        except Problem as problem:
            raise PublishFailed(_told(problem)) from None

    def _place(self, image: ImageName) -> Place:
        return Place(self.registry, parse_repository(image.repository))

    def _index(
        self, tx: Connection, place: Place, tag: str, children: Mapping[str, str], temporary: Sequence[str]
    ) -> str:
        pushed = _pushed(tx, place, self.run_id, list(children.values()))
        manifests = [
            {**_descriptor(pushed[digest]), "platform": _platform(platform)} for platform, digest in children.items()
        ]
        body = msgspec.json.encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests})
        by = next(iter(pushed.values())).principal
        digest = self._commit(tx, place, body, OCI_INDEX, (by, tag))
        for name in temporary:
            delete_tag(tx, place, parse_tag(name), self._change(by))
        return str(digest)

    def _referrer(
        self, tx: Connection, place: Place, pushed: Pushed, attachment: Attachment, blobs: Sequence[Digest]
    ) -> str:
        nothing, content = blobs
        body = msgspec.json.encode(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "artifactType": attachment.media_type,
                "config": {"mediaType": EMPTY, "digest": str(nothing), "size": len(_NOTHING)},
                "layers": [
                    {
                        "mediaType": attachment.media_type,
                        "digest": str(content),
                        "size": len(attachment.content),
                        "annotations": dict(attachment.annotations),
                    }
                ],
                "subject": _descriptor(pushed),
                "annotations": dict(attachment.annotations),
            }
        )
        return str(self._commit(tx, place, body, OCI_MANIFEST, (pushed.principal, "")))

    def _commit(self, tx: Connection, place: Place, body: bytes, media_type: str, by: tuple[str, str]) -> Digest:
        """``by``: who, and the tag, empty for none."""
        principal, tag = by
        manifest, digest = parse_manifest(body, media_type), Digest.of(body)
        tags = (parse_tag(tag),) if tag else ()
        commit_manifest(tx, Push(place, manifest, digest, tags, Platform(), self._change(principal)), Sparse.REFUSED)
        return digest

    def _blob(self, place: Place, content: bytes, principal: str) -> Digest:
        digest, now = Digest.of(content), self.run.now
        session = Upload(uuid4().hex, place, principal, digest.algorithm, now, ())
        self.run.write(begin_upload, session, _SESSIONS)
        appender = self.store.appender(session.id, (), 0)
        try:
            appender.write(content)
            piece = appender.seal()
        except BaseException:
            appender.abandon()
            raise
        pieces = self.store.commit(session.id, digest, len(content), () if piece is None else (piece,))
        self.run.write(finish_upload, session, digest, pieces, Grace(now, now + _GRACE))
        return digest

    def _change(self, principal: str) -> Change:
        return Change(principal, self.run.now, uuid4().hex)


def _pushed(tx: Connection, place: Place, run_id: int, digests: Sequence[str]) -> dict[str, Pushed]:
    """All of them. Raises PublishFailed."""
    found = pushed_by(tx, place, run_id, digests)
    if missing := set(digests) - found.keys():
        raise PublishFailed(f"the run did not push {place.repository}@{min(missing)} by its own sign-in")
    return found


def _descriptor(pushed: Pushed) -> dict[str, object]:
    return {"mediaType": pushed.media_type, "digest": pushed.digest, "size": pushed.size}


def _platform(text: str) -> dict[str, str]:
    names = ("os", "architecture", "variant")
    return dict(zip(names, text.split("/"), strict=False))


def _told(problem: Problem) -> str:
    detail = ", ".join(f"{name} {value}" for name, value in problem.detail.items())
    return f"{problem.kind.name.lower().replace('_', ' ')}{f' ({detail})' if detail else ''}"
