"""`entrepot registry`: registries of the deployment."""

import argparse
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from entrepot.cli.online.asking import Online, add_verb, add_yes, confirm, making, unknown
from entrepot.cli.refusal import USAGE, Refusal

if TYPE_CHECKING:
    from entrepot.cli.online.output import Columns
    from entrepot.cli.parsing import Commands
    from entrepot.client.model import Group, Registry

_TEXT: Final = "Registries, on the server that you are signed in to."
_LIST: Final = "List the registries that you see."
_SHOW: Final = "Show a registry."
_CREATE: Final = "Create a registry."
_UPDATE: Final = "Change settings of a registry; those that are not named stay as they are."
_DELETE: Final = "Delete a registry with all that it holds."
_SKUS: Final = ("Basic", "Standard", "Premium")
_SWITCH: Final = ("true", "false")
_NAMED: Final = 10


def register(commands: "Commands") -> None:
    parser = commands.add_parser("registry", help=_TEXT, description=_TEXT, allow_abbrev=False)
    verbs = parser.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    add_verb(verbs, "list", _LIST, _list)
    show = add_verb(verbs, "show", _SHOW, _show)
    create = add_verb(verbs, "create", _CREATE, _create)
    create.add_argument("--resource-group", metavar="NAME", help="its resource group; without it the only one there is")
    create.add_argument("--location", metavar="NAME", help="where; without it where the group is")
    update = add_verb(verbs, "update", _UPDATE, _update)
    delete = add_verb(verbs, "delete", _DELETE, _delete)
    add_yes(delete)
    for verb in (create, update):
        verb.add_argument("--sku", choices=_SKUS, help="its tier" + (" (default: Standard)" * (verb is create)))
        verb.add_argument("--admin-enabled", choices=_SWITCH, help="whether it has the admin account")
        verb.add_argument("--anonymous-pull", choices=_SWITCH, help="whether everybody may pull")
    for verb in (show, create, update, delete):
        verb.add_argument("name", help="the registry")


def _list(online: Online, arguments: argparse.Namespace) -> None:  # noqa: ARG001  verbs have one shape
    from entrepot.cli.online.output import show_list

    show_list(online.form, online.management.registries(), _columns())


def _show(online: Online, arguments: argparse.Namespace) -> None:
    _print(online, online.registry(arguments.name))


def _create(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.client.model import Registry

    group = _group(online, arguments.resource_group)
    body = {
        "location": arguments.location or group.location,
        "sku": {"name": arguments.sku or "Standard"},
        "properties": _settings(arguments),
    }
    path = f"{group.id}/providers/Microsoft.ContainerRegistry/registries/{arguments.name}"
    with making("registry", arguments.name):
        made = online.management.create(path, body, Registry)
    _print(online, made)


def _update(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.client.model import Registry

    body: dict[str, Any] = {"properties": _settings(arguments)}
    if arguments.sku is not None:
        body["sku"] = {"name": arguments.sku}
    if body == {"properties": {}}:
        raise Refusal(["nothing to change: name --sku, --admin-enabled or --anonymous-pull"], USAGE)
    _print(online, online.management.patch(online.registry(arguments.name).id, body, Registry))


def _delete(online: Online, arguments: argparse.Namespace) -> None:
    registry = online.registry(arguments.name)
    confirm(arguments, f"Delete the registry {registry.name} with all that it holds?")
    online.management.delete(registry.id)


def _settings(arguments: argparse.Namespace) -> dict[str, bool]:
    asked = {"adminUserEnabled": arguments.admin_enabled, "anonymousPullEnabled": arguments.anonymous_pull}
    return {member: word == "true" for member, word in asked.items() if word is not None}


def _group(online: Online, name: str | None) -> "Group":
    """Raises Refusal for one that is not there, and for none where there are several."""
    groups = [
        group for each in online.management.subscriptions() for group in online.management.groups(each.subscription_id)
    ]
    fitting = [group for group in groups if name is None or group.name.lower() == name.lower()]
    if len(fitting) == 1:
        return fitting[0]
    if name is not None and not fitting:
        raise unknown("resource group", name, (group.name for group in groups))
    listed = ", ".join(group.name for group in islice(fitting, _NAMED)) or "you see none"
    raise Refusal([f"name the resource group with --resource-group ({listed})"], USAGE)


def _print(online: Online, found: "Registry") -> None:
    from entrepot.cli.online.output import show_one

    show_one(online.form, found, _columns())


def _columns() -> "Columns[Registry]":
    from entrepot.cli.online.output import moment, yes_or_no

    return (
        ("NAME", lambda one: one.name),
        ("LOGIN SERVER", lambda one: one.properties.login_server),
        ("SKU", lambda one: one.sku.name),
        ("GROUP", lambda one: one.group),
        ("LOCATION", lambda one: one.location),
        ("ADMIN", lambda one: yes_or_no(one.properties.admin_user_enabled)),
        ("ANONYMOUS PULL", lambda one: yes_or_no(one.properties.anonymous_pull_enabled)),
        ("CREATED", lambda one: moment(one.properties.creation_date)),
    )
