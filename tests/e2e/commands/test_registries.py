"""Registries, what they hold, tokens and scope maps by our own commands, on both databases."""

import json
from uuid import uuid4

import httpx
import pytest
from tests.content import an_image, an_index
from tests.e2e.commands.program import Plain, Program
from tests.faults.plain import Repository

pytestmark = pytest.mark.timeout(300)


def test_a_registry_is_created_shown_changed_listed_and_deleted(on_either: Program, plain_either: Plain) -> None:
    name = f"made{uuid4().hex[:10]}"
    path = plain_either.registry(name)
    made = on_either.json("registry", "create", name, "--sku", "Basic", "--admin-enabled", "true")
    seen = plain_either.get(path)
    assert (seen["sku"]["name"], seen["properties"]["adminUserEnabled"]) == ("Basic", True)
    assert made["properties"]["loginServer"] == seen["properties"]["loginServer"]
    on_either.run("registry", "update", name, "--sku", "Standard", "--anonymous-pull", "true")
    changed = plain_either.get(path)
    assert (changed["sku"]["name"], changed["properties"]["anonymousPullEnabled"]) == ("Standard", True)
    assert changed["properties"]["adminUserEnabled"]
    assert on_either.json("registry", "show", name)["id"] == path
    assert {"local", name} <= {each["name"] for each in on_either.json("registry", "list")}
    assert "already" in on_either.fails(1, "registry", "create", name)
    assert "name one with --registry" in on_either.fails(2, "usage")
    assert f"did you mean {name}?" in on_either.fails(1, "registry", "show", name[:-1])
    assert "--yes" in on_either.fails(2, "registry", "delete", name)
    on_either.run("registry", "delete", name, "--yes")
    assert plain_either.send("GET", path).status_code == 404


def test_a_registry_of_a_name_of_its_own_is_reached_without_a_resolver(on_either: Program, plain_either: Plain) -> None:
    name = f"own{uuid4().hex[:10]}"
    made = on_either.json("registry", "create", name)
    assert made["properties"]["loginServer"].startswith(f"{name}.entrepot.localhost:")
    assert on_either.json("repository", "list", "--registry", name) == []
    on_either.run("registry", "delete", name, "--yes")
    assert plain_either.send("GET", plain_either.registry(name)).status_code == 404


def test_what_a_registry_holds_is_listed_shown_and_deleted(
    on_either: Program, http_either: httpx.Client, repository: str
) -> None:
    images = {tag: an_image(f"{repository}{tag}") for tag in ("v1", "v2", "v3")}
    index = an_index([images["v1"], images["v2"]])
    pushed = Repository(http_either, repository)
    for tag, image in images.items():
        assert pushed.push(image, tag).status_code == 201
    assert pushed.put(index, "all").status_code == 201
    here = ("--registry", "local")
    assert repository in on_either.json("repository", "list", *here)
    shown = on_either.json("repository", "show", repository, *here)
    assert (shown["imageName"], shown["manifestCount"], shown["tagCount"]) == (repository, 4, 4)
    tags = on_either.json("tag", "list", repository, *here, "--order", "newest", "--top", "2")
    assert [(each["name"], each["digest"]) for each in tags] == [("all", index.digest), ("v3", images["v3"].digest)]
    manifests = on_either.json("manifest", "list", repository, *here)
    assert [each["digest"] for each in manifests] == sorted([*(each.digest for each in images.values()), index.digest])
    told = on_either.json("manifest", "show", f"{repository}:all", *here)
    assert {each["digest"] for each in told["references"]} == {images["v1"].digest, images["v2"].digest}
    raw = on_either.run("manifest", "show", f"{repository}@{images['v1'].digest}", "--raw", *here)
    assert raw.encode() == images["v1"].body
    on_either.run("tag", "delete", f"{repository}:v2", "--yes", *here)
    assert not pushed.has("manifests/v2")
    assert pushed.has(f"manifests/{images['v2'].digest}")
    on_either.run("manifest", "delete", f"{repository}:v3", "--yes", *here)
    assert not pushed.has(f"manifests/{images['v3'].digest}")
    gone = on_either.json("repository", "delete", repository, "--yes", *here)
    assert (len(gone["manifestsDeleted"]), sorted(gone["tagsDeleted"])) == (3, ["all", "v1"])
    assert http_either.get(f"/acr/v1/{repository}").status_code == 404


