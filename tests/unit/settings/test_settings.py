"""Which values a setting takes, and which settings agree with each other."""

import pickle

import pytest
from pydantic import ValidationError

from entrepot.settings import GROUPS, SettingError, Settings


def test_every_setting_is_explained() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_setting_stands_in_one_group_of_the_help() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(Settings.model_fields)


@pytest.mark.parametrize(
    ("written", "expected"),
    [("10GiB", 10 * 1024**3), ("500MB", 500_000_000), ("1024", 1024), (1024, 1024)],
)
def test_a_size_may_be_written_for_people(written: object, expected: int) -> None:
    assert Settings.model_validate({"max_blob_bytes": written}).max_blob_bytes == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 0},
        {"port": 65_536},
        {"port": "https"},
        {"host": "not a host"},
        {"domain": "localhost"},
        {"domain": "10.0.0.1"},
        {"domain": "under_score.example.com"},
        {"workers": 0},
        {"log_format": "xml"},
        {"max_blob_bytes": "10 parsecs"},
        {"max_blob_bytes": -1},
        {"blob_url": "ftp://files.example.com/"},
        {"audit_syslog": "https://logs.example.com/"},
        {"audit_syslog": "tls://"},
        {"audit_syslog": "udp://logs.example.com:70000"},
        {"audit_syslog": "tcp://logs.example.com/path"},
        {"audit_file_count": -1},
        {"database_url": "mysql://root@db.example.com/registry"},
        {"trusted_proxies": "10.0.0.0/8, everyone"},
        {"trusted_proxies": "0.0.0.0/0"},
        {"outbound_allow": "not a host"},
        {"outbound_allow": "10.0.0.0/33"},
        {"outbound_allow": "https://idp.corp.example/"},
        {"outbound_proxy": "proxy.corp.example:3128"},
        {"outbound_proxy": "socks5://proxy.corp.example:1080"},
        {"outbound_proxy": "http://proxy.corp.example:3128/path"},
        {"outbound_proxy": "http://proxy.corp.example:99999"},
        {"outbound_ca_file": ""},
        {"ldap_url": "ldap://me:pw@ldap.example"},
        {"ldap_url": "ldap://ldap.example/dc=example"},
        {"ldap_url": "ldaps://"},
        {"oidc_issuer": "http://sso.example"},
        {"oidc_issuer": "https://sso.example/?tenant=1"},
        {"oidc_issuer": "https://me@sso.example"},
        {"oidc_scopes": 'openid "groups"'},
        {"oidc_client_secret": ""},
        {"oidc_domains": "not a domain"},
        {"ldap_groups": "=Ours"},
        {"ldap_domain": "example"},
        {"upload_idle_seconds": 0},
        {"upload_idle_seconds": "1 minute"},
        {"region": "Western Europe"},
        {"bootstrap_client_id": "owner", "bootstrap_client_secret": "short"},
    ],
    ids=lambda wrong: "-".join(f"{name}={value}" for name, value in wrong.items()),
)
def test_a_wrong_value_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)


def test_what_may_be_called_is_a_list_of_networks_addresses_and_names() -> None:
    settings = Settings.model_validate({"outbound_allow": "10.1.2.3/8, FD00::1, idp.Corp.example, localhost"})
    assert settings.outbound_allow == ("10.0.0.0/8", "fd00::1/128", "idp.corp.example", "localhost")


@pytest.mark.parametrize(
    "given",
    [
        "devs=Developers, admins",
        {"devs": "Developers", "admins": "admins"},
        [["devs", "Developers"], ["admins", "admins"]],
    ],
    ids=["text", "table", "pairs"],
)
def test_groups_of_theirs_are_named_beside_ours(given: object) -> None:
    expected = (("devs", "Developers"), ("admins", "admins"))
    assert Settings.model_validate({"oidc_groups": given}).oidc_groups == expected


def test_a_proxy_may_have_a_password_and_no_text_of_the_settings_shows_it() -> None:
    settings = Settings.model_validate({"outbound_proxy": "http://me:s3same@proxy.corp.example:3128"})
    assert settings.outbound_proxy is not None
    assert "s3same" not in repr(settings)


@pytest.mark.parametrize(
    "apart",
    [
        {"tls_cert": "server.crt"},
        {"tls_key": "server.key"},
        {"no_tls": True, "tls_cert": "server.crt", "tls_key": "server.key"},
        {"no_tls": True, "host": "0.0.0.0"},
        {"no_tls": True, "host": "192.0.2.1"},
        {"bootstrap_client_id": "owner"},
        {"bootstrap_client_secret": "long enough to be one"},
        {"ldap_url": "ldaps://ldap.example"},
        {"ldap_bind_dn": "cn=reader,dc=example,dc=org"},
        {"ldap_bind_password": "long enough"},
        {"oidc_issuer": "https://sso.example"},
        {"oidc_client_id": "entrepot"},
        {"oidc_client_secret": "one", "oidc_client_secret_file": "another"},
        {"metrics_port": 5000},
    ],
    ids="-".join,
)
def test_settings_that_exclude_or_need_each_other_are_refused(apart: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(apart)


@pytest.mark.parametrize(
    ("given", "scheme"),
    [
        ({}, "https"),
        ({"no_tls": True}, "http"),
        ({"no_tls": True, "host": "::1"}, "http"),
        ({"no_tls": True, "host": "0.0.0.0", "trusted_proxies": "10.1.0.0/16"}, "https"),
    ],
    ids=["default", "loopback", "loopback-6", "behind-a-proxy"],
)
def test_clients_speak_plain_http_only_on_loopback(given: dict[str, object], scheme: str) -> None:
    assert Settings.model_validate(given).scheme == scheme


def test_clients_see_the_public_port() -> None:
    assert Settings(port=5000).seen_port == 5000
    assert Settings(port=5000, public_port=443).seen_port == 443


def test_a_domain_is_compared_in_lower_case_and_without_its_final_dot() -> None:
    assert Settings(domain="Registry.Example.COM.").domain == "registry.example.com"


def test_secrets_are_not_printed() -> None:
    settings = Settings.model_validate(
        {
            "database_url": "postgresql://entrepot:open-sesame@db.example.com/entrepot",
            "bootstrap_client_id": "owner",
            "bootstrap_client_secret": "open-sesame-too",
        }
    )
    assert "open-sesame" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_settings_do_not_change_once_they_are_made() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # pyright: ignore[reportAttributeAccessIssue]  # that it cannot be set is the point


def test_settings_do_not_depend_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTREPOT_PORT", "6000")
    assert Settings().port == 5000


def test_a_setting_error_survives_the_way_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(SettingError("port", "is in use")))  # noqa: S301  # our own bytes
    assert (error.setting, error.reason, str(error)) == ("port", "is in use", "port: is in use")
