"""PostgreSQL goes away under a server at work and comes back: no wrong answer, no restart, no lost promise."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url
from tests.content import an_image
from tests.faults.catalog.load import Client, load
from tests.faults.catalog.proxy import Proxy, proxy_to
from tests.faults.plain import is_ready, plain_server, repository_of
from tests.faults.serve.seen import Processes, processes_of, settled
from tests.invariants import assert_clean
from tests.services import Registry, postgres, postgres_program, wait_until

from entrepot.settings import Settings

PROGRAM = (sys.executable, Path(__file__).with_name("impatient.py"))
COLLECTS_SOON = ("--gc-unlinked-grace-seconds", "8", "--gc-condemn-seconds", "1", "--gc-retire-seconds", "1")


@dataclass(frozen=True)
class Site:
    """A server whose way to its database leads through a proxy."""

    registry: Registry
    url: str  # past the proxy
    proxy: Proxy
    processes: Processes

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.registry.data_dir, database_url=SecretStr(self.url))

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        address = make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as session:
            return session.execute(statement.encode()).fetchall()

    def terminate_every_session(self) -> int:
        """How many there were."""
        others = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        return len(self.sql(f"SELECT pg_terminate_backend(pid) {others}"))

    def restart_database(self) -> None:
        """Fast shutdown, and start with the same options; by us it is then to be ended."""
        self._pg_ctl("restart", "--log=/dev/null")

    def stop_database(self) -> None:
        self._pg_ctl("stop")

    def _pg_ctl(self, action: str, *options: str) -> None:
        ((cluster,),) = self.sql("SHOW data_directory")
        told = ["--mode=fast", "--wait", "--silent", f"--pgdata={cluster}", *options]
        subprocess.run([*postgres_program("pg_ctl"), action, *told], check=True, cwd="/")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    data_dir = tmp_path_factory.mktemp("postgresql") / "data"
    with postgres() as url, proxy_to(make_url(url).port or 0) as proxy:
        through = make_url(url).set(port=proxy.port).render_as_string(hide_password=False)
        environment = {"ENTREPOT_DATABASE_URL": through}
        flags = ("--workers", "2", *COLLECTS_SOON)
        with plain_server(data_dir, *flags, program=PROGRAM, environment=environment) as registry:
            site = Site(registry, url, proxy, settled(registry))
            yield site
        site.stop_database()


@pytest.fixture(autouse=True)
def all_is_well_afterwards(site: Site) -> Iterator[None]:
    yield
    assert processes_of(site.registry) == site.processes
    assert "request_failed" not in site.registry.said
    assert_clean(site.settings)


def went_on(clients: list[Client]) -> None:
    """Each of them pushes again."""
    counts = [len(client.pushed) for client in clients]
    wait_until(
        lambda: all(len(client.pushed) > count for client, count in zip(clients, counts, strict=True)),
        "every client has pushed again",
    )


def test_sessions_that_are_terminated_are_replaced(site: Site) -> None:
    with load(site.registry) as clients:
        for _ in range(5):
            assert site.terminate_every_session() > 0
            went_on(clients)


def test_a_connection_that_stays_silent_is_given_up(site: Site) -> None:
    with load(site.registry) as clients:
        with site.proxy.stalled():
            wait_until(lambda: all(client.refused for client in clients), "every client was refused")
        went_on(clients)


def test_after_a_restart_of_the_database_all_go_on(site: Site) -> None:
    with load(site.registry) as clients:
        site.restart_database()
        went_on(clients)


def test_a_push_after_idle_sessions_were_terminated_is_not_refused(site: Site) -> None:
    """It finds nothing but dead connections, and has changed nothing over them."""
    image = an_image("after the night")
    with load(site.registry):
        pass
    with repository_of(site.registry, "idle") as repository:
        site.terminate_every_session()
        assert repository.push(image, "v1").status_code == 201
        assert repository.pull("v1") == image


def test_collection_goes_on_after_a_restart_of_the_database(site: Site) -> None:
    image = an_image("to be collected")
    files = site.registry.data_dir / "content" / "blobs"
    with repository_of(site.registry, "collected") as repository:
        assert repository.push(image, "v1").status_code == 201
        site.restart_database()
        wait_until(lambda: is_ready(site.registry), "the server has its database again")
        assert repository.http.delete(repository.path(f"manifests/{image.digest}")).status_code == 202
    names = [digest.partition(":")[2] for digest in image.blobs]
    wait_until(lambda: not any(list(files.rglob(f"{name}.*")) for name in names), "the blobs' files are gone")


def test_a_connection_that_is_cut_comes_back(site: Site) -> None:
    with load(site.registry) as clients:
        with site.proxy.cut():
            wait_until(lambda: all(client.refused for client in clients), "every client was refused")
            assert not is_ready(site.registry)
        went_on(clients)


def test_requests_wait_for_a_connection_that_stalls(site: Site) -> None:
    with load(site.registry) as clients:
        before = [client.refused for client in clients]
        with site.proxy.stalled():
            site.sql("SELECT pg_sleep(0.5)")
        went_on(clients)
        assert [client.refused for client in clients] == before


def test_a_connection_that_stalls_and_then_breaks_is_told(site: Site) -> None:
    with load(site.registry) as clients:
        with site.proxy.stalled():
            site.sql("SELECT pg_sleep(0.5)")
            with site.proxy.cut():
                pass
        went_on(clients)