def test_what_is_not_there_is_refused_with_the_nearest_name(
    on_either: Program, http_either: httpx.Client, repository: str
) -> None:
    Repository(http_either, repository).push(an_image(repository), "release")
    here = ("--registry", "local")
    hint = f"there is no repository '{repository}x'; did you mean {repository}?"
    for words in (("repository", "show"), ("tag", "list"), ("manifest", "list")):
        assert hint in on_either.fails(1, *words, f"{repository}x", *here)
    assert hint in on_either.fails(1, "manifest", "show", f"{repository}x:release", *here)
    for words in (("manifest", "show"), ("tag", "delete", "--yes"), ("manifest", "delete", "--yes")):
        said = on_either.fails(1, *words, f"{repository}:relase", *here)
        assert "there is no tag 'relase'; did you mean release?" in said
    assert "there is no manifest" in on_either.fails(1, "manifest", "show", f"{repository}@sha256:{'0' * 64}", *here)
    assert "REPOSITORY:TAG" in on_either.fails(2, "tag", "delete", repository, "--yes", *here)


def test_a_token_signs_in_with_its_password_and_may_what_its_scope_map_says(
    on_either: Program, plain_either: Plain, http_either: httpx.Client, repository: str
) -> None:
    image, here = an_image(repository), ("--registry", "local")
    Repository(http_either, repository).push(image, "v1")
    scope_map, name = f"map{uuid4().hex[:10]}", f"line{uuid4().hex[:10]}"
    rights = ("--repository", repository, "content/read", "--repository", "factory/*", "metadata/read")
    made = on_either.json("scope-map", "create", scope_map, *rights, "--description", "for line 1", *here)
    actions = [f"repositories/{repository}/content/read", "repositories/factory/*/metadata/read"]
    assert plain_either.get(f"{plain_either.local}/scopeMaps/{scope_map}")["properties"]["actions"] == actions
    assert made == on_either.json("scope-map", "show", scope_map, *here)
    assert scope_map in {each["name"] for each in on_either.json("scope-map", "list", *here)}
    on_either.run("token", "create", name, "--scope-map", scope_map, *here)
    generated = on_either.json("token", "password", name, "--days", "3", *here)
    (password,) = generated["passwords"]
    kept = plain_either.get(f"{plain_either.local}/tokens/{name}")["properties"]["credentials"]["passwords"]
    assert [each["name"] for each in kept] == [password["name"]] == ["password1"]
    assert kept[0]["expiry"] == password["expiry"]
    signed_in = (generated["username"], password["value"])
    assert http_either.get(f"/v2/{repository}/manifests/v1", auth=signed_in).content == image.body
    assert http_either.delete(f"/v2/{repository}/manifests/{image.digest}", auth=signed_in).status_code == 401
    listed = on_either.run("token", "list", *here)
    assert name in {each["name"] for each in json.loads(listed)}
    assert password["value"] not in listed
    on_either.run("token", "delete", name, "--yes", *here)
    on_either.run("scope-map", "delete", scope_map, "--yes", *here)
    for path in (f"tokens/{name}", f"scopeMaps/{scope_map}"):
        assert plain_either.send("GET", f"{plain_either.local}/{path}").status_code == 404
    assert f"there is no token '{name}'" in on_either.fails(1, "token", "delete", name, "--yes", *here)


def test_usage_is_what_the_management_api_counts(on_either: Program, plain_either: Plain) -> None:
    told = on_either.json("usage", "--registry", "local")
    counted = plain_either.get(f"{plain_either.local}/listUsages")["value"]
    assert [(each["name"], each["limit"], each["unit"]) for each in told] == [
        (each["name"], each["limit"], each["unit"]) for each in counted
    ]
    table = on_either.run("usage", "--registry", "local", "--output", "table").splitlines()
    assert table[0].split() == ["WHAT", "USED", "LIMIT"]
    assert len(table) == len(told) + 1


def test_whoever_sees_only_content_names_the_login_server(
    on_either: Program, plain_either: Plain, http_either: httpx.Client, repository: str
) -> None:
    Repository(http_either, repository).push(an_image(repository), "v1")
    puller = on_either.having(XDG_CONFIG_HOME=str(on_either.shell.folder / "puller"))
    made = plain_either.add_application("puller")
    plain_either.give_role(made.principal, "7f951dda-4ed3-4680-a7ca-43fe172d538d", plain_either.local)
    login = ("login", "--bootstrap", puller.server.data_dir / "bootstrap.json", "--client-id", made.client_id)
    puller.run(*login, "--secret-stdin", stdin=f"{made.secret}\n")
    assert "see no registry" in puller.fails(1, "tag", "list", repository)
    here = ("--login-server", puller.server.login_server)
    assert [each["name"] for each in puller.json("tag", "list", repository, *here)] == ["v1"]
    said = puller.fails(1, "tag", "delete", f"{repository}:v1", "--yes", *here)
    assert "sign in with an account that has this right" in said
    assert "entrepot access explain" in said
