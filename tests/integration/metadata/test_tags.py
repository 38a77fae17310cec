"""Tags of /acr/v1. Spec: ACR-REFERENCE 3."""

import pytest
from tests.content import an_image, an_index
from tests.registry import FakeClock, Repository, next_page
from tests.wire import Answer

IMAGE, OTHER = an_image("one"), an_image("two")
# By name, and the order in which they are pushed.
NAMES = ["1", "A", "a", "a-b", "b", "z"]
PUSHED = ["b", "1", "z", "a", "A", "a-b"]


@pytest.fixture
async def tagged(app: Repository, clock: FakeClock) -> Repository:
    """One index under each name, a second between them."""
    for name in PUSHED:
        await app.put(an_index(), name)
        clock.advance(seconds=1)
    return app


async def listed(app: Repository, query: str = "") -> list[str]:
    answer = await app.http.get(f"/acr/v1/app/_tags{query}")
    assert answer.status == 200, answer.body
    return [tag["name"] for tag in answer.json()["tags"]]


async def test_a_tag_tells_what_it_points_to_and_since_when(app: Repository, clock: FakeClock) -> None:
    await app.push(IMAGE, "v1")
    clock.advance(seconds=1)
    await app.push(OTHER, "v1")
    tag = {
        "name": "v1",
        "digest": OTHER.digest,
        "createdTime": "2024-05-06T07:08:09.0000000Z",
        "lastUpdateTime": "2024-05-06T07:08:10.0000000Z",
        "signed": False,
        "changeableAttributes": {
            "deleteEnabled": True,
            "writeEnabled": True,
            "readEnabled": True,
            "listEnabled": True,
        },
    }
    around = {"registry": "localhost:5000", "imageName": "app"}
    assert (await app.http.get("/acr/v1/app/_tags/v1")).json() == {**around, "tag": tag}
    assert (await app.http.get("/acr/v1/app/_tags")).json() == {**around, "tags": [tag]}


@pytest.mark.parametrize("query", ["", "?orderby=", "?orderby=none", "?n=6"])
async def test_tags_are_listed_by_name(tagged: Repository, query: str) -> None:
    assert await listed(tagged, query) == NAMES


async def test_tags_are_listed_by_the_time_of_their_last_push(tagged: Repository) -> None:
    assert await listed(tagged, "?orderby=timeasc") == PUSHED
    assert await listed(tagged, "?orderby=timedesc") == PUSHED[::-1]
    await tagged.put(an_index(), "1")
    assert (await listed(tagged, "?orderby=timedesc&n=2")) == ["1", "a-b"]


async def test_tags_of_one_push_come_by_name_in_either_order(app: Repository) -> None:
    await app.put(an_index(), None, *PUSHED)
    for orderby in ("timeasc", "timedesc"):
        assert await pages(app, f"?orderby={orderby}&n=2") == NAMES


async def pages(app: Repository, query: str) -> list[str]:
    """All pages by their links."""
    found: list[str] = []
    target: str | None = f"/acr/v1/app/_tags{query}"
    while target is not None:
        answer = await app.http.get(target)
        assert answer.status == 200, answer.body
        found += [tag["name"] for tag in answer.json()["tags"]]
        target = next_page(answer)
    return found


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize(
    ("orderby", "names"), [("", NAMES), ("timeasc", PUSHED), ("timedesc", PUSHED[::-1])], ids=["name", "asc", "desc"]
)
async def test_a_page_links_to_the_next_in_each_order(
    tagged: Repository, orderby: str, names: list[str], size: int
) -> None:
    assert await pages(tagged, f"?orderby={orderby}&n={size}") == names


@pytest.mark.parametrize("size", [6, 7, 1000])
async def test_a_page_that_holds_all_links_to_none(tagged: Repository, size: int) -> None:
    for orderby in ("", "timeasc", "timedesc"):
        answer = await tagged.http.get(f"/acr/v1/app/_tags?n={size}&orderby={orderby}")
        assert (len(answer.json()["tags"]), answer.get("link")) == (6, None)


