"""Flags and environment into settings: which one wins, and how a mistake is told."""

import argparse

import pytest

from entrepot.cli.refusal import USAGE, Refusal
from entrepot.cli.sources import NOT_A_FLAG, Loaded, add_flags, load
from entrepot.settings import SettingError, Settings


def loaded(*flags: str, **variables: str) -> Loaded:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return load(parser.parse_args(flags), variables)


def refused(*flags: str, **variables: str) -> tuple[str, ...]:
    with pytest.raises(Refusal) as told:
        loaded(*flags, **variables)
    assert told.value.exit_code == USAGE
    return told.value.lines


def test_without_flags_and_variables_the_defaults_hold() -> None:
    assert loaded(HOME="/root").settings == Settings()


def test_a_flag_wins_over_a_variable() -> None:
    assert loaded("--port", "7000", ENTREPOT_PORT="6000", ENTREPOT_HOST="::1").settings.port == 7000
    assert loaded("--port", "7000", ENTREPOT_PORT="6000", ENTREPOT_HOST="::1").settings.host == "::1"


def test_an_empty_variable_counts_as_not_given() -> None:
    assert loaded(ENTREPOT_PORT="", ENTREPOT_TLS_CERT="").settings == Settings()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [((), False), (("--no-tls",), True), (("--no-tls=false",), False), (("--no-tls", "yes"), True)],
)
def test_a_switch_needs_no_value(flags: tuple[str, ...], expected: bool) -> None:
    assert loaded(*flags).settings.no_tls is expected


def test_a_flag_can_take_back_what_a_variable_switched_on() -> None:
    assert not loaded("--anonymous-pull=false", ENTREPOT_ANONYMOUS_PULL="true").settings.anonymous_pull


@pytest.mark.parametrize(
    ("flags", "variables", "line"),
    [
        (("--port", "99999"), {}, "--port 99999: input should be less than or equal to 65535"),
        ((), {"ENTREPOT_PORT": "0"}, "ENTREPOT_PORT 0: input should be greater than or equal to 1"),
        (("--log-format", "xml"), {}, "--log-format xml: input should be 'console' or 'json'"),
        (
            (),
            {"ENTREPOT_DOMAIN": "localhost"},
            "ENTREPOT_DOMAIN localhost: use a domain name of two labels or more, such as registry.example.com",
        ),
        (
            ("--host", "0.0.0.0", "--no-tls"),
            {},
            "--no-tls needs a loopback --host, or --trusted-proxies that name the proxy in front",
        ),
        ((), {"ENTREPOT_TLS_CERT": "a"}, "ENTREPOT_TLS_CERT and --tls-key go together: give both or neither"),
    ],
    ids=["flag", "variable", "choice", "own-rule", "flags-that-exclude", "mixed"],
)
def test_a_wrong_value_is_named_as_it_was_given(flags: tuple[str, ...], variables: dict[str, str], line: str) -> None:
    assert refused(*flags, **variables) == (line,)


