"""The end of an upload: session gone, blob there, in one transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection

from entrepot.catalog.blobs.commit import commit_blob
from entrepot.catalog.model import Grace, Upload
from entrepot.catalog.uploads.sessions import end_upload
from entrepot.content.model import Piece
from entrepot.oci.digest import Digest


def finish_upload(tx: Connection, session: Upload, digest: Digest, pieces: Sequence[Piece], grace: Grace) -> None:
    """Raises BLOB_UPLOAD_UNKNOWN when the session ended meanwhile, QUOTA_EXCEEDED."""
    end_upload(tx, session)
    commit_blob(tx, session.place, digest, pieces, grace)
