"""What maintenance commands and the job worker keep in order: catalog and content as the settings name them."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

from entrepot.app.parts import open_catalog, open_content, utc_now
from entrepot.db.database import CATALOG_FILE, Database
from entrepot.db.migrate import HEAD, revision
from entrepot.errors import Problem
from entrepot.retention.collect import Site
from entrepot.retention.model import Waits
from entrepot.settings import SettingError, Settings


def waits_of(settings: Settings) -> Waits:
    return Waits(
        unlinked=timedelta(seconds=settings.gc_unlinked_grace_seconds),
        condemned=timedelta(seconds=settings.gc_condemn_seconds),
        retired=timedelta(seconds=settings.gc_retire_seconds),
        upload=timedelta(seconds=settings.upload_keep_seconds),
    )


def open_existing(settings: Settings) -> Database:
    """The catalog that a server was started on, as this program knows it. Makes nothing. Raises SettingError."""
    setting, where = ("data_dir", str(settings.data_dir)) if settings.database_url is None else ("database_url", "it")
    if settings.database_url is None and not (settings.data_dir / CATALOG_FILE).is_file():
        raise SettingError(setting, f"{where} holds no registry")
    database = open_catalog(settings)
    try:
        found = database.read(revision)
    except Problem:
        database.close()
        raise
    if found == HEAD:
        return database
    database.close()
    if found is None:
        raise SettingError(setting, f"{where} holds no registry")
    raise SettingError(setting, f"its catalog has schema {found} and this program {HEAD}: use the server's own version")


@contextmanager
def opened(settings: Settings) -> Generator[Site]:
    """Catalog and content of a registry that is there, whether a server runs or not. Raises SettingError."""
    database = open_existing(settings)
    try:
        yield Site(database, open_content(settings), waits_of(settings), settings.gc_rate, utc_now)
    finally:
        database.close()
