"""People and groups of a real directory."""

import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ldap import BASE, GROUPS, PEOPLE, READER, READER_PASSWORD, Directory, directory, entry, group, person, tree
from tests.outside import Authority, accepting, authority, relay

from entrepot.app.parts import open_ldap
from entrepot.identities.ldap import LdapDirectory, LdapPerson, LdapPlace, LdapTrouble, Transport, Trouble, address_of
from entrepot.settings import Settings

PASSWORD = "correct horse"
ADA = f"uid=ada,{PEOPLE}"
MANY = 700  # more than one page, and more than the directory gives without pages


def _content() -> str:
    return (
        tree()
        + person("ada", PASSWORD, displayName="Ada Lovelace", mail="ada@example.org")
        + person("bob", PASSWORD)
        + person("joined", PASSWORD)
        + person("star*", PASSWORD)
        + person("paren(s)", PASSWORD)
        + person("twin", PASSWORD)
        + entry(
            f"cn=Smith\\, John,{PEOPLE}",
            "inetOrgPerson",
            uid="smith",
            cn="Smith, John",
            sn="S",
            userPassword="pä\u00df",
        )
        + group("smiths", f"cn=Smith\\, John,{PEOPLE}")
        + entry(f"cn=other,{PEOPLE}", "inetOrgPerson", uid="twin", cn="other", sn="twin")
        + entry(f"uid=nopassword,{PEOPLE}", "inetOrgPerson", uid="nopassword", cn="nopassword", sn="nopassword")
        + group("builders", ADA, memberOf=f"cn=platform,{GROUPS}")
        + group("platform", f"cn=builders,{GROUPS}", memberOf=f"cn=everyone,{GROUPS}")
        + group("everyone", f"cn=platform,{GROUPS}", f"cn=circle,{GROUPS}", memberOf=f"cn=circle,{GROUPS}")
        + group("circle", f"cn=everyone,{GROUPS}", memberOf=f"cn=everyone,{GROUPS}")
        + group("strangers", f"uid=bob,{PEOPLE}")
        + entry(f"cn=unique,{GROUPS}", "groupOfUniqueNames", cn="unique", uniqueMember=ADA)
        + entry(f"cn=unix,{GROUPS}", "posixGroup", cn="unix", gidNumber="5", memberUid="ada")
        + entry(
            f"uid=marked,{PEOPLE}",
            "inetOrgPerson",
            uid="marked",
            cn="marked",
            sn="marked",
            userPassword=PASSWORD,
            memberOf=[f"cn=builders,{GROUPS}", f"cn=gone,{GROUPS}"],
        )
        + "".join(group(f"many-{number}", f"uid=joined,{PEOPLE}") for number in range(MANY))
        + entry(f"cn=elsewhere,{PEOPLE}", "referral", "extensibleObject", cn="elsewhere", ref="ldap://127.0.0.1:1/")
    )


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("certificates"), "127.0.0.1")


@pytest.fixture(scope="session")
def slapd(tmp_path_factory: pytest.TempPathFactory, ca: Authority) -> Iterator[Directory]:
    with directory(tmp_path_factory.mktemp("ldap") / "slapd", ca.ca_file.parent, _content()) as running:
        yield running


@pytest.fixture
def place(slapd: Directory, ca: Authority) -> LdapPlace:
    return LdapPlace(
        "127.0.0.1",
        slapd.tls_port,
        Transport.LDAPS,
        ca.trusting,
        PEOPLE,
        "(&(objectClass=person)(uid={user}))",
        GROUPS,
        READER,
        READER_PASSWORD,
    )


SignIn = Callable[..., LdapPerson | None]


@pytest.fixture
def sign_in(place: LdapPlace) -> SignIn:
    return lambda user="ada", password=PASSWORD, **changes: LdapDirectory(replace(place, **changes)).sign_in(
        user, password
    )


def _trouble(sign_in: SignIn, **changes: object) -> Trouble:
    with pytest.raises(LdapTrouble) as raised:
        sign_in(**changes)
    assert READER_PASSWORD not in str(raised.value)
    assert PASSWORD not in str(raised.value)
    return raised.value.trouble


def _result(asked: bytes, kind: int, code: int) -> bytes:
    """An answer to a message, of a kind such as BindResponse, that says only its result."""
    number = asked[2 : 4 + asked[3]]  # the message's, with its tag and length
    body = number + bytes((kind, 7, 0x0A, 1, code, 4, 0, 4, 0))
    return bytes((0x30, len(body))) + body


def test_the_right_password_brings_the_person(sign_in: SignIn) -> None:
    found = sign_in()
    assert found is not None
    assert (found.dn, found.name, found.mail) == (ADA, "Ada Lovelace", "ada@example.org")
    assert len(found.id) == 36


