"""Cache rules: what they may be, how they go with one another, and where a repository comes from."""

import pytest

from entrepot.caching.model import Rule, covers, rule_for, upstream_of
from entrepot.caching.rules import (
    expect_elsewhere,
    expect_free,
    expect_name,
    expect_pair,
    overlaps,
    parse_login_server,
    parse_source,
    parse_target,
)
from entrepot.errors import Kind, Problem


def a_rule(source: str, target: str, name: str = "the-rule") -> Rule:
    parsed = parse_source(source)
    return Rule(1, 1, name, parsed.host, str(parsed), target)


def login_server(name: str) -> str:
    return "localhost:5000" if name == "local" else f"{name}.Example.com:5000"


# --- what one may be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("docker.io/library/alpine", "docker.io/library/alpine"),
        ("docker.io/alpine", "docker.io/library/alpine"),
        ("registry-1.docker.io/alpine", "registry-1.docker.io/library/alpine"),
        ("Quay.IO/prometheus/node-exporter", "quay.io/prometheus/node-exporter"),
        ("quay.io/one", "quay.io/one"),
        ("registry.example:5000/a/b", "registry.example:5000/a/b"),
        ("[::1]:5000/a", "[::1]:5000/a"),
        ("docker.io/*", "docker.io/*"),
        ("docker.io/library/*", "docker.io/library/*"),
    ],
)
def test_a_source_is_a_host_and_what_lies_there(text: str, source: str) -> None:
    assert str(parse_source(text)) == source


@pytest.mark.parametrize(
    "text",
    [
        "",
        "docker.io",
        "docker.io/",
        "/alpine",
        "docker.io/Alpine",
        "docker.io/alpine:3",
        "docker.io/library/alp*",
        "docker.io/*/alpine",
        "docker.io//*",
        "docker.io/*/*",
        "https://docker.io/library/alpine",
        "a b/alpine",
        "docker.io/" + "a" * 256,
        "docker.io/" + "a" * 254 + "/*",
    ],
)
def test_what_is_no_source_is_told(text: str) -> None:
    with pytest.raises(Problem) as problem:
        parse_source(text)
    assert (problem.value.kind, problem.value.detail["target"]) == (
        Kind.RESOURCE_INVALID,
        "properties.sourceRepository",
    )


@pytest.mark.parametrize("text", ["alpine", "mirror/alpine", "mirror/*", "*"])
def test_a_target_is_a_repository_or_ends_with_a_wildcard(text: str) -> None:
    assert parse_target(text) == text


@pytest.mark.parametrize("text", ["", "Alpine", "mirror/", "/*", "mirror*", "*/a", "a:v1", "a" * 254 + "/*"])
def test_what_is_no_target_is_told(text: str) -> None:
    with pytest.raises(Problem) as problem:
        parse_target(text)
    assert problem.value.detail["target"] == "properties.targetRepository"


@pytest.mark.parametrize(
    ("source", "target"),
    [("docker.io/*", "*"), ("docker.io/*", "hub/*"), ("docker.io/library/*", "hub/*"), ("docker.io/a/b", "a")],
)
def test_both_sides_end_with_a_wildcard_or_neither_does(source: str, target: str) -> None:
    expect_pair(parse_source(source), target)


@pytest.mark.parametrize(
    ("source", "target", "member"),
    [
        ("docker.io/*", "alpine", "properties.targetRepository"),
        ("docker.io/library/alpine", "hub/*", "properties.sourceRepository"),
    ],
)
def test_a_wildcard_on_one_side_alone_is_refused(source: str, target: str, member: str) -> None:
    with pytest.raises(Problem) as problem:
        expect_pair(parse_source(source), target)
    assert problem.value.detail["target"] == member


@pytest.mark.parametrize("host", ["localhost:5000", "other.example.com:5000", "example.com:5000"])
def test_a_registry_of_this_deployment_is_no_source(host: str) -> None:
    with pytest.raises(Problem, match="RESOURCE_INVALID") as problem:
        expect_elsewhere(host, login_server)
    assert "az acr import" in str(problem.value.detail["reason"])


@pytest.mark.parametrize("host", ["docker.io", "other.example.com", "example.org:5000"])
def test_a_registry_elsewhere_is_a_source(host: str) -> None:
    expect_elsewhere(host, login_server)


