"""Spec: OCI distribution-spec, "Listing Tags"; the catalog as Docker's HTTP API V2 has it."""

from urllib.parse import quote

import pytest
from tests.content import an_image, an_index
from tests.registry import Registry, Repository, next_page
from tests.wire import Answer

# In the order of Go's sort.Strings: upper case, underscore and lower case as ASCII has them.
NAMES = ["1", "10", "2", "A", "Z", "_", "a", "a-b", "a.b", "aa", "b", "z"]


@pytest.fixture
async def tagged(app: Repository) -> Repository:
    index = an_index()
    await app.put(index, None, *reversed(NAMES))
    return app


async def tags(repository: Repository, query: str = "") -> Answer:
    return await repository.http.get(repository.path("tags/list") + query)


async def test_tags_are_listed_in_ascii_order(tagged: Repository) -> None:
    answer = await tags(tagged)
    assert answer.json() == {"name": "app", "tags": NAMES}
    assert answer.get("link") is None
    assert answer["content-type"].startswith("application/json")


@pytest.mark.parametrize("size", [1, 5, 11])
async def test_a_page_links_to_the_next(tagged: Repository, size: int) -> None:
    found: list[str] = []
    target: str | None = tagged.path(f"tags/list?n={size}")
    while target is not None:
        answer = await tagged.http.get(target)
        page = answer.json()["tags"]
        target = next_page(answer)
        assert len(page) == size or target is None
        found += page
    assert found == NAMES


@pytest.mark.parametrize("size", [12, 13, 1000, 10**17])
async def test_a_page_that_holds_all_links_to_none(tagged: Repository, size: int) -> None:
    answer = await tags(tagged, f"?n={size}")
    assert (answer.json()["tags"], answer.get("link")) == (NAMES, None)


async def test_a_page_of_none_is_empty_and_links_to_none(tagged: Repository) -> None:
    answer = await tags(tagged, "?n=0")
    assert (answer.status, answer.json()["tags"], answer.get("link")) == (200, [], None)


@pytest.mark.parametrize(
    "size",
    ["-1", "ten", "", "1.5", "0x10", "+5", "%D9%A3", "1%00", "9" * 19, "9" * 5000, "1e3", "%20", "5,6", "null"],
    ids=lambda size: size[:12],
)
async def test_a_size_that_is_no_number_is_refused(tagged: Repository, size: str) -> None:
    for target in (tagged.path("tags/list"), "/v2/_catalog"):
        answer = await tagged.http.get(f"{target}?n={size}")
        assert (answer.status, answer.code) == (400, "PAGINATION_NUMBER_INVALID")


@pytest.mark.parametrize(
    ("last", "following"),
    [
        ("2", NAMES[3:]),
        ("20", NAMES[3:]),
        ("z", []),
        ("", NAMES),
        ("zzzz", []),
        ("'--", NAMES),
        ("' OR 1=1 --", NAMES),
        ('";DROP TABLE tag;', NAMES),
        ("é", []),
        ("\u202e", []),
        ("\U0001f4e6", []),
        ("a" * 10_000, ["b", "z"]),
        ("%", NAMES),
        ("_%", NAMES[6:]),
    ],
    ids=lambda case: repr(case)[:24],
)
async def test_a_list_goes_on_after_whatever_last_says(tagged: Repository, last: str, following: list[str]) -> None:
    answer = await tags(tagged, f"?last={quote(last)}")
    assert (answer.status, answer.json()["tags"]) == (200, following)


@pytest.mark.parametrize("last", ["%00", "a%00b", "%FF", "%C3%28"])
async def test_a_last_that_is_no_text_is_refused(tagged: Repository, last: str) -> None:
    for target in (tagged.path("tags/list"), "/v2/_catalog"):
        assert (await tagged.http.get(f"{target}?last={last}")).status == 400


async def test_a_list_has_an_end_also_for_who_wants_none(tagged: Repository) -> None:
    index = an_index()
    for batch in range(11):
        await tagged.put(index, None, *(f"many-{batch * 95 + number:05}" for number in range(95)))
    answer = await tags(tagged)
    assert len(answer.json()["tags"]) == 1000
    assert len(await tagged.tags()) == len(NAMES) + 11 * 95
    assert len((await tags(tagged, "?n=1000000000")).json()["tags"]) == 1000


async def test_a_repository_without_tags_has_an_empty_list(app: Repository) -> None:
    await app.push(an_image())
    assert (await tags(app)).json() == {"name": "app", "tags": []}


async def test_a_repository_that_is_not_here_has_no_list(app: Repository) -> None:
    answer = await tags(app)
    assert (answer.status, answer.code, answer.detail) == (404, "NAME_UNKNOWN", {"name": "app"})


async def test_the_list_follows_each_change(app: Repository) -> None:
    image = an_image()
    await app.push(image, "a", "b")
    await app.http.delete(app.path("manifests/a"))
    assert await app.tags() == ["b"]
    await app.http.delete(app.path(f"manifests/{image.digest}"))
    assert await app.tags() == []


# --- the catalog ------------------------------------------------------------------------------------------------------

REPOSITORIES = ["1", "a", "a-b", "a.b", "a/b", "a/b/c", "a_b", "aa", "z"]


@pytest.fixture
async def filled(registry: Registry) -> Registry:
    for name in reversed(REPOSITORIES):
        await registry.repository(name).put(an_index(), "v1")
    return registry


async def test_the_catalog_lists_repositories_in_ascii_order(filled: Registry) -> None:
    answer = await filled.http.get("/v2/_catalog")
    assert (answer.json(), answer.get("link")) == ({"repositories": REPOSITORIES}, None)


@pytest.mark.parametrize("size", [1, 4, 9, 10])
async def test_the_catalog_has_pages(filled: Registry, size: int) -> None:
    found: list[str] = []
    target: str | None = f"/v2/_catalog?n={size}"
    while target is not None:
        answer = await filled.http.get(target)
        found += answer.json()["repositories"]
        target = next_page(answer)
    assert found == REPOSITORIES


@pytest.mark.parametrize(
    ("last", "following"),
    [("a/b", REPOSITORIES[5:]), ("nothing", ["z"]), ("'--", REPOSITORIES), ("z", []), ("%C3%A9", [])],
)
async def test_the_catalog_goes_on_after_last(filled: Registry, last: str, following: list[str]) -> None:
    assert (await filled.http.get(f"/v2/_catalog?last={last}")).json()["repositories"] == following


async def test_the_catalog_of_nothing_is_empty(registry: Registry) -> None:
    assert (await registry.http.get("/v2/_catalog")).json() == {"repositories": []}
    answer = await registry.http.get("/v2/_catalog?n=0")
    assert (answer.json(), answer.get("link")) == ({"repositories": []}, None)


async def test_a_repository_appears_with_its_first_manifest_and_goes_with_its_last(registry: Registry) -> None:
    app, image = registry.repository("app"), an_image()
    await app.push_blob(b"not yet a repository for anyone to see")
    assert (await registry.http.get("/v2/_catalog")).json()["repositories"] == []
    await app.push(image, "v1")
    assert (await registry.http.get("/v2/_catalog")).json()["repositories"] == ["app"]
    await app.http.delete(app.path(f"manifests/{image.digest}"))
    assert (await registry.http.get("/v2/_catalog")).json()["repositories"] == []
