"""`entrepot webhook`: receivers that are told of pushes and deletions, and what came of telling them."""

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

from entrepot.cli.directory import read_text
from entrepot.cli.online.asking import (
    Online,
    add_registry,
    add_verb,
    add_yes,
    child,
    making,
    names_of,
    naming,
    remove,
)
from entrepot.cli.refusal import USAGE, Refusal

if TYPE_CHECKING:
    from entrepot.cli.online.output import Columns
    from entrepot.cli.parsing import Commands
    from entrepot.client.model import Webhook, WebhookEvent

T = TypeVar("T")
_TEXT: Final = "Webhooks of a registry, and their deliveries."
_LIST: Final = "List the webhooks of a registry."
_SHOW: Final = "Show a webhook."
_CREATE: Final = "Create a webhook."
_DELETE: Final = "Delete a webhook with its deliveries."
_PING: Final = "Send the receiver a ping; the events tell what came of it."
_EVENTS: Final = "List the latest deliveries of a webhook, the newest first."
_REPLAY: Final = "Send deliveries that ended once more; without more words all that were given up."
_PAUSE: Final = "Call the receiver no more until the webhook is resumed; what happens meanwhile waits."
_RESUME: Final = "Go on where the webhook was paused."
_URI: Final = "where to send events; a user name and password do not belong in it: use --headers"
_HEADERS: Final = "a file with headers to send along, a line NAME: VALUE each; - for standard input"
_SIGNING: Final = "a file whose first line is the secret to sign calls with (whsec_...); - for standard input"
_ACTIONS: Final = ("push", "delete", "quarantine", "chart_push", "chart_delete")
_KIND: Final = "webhooks"
_LIMIT: Final = 64 * 1024


def register(commands: "Commands") -> None:
    parser = commands.add_parser("webhook", help=_TEXT, description=_TEXT, allow_abbrev=False)
    verbs = parser.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    listing = add_verb(verbs, "list", _LIST, _list)
    create = add_verb(verbs, "create", _CREATE, _create)
    create.add_argument("--uri", required=True, help=_URI)
    create.add_argument("--actions", required=True, nargs="+", choices=_ACTIONS, help="what to tell of")
    create.add_argument(
        "--scope", default="", help="what to tell of it: app:v1, team/*, *:stable; without it everything"
    )
    create.add_argument("--headers", metavar="FILE", help=_HEADERS)
    create.add_argument("--signing-secret", metavar="FILE", help=_SIGNING)
    delete, replay = add_verb(verbs, "delete", _DELETE, _delete), add_verb(verbs, "replay", _REPLAY, _replay)
    add_yes(delete)
    replay.add_argument(
        "--id", action="append", default=[], help="the deliveries of this event; several times for more"
    )
    replay.add_argument("--state", choices=("dead", "delivered"), help="those that ended so (default: dead)")
    replay.add_argument("--since", metavar="TIME", help="of what happened from this time on, as ISO 8601")
    replay.add_argument("--until", metavar="TIME", help="of what happened before this time")
    others = (
        add_verb(verbs, "show", _SHOW, _show),
        add_verb(verbs, "ping", _PING, _ping),
        add_verb(verbs, "events", _EVENTS, _events),
        add_verb(verbs, "pause", _PAUSE, _pause),
        add_verb(verbs, "resume", _RESUME, _resume),
    )
    for verb in (create, delete, replay, *others):
        verb.add_argument("name", help="the webhook")
    for verb in (listing, create, delete, replay, *others):
        add_registry(verb)


