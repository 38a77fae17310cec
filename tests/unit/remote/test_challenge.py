"""What a registry asks for, read as RFC 9110 writes it and as registries do."""

import pytest

from entrepot.remote.challenge import Challenge, parse_challenges


def test_the_challenge_of_docker_hub() -> None:
    header = (
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
        'scope="repository:library/busybox:pull"'
    )
    (found,) = parse_challenges([header])
    assert found == Challenge(
        "bearer",
        {
            "realm": "https://auth.docker.io/token",
            "service": "registry.docker.io",
            "scope": "repository:library/busybox:pull",
        },
    )


def test_several_challenges_on_one_line_and_on_several() -> None:
    found = parse_challenges(['Basic realm="a, b", charset=UTF-8, Bearer realm="c"', "Negotiate"])
    assert found == [
        Challenge("basic", {"realm": "a, b", "charset": "UTF-8"}),
        Challenge("bearer", {"realm": "c"}),
        Challenge("negotiate", {}),
    ]


def test_quoted_values_may_hold_quotes_and_commas() -> None:
    (found,) = parse_challenges([r'Bearer realm="a\"b\\c",  scope = "x,y"'])
    assert found.params == {"realm": r'a"b\c', "scope": "x,y"}


def test_names_have_any_case_and_the_first_value_counts() -> None:
    (found,) = parse_challenges(['bEARER Realm="first", REALM="second"'])
    assert found == Challenge("bearer", {"realm": "first"})


def test_a_token68_is_passed_over() -> None:
    found = parse_challenges(['Negotiate YWJj==, Bearer realm="a"'])
    assert [each.scheme for each in found] == ["negotiate", "bearer"]
    assert found[1].params == {"realm": "a"}


@pytest.mark.parametrize("header", ["", ",", "=", '"', 'realm="a"', 'Bearer realm="unclosed', "\x00", "é"])
def test_what_is_no_challenge_names_no_realm(header: str) -> None:
    assert [each for each in parse_challenges([header]) if each.params] == []


def test_a_long_header_is_read_in_no_time() -> None:
    assert len(parse_challenges([", " * 500_000, 'Bearer realm="' + "\\" * 500_000, "a " * 500_000])) <= 8192