SIZE = "use a size such as 500MB or 200GiB"
AT_LEAST_ONE = "input should be greater than or equal to 1"
WRONG = {
    "data_dir": ("", "use the path of a file or folder"),
    "database_url": ("mysql://db/registry", "use postgresql://USER:PASSWORD@HOST/NAME, or leave it out for SQLite"),
    "blob_url": ("ftp://x", "use file:/FOLDER, s3://BUCKET/PREFIX, az://CONTAINER/PREFIX or gs://BUCKET/PREFIX"),
    "region": ("West Europe", "use 1 to 32 of a-z 0-9, the first a letter"),
    "locations": ("eastus,West Europe", "use 1 to 32 of a-z 0-9, the first a letter"),
    "host": ("not a host", "use an IP address or a host name"),
    "port": ("https", "use a whole number"),
    "public_port": ("70000", "input should be less than or equal to 65535"),
    "domain": ("localhost", "use a domain name of two labels or more, such as registry.example.com"),
    "trusted_proxies": ("everyone", "use networks such as 10.0.0.0/8, comma-separated"),
    "proxy_header": ("via", "input should be 'x-forwarded-for' or 'forwarded'"),
    "management_networks": ("10.0.0.1/8", "use networks such as 10.0.0.0/8, comma-separated"),
    "workers": ("0", AT_LEAST_ONE),
    "shutdown_seconds": ("3601", "input should be less than or equal to 3600"),
    "tls_cert": ("", "use the path of a file or folder"),
    "tls_key": ("", "use the path of a file or folder"),
    "tls_names": ("registry.example.com, a_b", "use an IP address or a host name"),
    "no_tls": ("perhaps", "use true or false"),
    "outbound_allow": ("10.0.0.0/8, a_b", "use an IP address or a host name"),
    "outbound_ca_file": ("", "use the path of a file or folder"),
    "outbound_proxy": ("proxy:3128", "use http://HOST:PORT or http://USER:PASSWORD@HOST:PORT; https works too"),
    "anonymous_pull": ("2", "use true or false"),
    "bootstrap_client_id": ("x", "use 3 to 128 of A-Z a-z 0-9 . _ -, the first a letter or a digit"),
    "bootstrap_client_secret": ("short", "use 12 to 256 characters"),
    "secret_key": ("c2hvcnQ=", "use 32 random bytes in base64: openssl rand -base64 32"),
    "secret_key_file": ("", "use the path of a file or folder"),
    "signing_key_days": ("1", "input should be greater than or equal to 2"),
    "password_grant": ("x", "use true or false"),
    "identity_endpoint": ("x", "use true or false"),
    "ldap_url": ("https://ldap.example", "use ldaps://HOST, or ldap://HOST for StartTLS, with :PORT"),
    "ldap_bind_dn": ("reader", "use a distinguished name, such as ou=people,dc=example,dc=org"),
    "ldap_bind_password": ("x" * 1025, "use 1 to 1024 characters"),
    "ldap_user_base": ("people", "use a distinguished name, such as ou=people,dc=example,dc=org"),
    "ldap_user_filter": ("(uid=ada)", "use a filter in brackets with {user} for the name that was typed"),
    "ldap_group_base": ("=", "use a distinguished name, such as ou=people,dc=example,dc=org"),
    "ldap_domain": ("corp", "use a domain name of two labels or more, such as registry.example.com"),
    "ldap_groups": ("=Ours", "string should have at least 1 character"),
    "oidc_issuer": ("http://sso", "use https://HOST or https://HOST/PATH, exactly as the provider's tokens have it"),
    "oidc_client_id": ("x" * 257, "string should have at most 256 characters"),
    "oidc_client_secret": ("x" * 1025, "use 1 to 1024 characters"),
    "oidc_client_secret_file": ("", "use the path of a file or folder"),
    "oidc_name": ("x" * 65, "string should have at most 64 characters"),
    "oidc_scopes": ('"groups"', "use scopes with spaces between them, such as openid email groups"),
    "oidc_user_claim": ("", "string should have at least 1 character"),
    "oidc_groups_claim": ("", "string should have at least 1 character"),
    "oidc_groups": ("theirs=" + "x" * 257, "string should have at most 256 characters"),
    "oidc_required_groups": ("x" * 257, "string should have at most 256 characters"),
    "oidc_domains": ("a_b", "use an IP address or a host name"),
    "oidc_new_people": ("x", "use true or false"),
    "outside_check_seconds": ("0", AT_LEAST_ONE),
    "tier_limits": ("webhooks=10", "use TIER.LIMIT=VALUE, such as Basic.webhooks=10, comma-separated"),
    "request_rates": ("x", "use true or false"),
    "max_blob_bytes": ("10 parsecs", SIZE),
    "upload_idle_seconds": ("1m", "use a whole number"),
    "upload_keep_seconds": ("0", AT_LEAST_ONE),
    "uploads_per_principal": ("0", AT_LEAST_ONE),
    "sparse_manifests": ("x", "use true or false"),
    "gc_unlinked_grace_seconds": ("0", AT_LEAST_ONE),
    "gc_condemn_seconds": ("-1", AT_LEAST_ONE),
    "gc_retire_seconds": ("0", AT_LEAST_ONE),
    "gc_rate": ("0", AT_LEAST_ONE),
    "task_engine": ("", "use the path of a file or folder"),
    "pool": ("a_b", "use NAME, or REGISTRY/NAME"),
    "task_runs_per_registry": ("0", AT_LEAST_ONE),
    "task_drain_seconds": ("-1", "input should be greater than or equal to 0"),
    "task_runs": ("-1", "input should be greater than or equal to 0"),
    "task_memory_bytes": ("10 parsecs", SIZE),
    "task_processes": ("9", "input should be greater than or equal to 10"),
    "task_disk_bytes": ("10 parsecs", SIZE),
    "task_disk_free_bytes": ("10 parsecs", SIZE),
    "task_source_bytes": ("10 parsecs", SIZE),
    "task_log_bytes": ("10 parsecs", SIZE),
    "task_keep_seconds": ("0", AT_LEAST_ONE),
    "task_poll_seconds": ("1", "input should be greater than or equal to 5"),
    "task_egress": ("a.example,off", "use open, none, or hosts"),
    "task_base_image_seconds": ("0", AT_LEAST_ONE),
    "cache_fresh_seconds": ("soon", "number"),
    "task_labels": ("GPU cards", "use up to 6 labels"),
    "task_build_cache": ("x", "use true or false"),
    "task_images": ("bash", "use NAME=REFERENCE"),
    "vaults": ("builds", "use NAME=FOLDER"),
    "event_keep_seconds": ("0", AT_LEAST_ONE),
    "audit_keep_seconds": ("0", AT_LEAST_ONE),
    "audit_file": ("", "use the path of a file or folder"),
    "audit_file_bytes": ("10 parsecs", SIZE),
    "audit_file_count": ("-1", "input should be greater than or equal to 0"),
    "audit_syslog": ("https://logs", "use udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT"),
    "audit_syslog_ca": ("", "use the path of a file or folder"),
    "metrics_port": ("0", AT_LEAST_ONE),
    "metrics_host": ("?", "use an IP address or a host name"),
    "log_format": ("xml", "input should be 'console' or 'json'"),
    "log_level": ("loud", "input should be 'debug', 'info', 'warning' or 'error'"),
    "access_log": ("maybe", "input should be 'on', 'errors' or 'off'"),
}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_wrong_value_of_any_setting_is_told_with_what_is_allowed(name: str) -> None:
    value, allowed = WRONG[name]
    flag = f"--{name.replace('_', '-')}"
    given = {f"ENTREPOT_{name.upper()}": value} if name in NOT_A_FLAG else {}
    (line,) = refused(*([] if given else [f"{flag}={value}"]), **given)
    assert line.startswith(f"ENTREPOT_{name.upper()}: " if given else flag)
    assert allowed in line


