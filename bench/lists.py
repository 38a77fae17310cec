"""What a page costs at the beginning, in the middle and at the end of very long lists, from a real server.

    python -m bench.lists [-s SCALE] [CONTENDER...]

Each list is walked once, by the links that the server gives, which is how often its pages are asked for when nothing is
remembered; then three of its pages are asked for again and again. SCALE 1 is 10^4 registries, 10^5 repositories and
10^6 manifests; contenders are entrepot and entrepot-postgresql.
"""

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from bench.contenders.entrepot import Entrepot, EntrepotOnPostgreSQL
from bench.contenders.lab import Lab
from bench.crowd import MOVED, OTHER_GROUP, REPOSITORY, Reader, Size, seed
from bench.management import Deployment
from bench.model import Running, Wrong
from bench.processes import Household
from bench.registry import bearer, pull
from bench.report import table
from bench.rows.reads import pids
from bench.run import say
from bench.usage import Meter
from bench.wire import Client
from entrepot.db.database import open_database

AGAIN: Final = 21
API: Final = "api-version=2025-04-01"
RESOURCES: Final = "api-version=2024-11-01"
HEAD: Final = (
    "list",
    "pages",
    "first ms",
    "middle ms",
    "last ms",
    "CPU ms of each",
    "once: median ms",
    "once: worst ms",
)
_NEXT: Final = re.compile(r"<([^>]+)>")
_WALK_SECONDS: Final = 40.0
"""Then a walk ends where it is, and its number of pages has a plus sign."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A list: how it is called in the table, where it begins, and who asks."""

    name: str
    path: str
    headers: dict[str, str]


def main(scale: float, contenders: list[str]) -> None:
    size = Size(*(max(10, int(count * scale)) for count in (10_000, 100_000, 1_000_000)))
    with Household(None) as household:
        lab = Lab.furnish(household)
        for contender in (Entrepot(lab), EntrepotOnPostgreSQL(lab)):
            if not contenders or contender.name in contenders:
                folder = household.folder / contender.name
                folder.mkdir()
                rows = _measure(contender.start(folder), size)
                print("\n".join([f"\n## {contender.name}, {contender.version()}\n", *table(HEAD, rows)]), flush=True)
                household.stop_below(folder)


def _measure(running: Running, size: Size) -> list[list[str]]:
    begun = time.monotonic()
    database = open_database(running.database_url, running.folder / "data")
    try:
        reader = seed(database, running.shelf, size)
    finally:
        database.close()
    say(f"{running.name}: seeded in {time.monotonic() - begun:.0f} s")
    return [_row(running, asked) for asked in _lists(running, reader)]