def _list(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_list
    from entrepot.client.model import Webhook

    registry = online.registry(arguments.registry)
    show_list(online.form, online.management.pages(f"{registry.id}/{_KIND}", Webhook), _columns())


def _show(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.client.model import Webhook

    registry = online.registry(arguments.registry)
    with naming("webhook", arguments.name, lambda: names_of(online, registry, _KIND)):
        found = online.management.get(child(registry, _KIND, arguments.name), Webhook)
    _print(online, found)


def _create(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.client.model import Webhook

    if arguments.headers == arguments.signing_secret == "-":
        raise Refusal(["only one of --headers and --signing-secret can come by standard input"], USAGE)
    settings: dict[str, Any] = {
        "serviceUri": arguments.uri,
        "actions": arguments.actions,
        "scope": arguments.scope,
    }
    if arguments.headers is not None:
        settings["customHeaders"] = headers_of(_read(arguments.headers))
    if arguments.signing_secret is not None:
        settings["signingSecret"] = _read(arguments.signing_secret).partition("\n")[0].rstrip("\r")
    registry = online.registry(arguments.registry)
    body = {"location": registry.location, "properties": settings}
    with making("webhook", arguments.name):
        made = online.management.create(child(registry, _KIND, arguments.name), body, Webhook)
    _print(online, made)


def _delete(online: Online, arguments: argparse.Namespace) -> None:
    remove(online, arguments, _KIND, "webhook")


def _ping(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_one
    from entrepot.client.model import Pinged

    show_one(online.form, _act(online, arguments, "ping", Pinged), (("EVENT", lambda one: one.id),))


def _events(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_list
    from entrepot.client.model import WebhookEvents

    show_list(online.form, _act(online, arguments, "listEvents", WebhookEvents).value, _event_columns())


def _replay(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_one
    from entrepot.client.model import Replayed

    asked = {
        "ids": arguments.id or None,
        "state": arguments.state,
        "since": arguments.since,
        "until": arguments.until,
    }
    body = {member: value for member, value in asked.items() if value is not None}
    show_one(online.form, _act(online, arguments, "replay", Replayed, body), (("DELIVERIES", lambda one: one.count),))


def _pause(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.client.model import Webhook

    _print(online, _act(online, arguments, "pause", Webhook))


def _resume(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.client.model import Webhook

    _print(online, _act(online, arguments, "resume", Webhook))


def _act(
    online: Online, arguments: argparse.Namespace, action: str, shape: type[T], body: dict[str, Any] | None = None
) -> T:
    """One of the actions on a webhook. Raises Refusal when there is no such webhook."""
    registry = online.registry(arguments.registry)
    with naming("webhook", arguments.name, lambda: names_of(online, registry, _KIND)):
        return online.management.post(f"{child(registry, _KIND, arguments.name)}/{action}", body or {}, shape)


def headers_of(text: str) -> dict[str, str]:
    """``NAME: VALUE`` in each line. Raises Refusal, which repeats no value."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or not name.strip():
            raise Refusal([f"line {number} of the headers is not NAME: VALUE"], USAGE)
        found[name.strip()] = value.strip()
    return found


def _read(path: str) -> str:
    """Raises Refusal."""
    return sys.stdin.read(_LIMIT) if path == "-" else read_text(path)


def _print(online: Online, found: "Webhook") -> None:
    from entrepot.cli.online.output import show_one

    show_one(online.form, found, _columns())


def _columns() -> "Columns[Webhook]":
    from entrepot.cli.online.output import yes_or_no

    return (
        ("NAME", lambda one: one.name),
        ("ACTIONS", lambda one: " ".join(one.properties.actions)),
        ("SCOPE", lambda one: one.properties.scope),
        ("STATUS", lambda one: one.properties.status),
        ("PAUSED", lambda one: yes_or_no(one.properties.paused)),
    )


def _event_columns() -> "Columns[WebhookEvent]":
    from entrepot.cli.online.output import moment

    return (
        ("EVENT", lambda one: one.id),
        ("STATE", lambda one: one.delivery.state),
        ("ATTEMPTS", lambda one: one.delivery.count),
        ("LAST TRIED", lambda one: moment(one.delivery.attempts[-1].at) if one.delivery.attempts else ""),
        ("ANSWER", _answer),
    )


def _answer(event: "WebhookEvent") -> str:
    if not event.delivery.attempts:
        return ""
    last = event.delivery.attempts[-1]
    return str(last.status) if last.status else last.reason
