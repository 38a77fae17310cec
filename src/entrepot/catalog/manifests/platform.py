"""The platform of an image that is being committed, as its config says."""

from sqlalchemy import Connection

from entrepot.catalog.blobs.queries import BLOB_OF_REPOSITORY, stored_blob
from entrepot.catalog.model import Place, StoredBlob
from entrepot.content.model import ContentStore
from entrepot.oci.manifest import Manifest
from entrepot.oci.platform import CONFIG_READ_LIMIT, CONFIG_TYPES, Platform, read_platform


def config_blob(tx: Connection, place: Place, manifest: Manifest) -> StoredBlob | None:
    """The image's config, where the repository has it and it is worth reading."""
    config = manifest.config
    if config is None or config.media_type not in CONFIG_TYPES or config.size > CONFIG_READ_LIMIT:
        return None
    values = {"registry": place.registry, "repository": place.repository, "digest": str(config.digest)}
    blob = stored_blob(BLOB_OF_REPOSITORY.rows(tx, **values))
    return None if blob is None or blob.size != config.size else blob


def platform_in(store: ContentStore, config: StoredBlob | None) -> Platform:
    """Nothing where there is no config to read."""
    return Platform() if config is None else read_platform(b"".join(store.read(config.pieces, 0, config.size)))