async def test_a_list_by_time_goes_on_where_it_ended_when_its_last_tag_has_moved_or_gone(tagged: Repository) -> None:
    first = await tagged.http.get("/acr/v1/app/_tags?orderby=timedesc&n=2")
    assert [tag["name"] for tag in first.json()["tags"]] == ["a-b", "A"]
    following = next_page(first)
    assert following is not None
    await tagged.put(an_index(), "A")
    after_move = await tagged.http.get(following)
    assert [tag["name"] for tag in after_move.json()["tags"]] == ["a", "z"]
    await tagged.http.delete("/acr/v1/app/_tags/A")
    assert (await tagged.http.get(following)).json() == after_move.json()


async def test_a_list_by_time_goes_on_after_a_name_alone(tagged: Repository) -> None:
    assert await listed(tagged, "?orderby=timeasc&last=z") == PUSHED[3:]
    assert await listed(tagged, "?orderby=timedesc&last=z") == ["1", "b"]
    answer = await tagged.http.get("/acr/v1/app/_tags?orderby=timeasc&last=gone")
    assert (answer.status, answer.code) == (400, "PAGINATION_NUMBER_INVALID")


async def test_a_list_by_name_goes_on_after_whatever_last_says(tagged: Repository) -> None:
    for last, following in (("a", NAMES[3:]), ("absent", ["b", "z"]), ("zz", []), ("'--", NAMES), ("%C3%A9", [])):
        assert await listed(tagged, f"?last={last}") == following


async def test_tags_of_one_digest_are_listed_alone(app: Repository) -> None:
    await app.push(IMAGE, "a", "b", "c")
    await app.push(OTHER, "d")
    for orderby in ("", "timeasc", "timedesc"):
        assert await pages(app, f"?digest={IMAGE.digest}&n=2&orderby={orderby}") == ["a", "b", "c"]
    assert await listed(app, f"?digest={OTHER.digest.replace(':', '%3A')}") == ["d"]
    assert await listed(app, f"?digest=sha256:{'0' * 64}") == []
    assert (await app.http.get("/acr/v1/app/_tags?digest=latest")).code == "DIGEST_INVALID"


async def test_a_tag_that_is_not_to_be_listed_is_told_of_who_asks_for_it(app: Repository) -> None:
    await app.push(IMAGE, "hidden", "seen")
    assert (await app.http.patch("/acr/v1/app/_tags/hidden", b'{"listEnabled":false}')).status == 200
    for orderby in ("", "timeasc", "timedesc"):
        assert await listed(app, f"?orderby={orderby}") == ["seen"]
    assert await listed(app, f"?digest={IMAGE.digest}") == ["seen"]
    assert await app.tags() == ["seen"]
    manifest = (await app.http.get(f"/acr/v1/app/_manifests/{IMAGE.digest}")).json()["manifest"]
    assert manifest["tags"] == ["seen"]
    assert (await app.http.get("/acr/v1/app/_tags/hidden")).json()["tag"]["name"] == "hidden"


async def test_a_deleted_tag_leaves_its_manifest(app: Repository) -> None:
    await app.push(IMAGE, "v1", "v2")
    answer = await app.http.delete("/acr/v1/app/_tags/v1")
    assert (answer.status, answer.body) == (202, b"")
    assert await listed(app) == ["v2"]
    assert (await app.manifest(IMAGE.digest)).body == IMAGE.body
    assert not_found(await app.http.delete("/acr/v1/app/_tags/v1"))


async def test_a_tag_that_is_not_there_is_unknown(app: Repository) -> None:
    await app.push(IMAGE, "v1")
    assert not_found(await app.http.get("/acr/v1/app/_tags/absent"))
    assert not_found(await app.http.patch("/acr/v1/app/_tags/absent", b'{"readEnabled":false}'))
    assert not_found(await app.http.delete("/acr/v1/app/_tags/absent"))
    assert (await app.http.get("/acr/v1/app/_tags/-v1")).code == "TAG_INVALID"


def not_found(answer: Answer) -> bool:
    return answer.status == 404


async def test_a_repository_of_untagged_manifests_has_an_empty_list(app: Repository) -> None:
    await app.push(IMAGE)
    assert (await app.http.get("/acr/v1/app/_tags")).json()["tags"] == []