def test_every_mistake_is_told_at_once() -> None:
    assert len(refused("--port", "0", "--workers", "many", ENTREPOT_REGION="?")) == 3


@pytest.mark.parametrize(
    "variable",
    [
        {"ENTREPOT_BOOTSTRAP_CLIENT_SECRET": "s3same"},
        {"ENTREPOT_DATABASE_URL": "mysql://root:s3same@db/registry"},
        {"ENTREPOT_LDAP_BIND_PASSWORD": "s3same" * 200},
        {"ENTREPOT_OIDC_CLIENT_SECRET": "s3same" * 200},
        {"ENTREPOT_OUTBOUND_PROXY": "socks5://me:s3same@proxy:1080"},
    ],
    ids=lambda variable: next(iter(variable)),
)
def test_a_refused_secret_is_not_repeated(variable: dict[str, str]) -> None:
    assert "s3same" not in "".join(refused(**variable))


@pytest.mark.parametrize(
    ("variable", "line"),
    [
        ("ENTREPOT_PROT", "ENTREPOT_PROT: unknown variable; did you mean ENTREPOT_PORT?"),
        ("ENTREPOT_DATA_DIRECTORY", "ENTREPOT_DATA_DIRECTORY: unknown variable; did you mean ENTREPOT_DATA_DIR?"),
        ("ENTREPOT_XYZZY", "ENTREPOT_XYZZY: unknown variable"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(variable: str, line: str) -> None:
    assert refused(**{variable: "1"}) == (line,)


def test_the_variables_that_kubernetes_makes_for_a_service_named_entrepot_are_no_settings() -> None:
    settings = loaded(
        ENTREPOT_SERVICE_HOST="10.0.0.7",
        ENTREPOT_SERVICE_PORT="443",
        ENTREPOT_SERVICE_PORT_HTTPS="443",
        ENTREPOT_PORT="tcp://10.0.0.7:443",
        ENTREPOT_PORT_443_TCP="tcp://10.0.0.7:443",
        ENTREPOT_PORT_443_TCP_ADDR="10.0.0.7",
        ENTREPOT_METRICS_PORT="tcp://10.0.0.8:9000",
        ENTREPOT_METRICS_PORT_9000_TCP_PROTO="tcp",
    ).settings
    assert settings == Settings()


def test_a_setting_that_fails_when_it_is_used_is_named_as_it_was_given() -> None:
    error = SettingError("port", "is in use")
    assert loaded(ENTREPOT_PORT="6000").refusal(error).lines == ("ENTREPOT_PORT: is in use",)
    assert loaded().refusal(error).lines == ("--port: is in use",)


def test_the_help_explains_every_setting_but_the_one_that_may_not_be_a_flag() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    told = parser.format_help()
    missing = [name for name in Settings.model_fields if f"--{name.replace('_', '-')}" not in told]
    assert missing == ["bootstrap_client_secret", "ldap_bind_password"]
    assert "(default: 200.0GiB)" in " ".join(told.split())
