"""The rows of Graph, and its surface."""

import re
from http import HTTPStatus
from typing import Final

from entrepot.arm.surface import directory_challenge
from entrepot.gate.call import Site, Surface
from entrepot.gate.firewall import Firewall
from entrepot.gate.management import Management, ManagementCall, graph_audiences
from entrepot.identities.graph import applications, federated, objects, users
from entrepot.identities.graph.kit import GraphRoute, Parts, changes, lists, reads
from entrepot.identities.graph.problems import render
from entrepot.identities.model import Kind
from entrepot.identities.operations import Operation
from entrepot.web.routing import RouteTable

PREFIX: Final = "/v1.0"

_APPLICATION: Final = "/applications/{application}"
_FEDERATED: Final = f"{_APPLICATION}/federatedIdentityCredentials"
_PRINCIPAL: Final = "/servicePrincipals/{principal}"
_USER: Final = "/users/{user}"
_GROUP: Final = "/groups/{group}"

ROUTES: Final[tuple[GraphRoute, ...]] = (
    lists("/applications", applications.list_applications, applications.FILTERS),
    changes("POST", "/applications", Operation.APPLICATION_CREATE, applications.create_application, HTTPStatus.CREATED),
    reads(_APPLICATION, applications.get_application),
    changes("PATCH", _APPLICATION, Operation.APPLICATION_UPDATE, applications.update_application),
    changes("DELETE", _APPLICATION, Operation.APPLICATION_DELETE, applications.delete_application),
    changes(
        "POST",
        f"{_APPLICATION}/addPassword",
        Operation.APPLICATION_CREDENTIALS,
        applications.add_password,
        HTTPStatus.OK,
    ),
    changes("POST", f"{_APPLICATION}/removePassword", Operation.APPLICATION_CREDENTIALS, applications.remove_password),
    lists(f"{_APPLICATION}/owners", objects.list_nobody, {}),
    lists(_FEDERATED, federated.list_federated, federated.FILTERS),
    changes("POST", _FEDERATED, Operation.APPLICATION_CREDENTIALS, federated.create_federated, HTTPStatus.CREATED),
    reads(f"{_FEDERATED}/{{credential}}", federated.get_federated),
    changes("PATCH", f"{_FEDERATED}/{{credential}}", Operation.APPLICATION_CREDENTIALS, federated.update_federated),
    changes("DELETE", f"{_FEDERATED}/{{credential}}", Operation.APPLICATION_CREDENTIALS, federated.delete_federated),
    lists(
        "/servicePrincipals",
        objects.rows_of(Kind.SERVICE_PRINCIPAL, "Service principals of the tenant."),
        objects.SERVICE_PRINCIPAL_FILTERS,
    ),
    changes(
        "POST",
        "/servicePrincipals",
        Operation.SERVICE_PRINCIPAL_CREATE,
        objects.create_service_principal,
        HTTPStatus.CREATED,
    ),
    reads(_PRINCIPAL, objects.get_service_principal),
    changes("PATCH", _PRINCIPAL, Operation.SERVICE_PRINCIPAL_UPDATE, objects.update_service_principal),
    changes("DELETE", _PRINCIPAL, Operation.SERVICE_PRINCIPAL_DELETE, objects.delete_service_principal),
    lists(f"{_PRINCIPAL}/owners", objects.list_nobody, {}),
    lists("/users", objects.rows_of(Kind.USER, "People of the tenant."), objects.USER_FILTERS),
    changes("POST", "/users", Operation.USER_CREATE, users.create_user, HTTPStatus.CREATED),
    reads(_USER, users.get_user),
    changes("PATCH", _USER, Operation.USER_UPDATE, users.update_user),
    changes("DELETE", _USER, Operation.USER_DELETE, users.delete_user),
    reads("/users/{object}/getMemberGroups", objects.get_member_groups, "POST"),
    reads("/me", objects.get_me),
    reads("/me/getMemberGroups", objects.get_member_groups, "POST"),
    lists("/groups", objects.rows_of(Kind.GROUP, "Groups of the tenant."), objects.GROUP_FILTERS),
    changes("POST", "/groups", Operation.GROUP_CREATE, objects.create_group, HTTPStatus.CREATED),
    reads(_GROUP, objects.get_group),
    changes("DELETE", _GROUP, Operation.GROUP_DELETE, objects.delete_group),
    lists(f"{_GROUP}/members", objects.list_members, {}),
    changes("POST", f"{_GROUP}/members/$ref", Operation.GROUP_MEMBERS, objects.add_member),
    changes("DELETE", f"{_GROUP}/members/{{member}}/$ref", Operation.GROUP_MEMBERS, objects.remove_member),
    lists(f"{_GROUP}/owners", objects.list_nobody, {}),
    reads("/groups/{object}/getMemberGroups", objects.get_member_groups, "POST"),
    reads("/directoryObjects/getByIds", objects.get_by_ids, "POST"),
    reads("/directoryObjects/{object}", objects.get_object),
    reads("/directoryObjects/{object}/checkMemberGroups", objects.check_member_groups, "POST"),
    reads("/directoryObjects/{object}/getMemberGroups", objects.get_member_groups, "POST"),
)


def graph_surface(site: Site, parts: Parts, firewall: Firewall | None) -> Surface[ManagementCall, Parts]:
    """One for each worker process."""
    admission = Management(site, graph_audiences(site.scheme), directory_challenge(site.scheme), firewall)
    return Surface(
        "graph", RouteTable(ROUTES, re.IGNORECASE), admission, parts, render, ((b"cache-control", b"no-cache"),)
    )
