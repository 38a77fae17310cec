"""What a run reaches: who says it, how it is read, and which hosts a list holds."""

import pytest

from entrepot.tasks.egress import MOST, NONE, OPEN, TAG, Egress, EgressUnknown, egress_of, plain_host


def listed(text: str) -> Egress:
    return Egress.parse(text.split(","))


@pytest.mark.parametrize(
    ("setting", "tags", "egress"),
    [
        ("open", [], "open"),
        ("open", [{}, {"other": "none"}], "open"),
        ("open", [{TAG: "open"}, {TAG: "none"}], "none"),
        ("open", [{TAG: "none"}, {TAG: "open"}], "none"),
        ("none", [{TAG: "open"}, {TAG: "a.example"}], "none"),
        ("open", [{TAG: "a.example, b.example"}], "a.example, b.example"),
        ("a.example,b.example", [{TAG: "open"}], "a.example, b.example"),
        ("a.example,b.example", [{TAG: "b.example,c.example"}], "b.example"),
        ("a.example,b.example", [{TAG: "b.example"}, {TAG: "a.example"}], "none"),
        (
            "*.example",
            [{TAG: "*.a.example,a.example:443"}, {TAG: "x.a.example,a.example"}],
            "x.a.example, a.example:443",
        ),
    ],
)
def test_anybody_narrows_and_nobody_widens(setting: str, tags: list[dict[str, str]], egress: str) -> None:
    assert str(egress_of(listed(setting), tags)) == egress


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("a.example", "a.example:443", "a.example:443"),
        ("a.example:80", "a.example:443", "none"),
        ("a.example:8080", "a.example", "none"),
        ("*.example", "example.example", "example.example"),
        ("*.example", "*.example", "*.example"),
        ("*.a.example", "a.example", "none"),
        ("*.a.example", "*.ba.example", "none"),
        ("10.0.0.1", "10.0.0.1:443", "10.0.0.1:443"),
    ],
)
def test_two_lists_have_in_common_what_both_name(one: str, other: str, both: str) -> None:
    assert str(listed(one).narrowed(listed(other))) == both
    assert str(listed(other).narrowed(listed(one))) == both


@pytest.mark.parametrize(
    ("text", "host", "port", "is_in"),
    [
        ("a.example", "a.example", 80, True),
        ("a.example", "a.example", 443, True),
        ("a.example", "a.example", 22, False),
        ("a.example:22", "a.example", 22, True),
        ("a.example:22", "a.example", 443, False),
        ("a.example", "x.a.example", 443, False),
        ("a.example", "A.Example.", 443, True),
        ("*.example", "a.example", 443, True),
        ("*.example", "x.y.example", 443, True),
        ("*.example", "example", 443, False),
        ("*.a.example", "xa.example", 443, False),
        ("A.EXAMPLE", "a.example", 443, True),
        ("127.0.0.1", "127.1", 443, True),
        ("127.0.0.1", "2130706433", 443, True),
        ("[::1]:443", "::1", 443, True),
        ("[::1]:443", "0:0::1", 443, True),
    ],
)
def test_a_list_holds_hosts_with_their_ports(text: str, host: str, port: int, is_in: bool) -> None:
    name = plain_host(host)
    assert name is not None
    assert listed(text).lists(name, port) is is_in


@pytest.mark.parametrize(
    "host", ["", ".", "a..b", "a b", "a.example\r\nx", "ä.example", "a.example/", "*.example", "a" * 64]
)
def test_what_is_no_host_has_no_name(host: str) -> None:
    assert plain_host(host) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "None", "NONE ", "off", "github", "*", "*.*.example", "*a.example", "a..example", ".example"),
        *("a.example.", "http://a.example", "a.example/", "a.example:", "a.example:0", "a.example:65536"),
        *("a.example:80:80", "-a.example", "127.1", "0x7f.0.0.1", "*.127.0.0.1", "*.0.0.1", "::1", "[a.example]"),
        *("[127.0.0.1]", "[0:0::1]", "10.0.0.0/8", "open,a.example", "a.example,none", "a.example,"),
        ",".join(f"a{number}.example" for number in range(MOST + 1)),
    ],
)
def test_what_nobody_understands_opens_nothing(text: str) -> None:
    with pytest.raises(EgressUnknown, match="can be open, none, or hosts"):
        egress_of(OPEN, [{TAG: text}])


def test_a_list_of_the_greatest_length_is_read_once() -> None:
    hosts = [f"a{n}.example" for n in range(MOST)]
    read = Egress.parse(hosts)
    assert read.hosts is not None
    assert len(read.hosts) == MOST
    assert Egress.parse(["a.example", "A.example"]) == Egress.parse(["a.example"])
    assert (Egress.parse(["open"]), Egress.parse(["none"])) == (OPEN, NONE)


def test_addresses_that_a_list_names_as_such_are_told() -> None:
    assert listed("a.example,10.0.0.1:8080,*.example,[fd00::1]").addresses() == ["10.0.0.1", "fd00::1"]
