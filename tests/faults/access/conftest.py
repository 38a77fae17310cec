"""Two servers of two workers each on one catalog, once for each database."""

import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select
from tests.content import an_image
from tests.faults.access.deployment import Deployment
from tests.faults.plain import plain_server, repository_of
from tests.services import postgres

from entrepot.access.queries import raise_epoch
from entrepot.db.database import open_database
from entrepot.db.tables import registry


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("deployment")
    if request.param == "postgres":
        with postgres() as url:
            yield from _started(folder, url)
    else:
        yield from _started(folder, f"sqlite:///{folder / 'catalog.sqlite'}")


def _started(folder: Path, url: str) -> Iterator[Deployment]:
    key = b64encode(os.urandom(32))
    environment = {"ENTREPOT_DATABASE_URL": url, "ENTREPOT_SECRET_KEY": key.decode()}
    flags = ("--workers", "2", "--blob-url", (folder / "content").as_uri(), "--access-log", "off")
    with (
        plain_server(folder / "one", *flags, environment=environment) as one,
        plain_server(folder / "two", *flags, environment=environment) as two,
        closing(open_database(url, folder, pool_size=2)) as database,
    ):
        with repository_of(one) as app:
            assert app.push(an_image(), "v1").status_code == 201
        database.write(_add_registry)
        yield Deployment((one, two), database, key)


def _add_registry(tx: Connection) -> None:
    row = tx.execute(select(registry).where(registry.c.name == "local")).one()._asdict()
    del row["id"]
    tx.execute(insert(registry).values(**{**row, "name": "doomed", "rid": "f" * 32, "bytes_used": 0}))
    raise_epoch(tx)  # a worker that knew the registries before learns of it