@pytest.mark.parametrize("name", ["four", "a" * 51, "a_rule", "a.rule"])
def test_a_name_has_5_to_50_letters_digits_and_hyphens(name: str) -> None:
    expect_name("a-Rule-1", "A cache rule's name")
    with pytest.raises(Problem, match="NAME_INVALID"):
        expect_name(name, "A cache rule's name")


def test_a_credential_set_is_for_a_host() -> None:
    assert parse_login_server("Docker.io") == "docker.io"
    with pytest.raises(Problem, match="RESOURCE_INVALID"):
        parse_login_server("docker.io/library")


# --- how they go with one another -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("*", "*", True),
        ("*", "hub/*", True),
        ("hub/*", "hub/*", True),
        ("hub/*", "hub/library/*", True),
        ("hub/*", "hubs/*", False),
        ("hub/*", "quay/*", False),
        ("hub/*", "hub/alpine", False),
        ("*", "alpine", False),
        ("alpine", "alpine", True),
        ("alpine", "alpine/edge", False),
    ],
)
def test_two_wildcards_overlap_and_a_repository_may_lie_inside_one(one: str, two: str, *, expected: bool) -> None:
    assert overlaps(one, two) is overlaps(two, one) is expected


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("alpine", "There is already a cache rule for that target: 'fixed' has 'alpine'."),
        ("hub/library/*", "There is already a cache rule with a wildcard for that target: 'wild' has 'hub/*'."),
    ],
)
def test_a_target_that_is_taken_is_told_with_the_rule_that_has_it(target: str, says: str) -> None:
    rules = [a_rule("quay.io/*", "hub/*", "wild"), a_rule("quay.io/a", "alpine", "fixed")]
    with pytest.raises(Problem) as problem:
        expect_free(target, rules)
    assert (problem.value.kind, problem.value.detail["reason"]) == (Kind.RESOURCE_EXISTS, says)
    expect_free("hub/alpine", rules)


# --- where a repository comes from ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target", "repository", "url"),
    [
        ("docker.io/alpine", "base/alpine", "base/alpine", "registry-1.docker.io/v2/library/alpine"),
        ("docker.io/*", "*", "grafana/grafana", "registry-1.docker.io/v2/grafana/grafana"),
        ("docker.io/*", "*", "alpine", "registry-1.docker.io/v2/library/alpine"),
        ("docker.io/*", "hub/*", "hub/alpine", "registry-1.docker.io/v2/library/alpine"),
        ("docker.io/library/*", "hub/*", "hub/alpine", "registry-1.docker.io/v2/library/alpine"),
        ("quay.io/one/*", "q/*", "q/a/b", "quay.io/v2/one/a/b"),
        ("quay.io/*", "q/*", "q/q/a", "quay.io/v2/q/a"),
        ("quay.io:444/a/b", "a", "a", "quay.io:444/v2/a/b"),
    ],
)
def test_the_rest_of_a_path_is_the_same_on_both_sides(source: str, target: str, repository: str, url: str) -> None:
    rule = a_rule(source, target)
    assert covers(rule, repository)
    assert upstream_of(rule, repository).url("manifests", "v1") == f"https://{url}/manifests/v1"


@pytest.mark.parametrize(
    ("target", "repository"), [("alpine", "alpine/edge"), ("hub/*", "hub"), ("hub/*", "hubs/a"), ("a/b", "a")]
)
def test_what_a_rule_is_not_for_it_leaves_alone(target: str, repository: str) -> None:
    source = "quay.io/*" if target.endswith("*") else "quay.io/a"
    assert not covers(a_rule(source, target), repository)
    assert rule_for([a_rule(source, target)], repository) is None


@pytest.mark.parametrize("reverse", [False, True])
def test_a_rule_for_one_repository_goes_before_a_wildcard(*, reverse: bool) -> None:
    wild, fixed = a_rule("quay.io/*", "hub/*", "wild"), a_rule("ghcr.io/a", "hub/a", "fixed")
    rules = [fixed, wild] if reverse else [wild, fixed]
    assert rule_for(rules, "hub/a") == fixed
    assert rule_for(rules, "hub/b") == wild
