"""`entrepot token` and `entrepot scope-map`: repository tokens for machines, and what they may."""

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from entrepot.cli.online.asking import Online, add_registry, add_verb, add_yes, child, making, names_of, naming, remove
from entrepot.cli.refusal import USAGE, Refusal

if TYPE_CHECKING:
    from entrepot.cli.online.output import Columns
    from entrepot.cli.parsing import Commands
    from entrepot.client.model import RepositoryToken, ScopeMap

_TOKEN: Final = "Repository tokens: user names with passwords for machines that have no account."  # noqa: S105  a text
_LIST: Final = "List the repository tokens of a registry."
_CREATE: Final = "Create a repository token; it signs in once it has a password (entrepot token password)."
_PASSWORD: Final = "Make a password of a repository token anew and print it, this once."  # noqa: S105  a text
_DELETE: Final = "Delete a repository token: it stops within two seconds."
_MAP: Final = "Scope maps: what repository tokens may, in which repositories."
_MAP_LIST: Final = "List the scope maps of a registry."
_MAP_SHOW: Final = "Show a scope map."
_MAP_CREATE: Final = "Create a scope map."
_MAP_DELETE: Final = "Delete a scope map; the tokens that have it may nothing any more."
_REPOSITORY: Final = (
    "a repository (NAME, NAME/* for all below, * for all) and what may be done there: content/read, content/write, "
    "content/delete, metadata/read, metadata/write; may be given several times"
)
_NAMES: Final = ("password1", "password2")
_TOKENS: Final = "tokens"
_MAPS: Final = "scopeMaps"


def register(commands: "Commands") -> None:
    token = commands.add_parser("token", help=_TOKEN, description=_TOKEN, allow_abbrev=False)
    verbs = token.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    listing, create = add_verb(verbs, "list", _LIST, _list), add_verb(verbs, "create", _CREATE, _create)
    password, delete = add_verb(verbs, "password", _PASSWORD, _password), add_verb(verbs, "delete", _DELETE, _delete)
    create.add_argument("--scope-map", required=True, metavar="NAME", help="what it may")
    password.add_argument("--which", choices=_NAMES, default=_NAMES[0], help="which of its two (default: password1)")
    password.add_argument("--days", type=int, metavar="DAYS", help="how long it is good; without it for ever")
    scope_map = commands.add_parser("scope-map", help=_MAP, description=_MAP, allow_abbrev=False)
    verbs = scope_map.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    maps, show = add_verb(verbs, "list", _MAP_LIST, _list_maps), add_verb(verbs, "show", _MAP_SHOW, _show_map)
    create_map = add_verb(verbs, "create", _MAP_CREATE, _create_map)
    create_map.add_argument(
        "--repository",
        nargs="+",
        action="append",
        required=True,
        metavar=("NAME", "ACTION"),
        help=_REPOSITORY,
    )
    create_map.add_argument("--description", default="", help="what it is for")
    delete_map = add_verb(verbs, "delete", _MAP_DELETE, _delete_map)
    for verb in (create, password, delete, show, create_map, delete_map):
        verb.add_argument("name", help="the token" if verb in {create, password, delete} else "the scope map")
    for verb in (listing, create, password, delete, maps, show, create_map, delete_map):
        add_registry(verb)
    for verb in (delete, delete_map):
        add_yes(verb)


def _list(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_list
    from entrepot.client.model import RepositoryToken

    registry = online.registry(arguments.registry)
    found = online.management.pages(f"{registry.id}/{_TOKENS}", RepositoryToken)
    show_list(online.form, found, _token_columns())


def _create(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_one
    from entrepot.client.model import RepositoryToken, ScopeMap

    registry = online.registry(arguments.registry)
    with naming("scope map", arguments.scope_map, lambda: names_of(online, registry, _MAPS)):
        scope_map = online.management.get(child(registry, _MAPS, arguments.scope_map), ScopeMap)
    body = {"properties": {"scopeMapId": scope_map.id}}
    with making("token", arguments.name):
        made = online.management.create(child(registry, _TOKENS, arguments.name), body, RepositoryToken)
    show_one(online.form, made, _token_columns())


def _password(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import moment, show_one
    from entrepot.client.model import Generated

    registry = online.registry(arguments.registry)
    body: dict[str, Any] = {"tokenId": f"{registry.id}/{_TOKENS}/{arguments.name}", "name": arguments.which}
    if arguments.days is not None:
        if arguments.days < 1:
            raise Refusal(["--days is a number of 1 or more"], USAGE)
        body["expiry"] = (datetime.now(UTC) + timedelta(days=arguments.days)).isoformat(timespec="seconds")
    with naming("token", arguments.name, lambda: names_of(online, registry, _TOKENS)):
        made = online.management.post(f"{registry.id}/generateCredentials", body, Generated)
    # The other password is not in the answer, or without its value.
    (password,) = (each for each in made.passwords if each.name == arguments.which)
    columns: Columns[Generated] = (
        ("USER NAME", lambda one: one.username),
        ("PASSWORD", lambda _: password.value),
        ("ENDS", lambda _: moment(password.expiry) or "never"),
    )
    show_one(online.form, Generated(made.username, [password]), columns)


def _delete(online: Online, arguments: argparse.Namespace) -> None:
    remove(online, arguments, _TOKENS, "token")


def _list_maps(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_list
    from entrepot.client.model import ScopeMap

    registry = online.registry(arguments.registry)
    show_list(online.form, online.management.pages(f"{registry.id}/{_MAPS}", ScopeMap), _map_columns())


def _show_map(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_one
    from entrepot.client.model import ScopeMap

    registry = online.registry(arguments.registry)
    with naming("scope map", arguments.name, lambda: names_of(online, registry, _MAPS)):
        show_one(online.form, online.management.get(child(registry, _MAPS, arguments.name), ScopeMap), _map_columns())


def _create_map(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_one
    from entrepot.client.model import ScopeMap

    actions = [f"repositories/{name}/{action}" for name, *words in arguments.repository for action in words]
    if any(len(words) == 1 for words in arguments.repository):
        raise Refusal(["--repository NAME ACTION: name what may be done there"], USAGE)
    registry = online.registry(arguments.registry)
    body = {"properties": {"description": arguments.description, "actions": actions}}
    with making("scope map", arguments.name):
        made = online.management.create(child(registry, _MAPS, arguments.name), body, ScopeMap)
    show_one(online.form, made, _map_columns())


def _delete_map(online: Online, arguments: argparse.Namespace) -> None:
    remove(online, arguments, _MAPS, "scope map")


def _token_columns() -> "Columns[RepositoryToken]":
    from entrepot.cli.online.output import moment

    return (
        ("NAME", lambda one: one.name),
        ("STATUS", lambda one: one.properties.status),
        ("SCOPE MAP", lambda one: (one.properties.scope_map_id or "").rpartition("/")[2]),
        ("PASSWORDS", lambda one: " ".join(each.name for each in one.properties.credentials.passwords)),
        ("CREATED", lambda one: moment(one.properties.creation_date)),
    )


def _map_columns() -> "Columns[ScopeMap]":
    from entrepot.cli.online.output import moment

    return (
        ("NAME", lambda one: one.name),
        ("TYPE", lambda one: one.properties.type),
        ("ACTIONS", lambda one: " ".join(each.removeprefix("repositories/") for each in one.properties.actions)),
        ("DESCRIPTION", lambda one: one.properties.description),
        ("CREATED", lambda one: moment(one.properties.creation_date)),
    )
