"""Whom the names of credentials mean, and which hosts are registries of the deployment."""

import pytest

from entrepot.access.definitions import Mode
from entrepot.gate.hosts import Hosts
from entrepot.tasks.model import LoginMode, SourceRegistry
from entrepot.tasks.runs.acting import chosen, default_of, own_login, plain, registry_of
from entrepot.tasks.runs.model import Lent

OWN = Lent("principal-0", "client-0")
LENT = Lent("principal-1", "client-1", "/subscriptions/s/userAssignedIdentities/One")
OTHER = Lent("principal-2", "client-2", "/subscriptions/s/userAssignedIdentities/two")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("[system]", OWN),
        ("System", OWN),
        ("CLIENT-1", LENT),
        ("/subscriptions/S/userAssignedIdentities/one", LENT),
        ("client-0", OWN),
        ("client-3", None),
        ("principal-1", None),
    ],
)
def test_a_name_means_the_identity_that_has_it(name: str, found: Lent | None) -> None:
    assert chosen(plain(name), [OWN, LENT, OTHER]) == found


def test_nobody_is_meant_by_an_empty_name() -> None:
    assert {plain(name) for name in ("", "none", "[none]", None)} == {""}
    assert chosen("", [Lent("principal-0")]) is None


@pytest.mark.parametrize(
    ("lent", "found"), [([], None), ([LENT], LENT), ([LENT, OWN], OWN), ([LENT, OTHER], None), ([OWN], OWN)]
)
def test_without_a_name_the_own_one_is_meant_or_the_only_one(lent: list[Lent], found: Lent | None) -> None:
    assert default_of(lent) == found


@pytest.mark.parametrize(
    ("source", "legacy", "abac"),
    [
        (None, "", None),
        (SourceRegistry(LoginMode.DEFAULT), "", None),
        (SourceRegistry(LoginMode.NONE), None, None),
        (SourceRegistry(identity="[caller]"), "caller", "caller"),
        (SourceRegistry(LoginMode.NONE, "[system]"), None, "system"),
        (SourceRegistry(identity="none"), "", None),
    ],
)
def test_the_login_mode_counts_where_rights_do_not_go_by_repository(
    source: SourceRegistry | None, legacy: str | None, abac: str | None
) -> None:
    assert (own_login(source, Mode.LEGACY), own_login(source, Mode.ABAC)) == (legacy, abac)


@pytest.mark.parametrize(
    ("server", "name"),
    [
        ("localhost:5000", "local"),
        ("OTHER.entrepot.localhost:5000", "other"),
        ("other.entrepot.localhost", None),
        ("other.entrepot.localhost:5001", None),
        ("localhost", None),
        ("127.0.0.1:5000", None),
        ("other.entrepot.localhost.evil.example:5000", None),
        ("", None),
    ],
)
def test_a_registry_of_the_deployment_is_known_by_its_login_server_alone(server: str, name: str | None) -> None:
    hosts = Hosts("entrepot.localhost", 5000, "entrepot.localhost")
    assert registry_of(server, hosts.login_server) == name