def test_the_groups_of_a_person_include_those_that_hold_a_group(sign_in: SignIn) -> None:
    found = sign_in()
    assert found is not None
    assert {group.name for group in found.groups} == {"builders", "platform", "everyone", "circle", "unique", "unix"}


def test_without_a_group_base_the_groups_are_those_that_member_of_names(sign_in: SignIn) -> None:
    found = sign_in("marked", group_base=None)
    assert found is not None
    assert {group.name for group in found.groups} == {"builders", "platform", "everyone", "circle"}


def test_more_groups_than_one_page_are_all_found(sign_in: SignIn) -> None:
    found = sign_in("joined")
    assert found is not None
    assert len(found.groups) == MANY


@pytest.mark.parametrize("base", [GROUPS, None])
def test_a_person_in_more_groups_than_the_bound_is_not_cut_off_but_refused(sign_in: SignIn, base: str | None) -> None:
    user, limit = ("joined", MANY - 1) if base else ("marked", 3)
    assert _trouble(sign_in, user=user, group_base=base, max_groups=limit) is Trouble.TOO_MANY_GROUPS


@pytest.mark.parametrize(
    "password", ["wrong", PASSWORD + " ", PASSWORD.upper(), "a\0b", "\x07", "\u0378", "\ud800", "", "x" * 10_000]
)
def test_a_wrong_password_is_a_plain_no(sign_in: SignIn, password: str) -> None:
    assert sign_in("ada", password) is None


def test_an_empty_password_never_signs_in_although_such_a_bind_succeeds(sign_in: SignIn) -> None:
    assert sign_in("nopassword", "") is None
    assert sign_in("nopassword", "anything") is None


@pytest.mark.parametrize(
    "user",
    [
        "nobody",
        "",
        "*",
        "a*",
        "ada)(uid=*",
        "*)(uid=*))(|(uid=*",
        "ada\0",
        "ada,ou=people",
        "\\61da",
        "a" * 300,
        "ad\u0430",
    ],
)
def test_a_name_is_a_name_and_no_filter(sign_in: SignIn, user: str) -> None:
    assert sign_in(user) is None


@pytest.mark.parametrize("user", ["star*", "paren(s)"])
def test_a_name_with_letters_that_filters_use_signs_in(sign_in: SignIn, user: str) -> None:
    found = sign_in(user)
    assert found is not None
    assert found.dn == f"uid={user},{PEOPLE}"


