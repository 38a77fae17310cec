"""`entrepot repository`: what a registry holds, by repository."""

import argparse
from typing import TYPE_CHECKING, Final

from entrepot.cli.online.asking import Online, add_place, add_verb, add_yes, confirm, naming

if TYPE_CHECKING:
    from entrepot.cli.online.output import Columns
    from entrepot.cli.parsing import Commands
    from entrepot.client.model import Attributes, Repository

_TEXT: Final = "Repositories of a registry."
_LIST: Final = "List the repositories that hold something."
_SHOW: Final = "Show a repository: how much it holds, when it changed, what is locked."
_DELETE: Final = "Delete a repository with all its manifests and tags, or nothing of it while something is locked."


def register(commands: "Commands") -> None:
    parser = commands.add_parser("repository", help=_TEXT, description=_TEXT, allow_abbrev=False)
    verbs = parser.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    listing = add_verb(verbs, "list", _LIST, _list)
    show, delete = add_verb(verbs, "show", _SHOW, _show), add_verb(verbs, "delete", _DELETE, _delete)
    add_yes(delete)
    for verb in (listing, show, delete):
        add_place(verb)
    for verb in (show, delete):
        verb.add_argument("repository", help="the repository")


def _list(online: Online, arguments: argparse.Namespace) -> None:
    import msgspec

    from entrepot.cli.online.output import Form, plain

    names = online.content(arguments).repositories()
    if online.form is Form.JSON:
        print(msgspec.json.format(msgspec.json.encode(list(names)), indent=2).decode())
        return
    for name in names:
        print(plain(name))


def _show(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_one

    content, name = online.content(arguments), arguments.repository
    with naming("repository", name, content.repositories):
        show_one(online.form, content.repository(name), _columns())


def _delete(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_one
    from entrepot.client.model import Deleted

    content, name = online.content(arguments), arguments.repository
    with naming("repository", name, content.repositories):
        held = content.repository(name)
        what = f"{held.manifest_count} manifests and {held.tag_count} tags"
        confirm(arguments, f"Delete {name} with {what}?")
        gone = content.delete_repository(name)
    columns: Columns[Deleted] = (
        ("MANIFESTS DELETED", lambda one: len(one.manifests_deleted or ())),
        ("TAGS DELETED", lambda one: len(one.tags_deleted or ())),
    )
    show_one(online.form, gone, columns)


def _columns() -> "Columns[Repository]":
    from entrepot.cli.online.output import moment

    return (
        ("NAME", lambda one: one.image_name),
        ("REGISTRY", lambda one: one.registry),
        ("MANIFESTS", lambda one: one.manifest_count),
        ("TAGS", lambda one: one.tag_count),
        ("CREATED", lambda one: moment(one.created_time)),
        ("CHANGED", lambda one: moment(one.last_update_time)),
        ("LOCKED", lambda one: locks(one.changeable_attributes)),
    )


def locks(attributes: "Attributes") -> str:
    """What may not be done, in words: ``delete write``."""
    words = {
        "delete": attributes.delete_enabled,
        "write": attributes.write_enabled,
        "read": attributes.read_enabled,
        "list": attributes.list_enabled,
    }
    return " ".join(word for word, enabled in words.items() if not enabled)