def _row(running: Running, asked: Asked) -> list[str]:
    client = Client(running.url)
    links, once = list[str](), list[float]()
    begun, is_cut = time.monotonic(), False
    try:
        for link, milliseconds in _walk(client, asked):
            links.append(link)
            once.append(milliseconds)
            is_cut = time.monotonic() - begun > _WALK_SECONDS
            if is_cut:
                break
        again = [_again(running, client, asked, link) for link in (links[0], links[len(links) // 2], links[-1])]
    finally:
        client.close()
    medians, used = zip(*again, strict=True)
    told = [f"{each:.1f}" for each in (*medians, statistics.median(once), max(once))]
    row = [asked.name, f"{len(links):,}{'+' if is_cut else ''}", *told]
    row.insert(5, ", ".join(f"{each:.1f}" for each in used))
    say(" | ".join(row))
    return row


def _walk(client: Client, asked: Asked) -> Iterator[tuple[str, float]]:
    link: str | None = asked.path
    while link is not None:
        begun = time.perf_counter()
        answer = client.ask("GET", link, asked.headers).expect(200)
        yield link, (time.perf_counter() - begun) * 1e3
        given = _NEXT.search(answer.headers.get("link", ""))
        link = json.loads(answer.body).get("nextLink") if given is None else given[1]


def _again(running: Running, client: Client, asked: Asked, link: str) -> tuple[float, float]:
    """The median, and the server's CPU for each, which others' work on the machine disturbs less."""
    with Meter(pids(running)) as meter:
        taken = [_milliseconds(client, asked, link) for _ in range(AGAIN)]
    return statistics.median(taken), meter.server_cpu / AGAIN * 1e3


def _milliseconds(client: Client, asked: Asked, link: str) -> float:
    begun = time.perf_counter()
    client.ask("GET", link, asked.headers).expect(200)
    return (time.perf_counter() - begun) * 1e3


def _lists(running: Running, reader: Reader) -> Iterator[Asked]:
    here = Deployment.of(running.folder / "data")
    yield from _registries(here, here.bearer(), here.bearer(reader.client_id, reader.secret))
    yield from _repositories(bearer(running.tokens, "registry:catalog:*", "registry:deleted_catalog:*"))
    scope = f"repository:{REPOSITORY}:pull,metadata_read,deleted_read"
    yield from _contents(bearer(running.tokens, scope), _first_digest(running))


def _registries(here: Deployment, owner: dict[str, str], some: dict[str, str]) -> Iterator[Asked]:
    subscription, kind = f"/subscriptions/{here.subscription}", "Microsoft.ContainerRegistry/registries"
    in_subscription = f"{subscription}/providers/{kind}?{API}"
    in_group = f"{subscription}/resourceGroups/{here.group}/providers/{kind}?{API}"
    in_other = f"{subscription}/resourceGroups/{OTHER_GROUP}/providers/{kind}?{API}"
    yield Asked("registries of the subscription", in_subscription, owner)
    yield Asked("the same, with a role on each second one", in_subscription, some)
    yield Asked("registries of a group", in_group, owner)
    yield Asked("the same, with a role on each", in_other, some)
    yield Asked("resources of the subscription", f"{subscription}/resources?{RESOURCES}", owner)
    yield Asked("the same, with a role on each second one", f"{subscription}/resources?{RESOURCES}", some)
    for filtered in (
        f"resourceType eq '{kind}'",
        f"resourceType eq '{kind}' and name eq 'bench10000099'",
        f"resourceGroup eq '{OTHER_GROUP}'",
        "location eq 'nowhere'",
    ):
        query = urlencode({"$filter": filtered}, quote_via=quote)
        yield Asked(f"resources, {filtered}", f"{subscription}/resources?{RESOURCES}&{query}", owner)


def _repositories(catalog: dict[str, str]) -> Iterator[Asked]:
    yield Asked("/v2/_catalog", "/v2/_catalog?n=1000", catalog)
    yield Asked("/acr/v1/_catalog", "/acr/v1/_catalog?n=1000", catalog)
    yield Asked("/acr/v1/_deleted/_catalog", "/acr/v1/_deleted/_catalog?n=1000", catalog)


def _contents(headers: dict[str, str], digest: str) -> Iterator[Asked]:
    api = f"/acr/v1/{REPOSITORY}"
    for what in ("_manifests", "_tags"):
        for order in ("none", "timeasc", "timedesc"):
            yield Asked(f"{what}, {order}", f"{api}/{what}?n=1000&orderby={order}", headers)
    yield Asked("_manifests, a page of 100", f"{api}/_manifests?n=100&last=sha256:{'0' * 56}10900000", headers)
    yield Asked("tags/list", f"/v2/{REPOSITORY}/tags/list?n=1000", headers)
    yield Asked("history of a tag", f"{api}/_tags/{MOVED}/_history?n=1000", headers)
    yield Asked("referrers", f"/v2/{REPOSITORY}/referrers/{digest}", headers)
    for what in ("_manifests", "_tags"):
        yield Asked(f"_deleted, {what}", f"/acr/v1/_deleted/{REPOSITORY}/{what}?n=1000", headers)


def _first_digest(running: Running) -> str:
    client = Client(running.url)
    headers = bearer(running.tokens, pull(REPOSITORY)) | {"Accept": "*/*"}
    answer = client.ask("HEAD", f"/v2/{REPOSITORY}/manifests/first", headers).expect(200)
    client.close()
    return answer.headers["docker-content-digest"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.lists")
    parser.add_argument("-s", "--scale", type=float, default=1.0)
    parser.add_argument("contenders", nargs="*")
    given = parser.parse_args()
    try:
        main(given.scale, given.contenders)
    except Wrong as error:
        sys.exit(str(error))