def test_a_name_in_the_tree_may_have_a_comma_and_a_password_any_letter(sign_in: SignIn) -> None:
    found = sign_in("smith", "pä\u00df")
    assert found is not None
    assert (found.name, [group.name for group in found.groups]) == ("Smith, John", ["smiths"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(user=st.text(st.characters(), max_size=30))
def test_any_other_name_is_nobody(sign_in: SignIn, user: str) -> None:
    assert user.strip().casefold() in {"ada", "bob"} or sign_in(user, "wrong") is None


def test_two_people_of_one_name_are_nobody(sign_in: SignIn) -> None:
    assert _trouble(sign_in, user="twin") is Trouble.NOT_ONE_PERSON


def test_a_person_is_found_without_a_password(place: LdapPlace) -> None:
    found = LdapDirectory(place).find("bob")
    assert found is not None
    assert [group.name for group in found.groups] == ["strangers"]


@pytest.mark.parametrize("transport", [Transport.START_TLS, Transport.LOOPBACK])
def test_plain_ldap_works_with_start_tls_and_on_this_machine(
    sign_in: SignIn, slapd: Directory, transport: Transport
) -> None:
    assert sign_in(port=slapd.port, transport=transport) is not None


@pytest.mark.parametrize("transport", [Transport.LDAPS, Transport.START_TLS])
def test_a_certificate_of_an_unknown_ca_stops_everything(
    sign_in: SignIn, slapd: Directory, transport: Transport
) -> None:
    port = slapd.tls_port if transport is Transport.LDAPS else slapd.port
    tls = ssl.create_default_context()
    assert _trouble(sign_in, port=port, transport=transport, tls=tls) is Trouble.UNREACHABLE


@pytest.mark.parametrize("transport", [Transport.LDAPS, Transport.START_TLS])
def test_a_certificate_of_another_name_stops_everything(
    sign_in: SignIn, slapd: Directory, transport: Transport
) -> None:
    port = slapd.tls_port if transport is Transport.LDAPS else slapd.port
    assert _trouble(sign_in, host="localhost", port=port, transport=transport) is Trouble.UNREACHABLE


@pytest.mark.parametrize("code", [1, 2, 10, 52, 53, 80], ids=lambda code: f"result {code}")
def test_a_directory_that_refuses_start_tls_gets_no_password(sign_in: SignIn, code: int) -> None:
    received: list[bytes] = []

    def refuse(connection: socket.socket) -> None:
        received.append(connection.recv(4096))
        connection.sendall(_result(received[0], 0x78, code))
        while piece := connection.recv(4096):
            received.append(piece)

    with accepting(refuse) as server:
        _trouble(sign_in, port=server.port, transport=Transport.START_TLS)
    assert b"1.3.6.1.4.1.1466.20037" in received[0]
    assert READER_PASSWORD.encode() not in b"".join(received)


def test_nothing_that_listens_is_unreachable(sign_in: SignIn) -> None:
    with accepting(lambda connection: connection.close()) as server:
        assert _trouble(sign_in, port=server.port, transport=Transport.LOOPBACK) is Trouble.UNREACHABLE
    assert _trouble(sign_in, port=server.port) is Trouble.UNREACHABLE


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x30\x03\x02\x01\x00", bytes(64)])
def test_what_does_not_speak_ldap_is_unreachable(sign_in: SignIn, answer: bytes) -> None:
    with accepting(lambda connection: connection.sendall(answer)) as server:
        wrong = {"port": server.port, "transport": Transport.LOOPBACK, "answer_seconds": 1}
        assert _trouble(sign_in, **wrong) is Trouble.UNREACHABLE


def test_a_directory_that_stalls_is_unreachable(sign_in: SignIn) -> None:
    with accepting(lambda _: None) as server:
        stalled = {"port": server.port, "transport": Transport.LOOPBACK, "answer_seconds": 1}
        assert _trouble(sign_in, **stalled) is Trouble.UNREACHABLE


def test_our_own_account_is_named_when_it_is_refused(sign_in: SignIn) -> None:
    assert _trouble(sign_in, bind_password="wrong") is Trouble.OWN_ACCOUNT_REFUSED


@pytest.mark.parametrize(
    "changes",
    [{"user_base": f"ou=missing,{BASE}"}, {"bind_dn": None, "bind_password": None}, {"user_filter": "(&(uid={user})"}],
    ids=["base", "anonymous", "filter"],
)
def test_settings_that_cannot_work_are_told_to_the_operator(sign_in: SignIn, changes: dict[str, object]) -> None:
    assert _trouble(sign_in, **changes) in {Trouble.SEARCH_REFUSED, Trouble.UNREACHABLE}


def test_a_referral_is_not_followed(sign_in: SignIn) -> None:
    assert sign_in(user_filter="(|(uid={user})(cn=elsewhere))") is not None
    assert _trouble(sign_in, user_base=f"cn=elsewhere,{PEOPLE}") is Trouble.SEARCH_REFUSED


@pytest.mark.parametrize("code", [1, 3, 4, 10, 14, 48, 49, 50, 53, 80], ids=lambda code: f"result {code}")
def test_only_a_plain_success_means_that_the_password_is_right(sign_in: SignIn, slapd: Directory, code: int) -> None:
    """A referral (10) and a few more are no exceptions to the library."""

    def talk(connection: socket.socket) -> None:
        with connection:
            if server.connections == 1:
                relay(connection, slapd.port)
                return
            asked = connection.recv(4096)
            connection.sendall(_result(asked, 0x61, code))
            while connection.recv(4096):
                pass

    with accepting(talk) as server:
        assert sign_in(port=server.port, transport=Transport.LOOPBACK) is None
        assert server.connections == 2


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ldaps://ldap.example", ("ldap.example", 636, Transport.LDAPS)),
        ("ldaps://127.0.0.1:1636", ("127.0.0.1", 1636, Transport.LDAPS)),
        ("ldap://ldap.example:3389", ("ldap.example", 3389, Transport.START_TLS)),
        ("ldap://localhost", ("localhost", 389, Transport.LOOPBACK)),
        ("ldap://[::1]", ("::1", 389, Transport.LOOPBACK)),
    ],
)
def test_plain_ldap_is_for_this_machine_only(url: str, expected: tuple[str, int, Transport]) -> None:
    assert address_of(url) == expected


def test_the_settings_make_the_directory(slapd: Directory, ca: Authority) -> None:
    made = open_ldap(
        Settings.model_validate(
            {
                "ldap_url": f"ldaps://127.0.0.1:{slapd.tls_port}",
                "ldap_bind_dn": READER,
                "ldap_bind_password": READER_PASSWORD,
                "ldap_user_base": PEOPLE,
                "outbound_ca_file": str(ca.ca_file),
            }
        )
    )
    assert made is not None
    assert made.sign_in("ada", PASSWORD) is not None
    assert open_ldap(Settings()) is None
