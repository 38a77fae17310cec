"""The reference pages, printed from the code. ``python -m tests.architecture.reference`` writes them again."""

import importlib
import pkgutil
from argparse import Action as Argument
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client.metrics import MetricWrapperBase
from pydantic_core import PydanticUndefined
from tests.architecture.management_pages import management_page, openapi_document, openapi_page
from tests.architecture.task_pages import task_files_page
from tests.e2e.az.tour.commands import STEPS, succeeding

import entrepot
from entrepot.access.builtin_roles import BUILT_IN_ROLES
from entrepot.access.conditions import OPERATORS, Quantifier
from entrepot.access.definitions import Mode, RoleDefinition
from entrepot.access.model import ASKED, Access, Action, All, Member, Operation, OwnUpload, Public, SignedIn, SignedUrl
from entrepot.access.operations import PERMITTED_BY, REGISTRIES
from entrepot.access.roles import Assigned, RoleRights
from entrepot.access.scope_maps import SYSTEM_MAPS
from entrepot.auditing.routes import ROUTES as AUDITING
from entrepot.cli import command_parser
from entrepot.cli.sources import NOT_A_FLAG
from entrepot.distribution.routes import ROUTES as DISTRIBUTION
from entrepot.errors import Kind
from entrepot.gate.problems import WORDINGS
from entrepot.metadata.helm import ROUTES as HELM
from entrepot.metadata.routes import ROUTES as METADATA
from entrepot.oauth.directory.routes import ROUTES as DIRECTORY
from entrepot.oauth.routes import ROUTES as OAUTH
from entrepot.settings import GROUPS, Settings
from entrepot.tasks.sources.routes import ROUTES as HOOKS
from entrepot.tasks.storage.routes import ROUTES as STORAGE

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"
COMMANDS: Final = (
    "Those that run a server or work on its data folder take the flags of [settings](settings.md), and "
    "`--config FILE`. Those with `--output`, and `login`, [ask a server](../guide/commands.md)."
)
PRINTED: Final = "Printed from the code by `python -m tests.architecture.reference`.\n"


def settings_page() -> str:
    lines = ["# Settings", "", PRINTED]
    for group, names in GROUPS.items():
        lines += [f"## {group[0].upper()}{group[1:]}", ""]
        lines += ["| flag | variable | default | what it does |", "|---|---|---|---|"]
        lines += [_setting(name) for name in names]
        lines.append("")
    return "\n".join(lines)


def _setting(name: str) -> str:
    field = Settings.model_fields[name]
    shown = " ".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    default = "" if shown in {None, PydanticUndefined, ""} else f"`{shown}`"
    flag = "" if name in NOT_A_FLAG else f"`--{name.replace('_', '-')}`"
    return f"| {flag} | `ENTREPOT_{name.upper()}` | {default} | {field.description} |"


def routes_page() -> str:
    lines = ["# Routes", "", PRINTED, "| method | path | who may | what it does |", "|---|---|---|---|"]
    for route in (*DISTRIBUTION, *METADATA, *HELM, *OAUTH, *DIRECTORY, *AUDITING, *STORAGE, *HOOKS):
        method = "GET, HEAD" if route.method == "GET" else route.method
        summary = (route.handler.__doc__ or "").strip().splitlines()[0]
        lines.append(f"| {method} | `{route.path}` | {_who(route.access)} | {summary} |")
    return "\n".join([*lines, ""])


def _who(access: Access) -> str:
    match access:
        case Action() | All():
            actions = access.actions if isinstance(access, All) else (access,)
            return f"scope `{','.join(ASKED[action] for action in actions)}`"
        case OwnUpload():
            return "the principal that began the upload"
        case SignedUrl():
            return f"who holds a signed URL with `{access.permission}` among its permissions"
        case SignedIn():
            return f"signed in: {access.reason}"
        case Public() | Member():
            return f"everyone{' of the directory' if isinstance(access, Member) else ''}: {access.reason}"
        case Operation():
            return f"`{access.name}`"


def errors_page() -> str:
    lines = ["# Errors of the data plane", "", PRINTED, "| kind | status | code | message |", "|---|---|---|---|"]
    rows: Iterable[Kind] = sorted(Kind, key=lambda kind: kind.name)
    for kind in rows:
        wording = WORDINGS[kind]
        lines.append(f"| {kind.name} | {wording.status} | `{wording.code}` | {wording.message} |")
    return "\n".join([*lines, ""])


def commands_page() -> str:
    """Without the settings, which many commands take: they have a page of their own."""
    lines = ["# Commands", "", PRINTED, COMMANDS, ""]
    for name, parser in sorted(_commands(command_parser(), "entrepot")):
        lines += [f"## {name}", "", parser.description or "", ""]
        rows = [_argument(action) for action in parser._actions if _is_own(action)]
        lines += ["| argument | what it does |", "|---|---|", *rows, ""] if rows else []
        lines += [parser.epilog, ""] if parser.epilog else []
    return "\n".join(lines)


def _commands(parser: ArgumentParser, name: str) -> Iterator[tuple[str, ArgumentParser]]:
    """The commands that do something; a command of commands only names them."""
    (below,) = [action.choices for action in parser._actions if isinstance(action, _SubParsersAction)] or [None]
    if below is None:
        yield name, parser
        return
    for word, child in below.items():
        yield from _commands(child, f"{name} {word}")


def _is_own(action: Argument) -> bool:
    return action.dest not in {*Settings.model_fields, "config", "help"}


def _argument(action: Argument) -> str:
    written = ", ".join(f"`{flag}`" for flag in action.option_strings) or f"`{action.dest.upper()}`"
    value = f" `{action.metavar}`" if action.option_strings and action.metavar else ""
    return f"| {written}{value} | {action.help} |"


def metrics_page() -> str:
    lines = ["# Metrics", "", PRINTED, "| name | kind | labels | what it counts |", "|---|---|---|---|"]
    for metric in sorted(_metrics(), key=lambda metric: metric._name):
        name = metric._name + ("_total" if metric._type == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        lines.append(f"| `{name}` | {metric._type} | {labels} | {metric._documentation} |")
    return "\n".join([*lines, ""])


def _metrics() -> set[MetricWrapperBase]:
    """Of every module that says by its name that it has some."""
    names = [found.name for found in pkgutil.walk_packages(entrepot.__path__, "entrepot.")]
    modules = [importlib.import_module(name) for name in names if name.endswith(".metrics")]
    return {value for module in modules for value in vars(module).values() if isinstance(value, MetricWrapperBase)}


def roles_page() -> str:
    lines = [
        "# Roles",
        "",
        PRINTED,
        f"`A` stands for `{REGISTRIES}`. How a decision is made: [roles](../concepts/roles.md).",
        "",
    ]
    lines += ["## Actions of the data plane", ""]
    lines += ["| action | words of a token | control action | data action | scope map |", "|---|---|---|---|---|"]
    lines += [_permitting(action) for action in Action]
    lines += ["", "## Built-in roles", "", "What each permits on the data plane, in either mode of the registry.", ""]
    lines += [f"| role | id | {Mode.LEGACY.value} | {Mode.ABAC.value} |", "|---|---|---|---|"]
    lines += [_role(role) for role in BUILT_IN_ROLES.values()]
    for role in BUILT_IN_ROLES.values():
        lines += ["", f"### {role.name}", "", role.description, "", *_permissions(role)]
    lines += ["", "## System scope maps", "", "| name | description | actions |", "|---|---|---|"]
    lines += [f"| `{found.name}` | {found.description} | {_listed(found.actions)} |" for found in SYSTEM_MAPS]
    lines += ["", "## Operators of conditions", "", _listed(map(str, OPERATORS.values())) + "; before each of them"]
    lines += [_listed(f"{quantifier.value}:" for quantifier in Quantifier) + " for several values.", ""]
    return "\n".join(lines)


def _permitting(action: Action) -> str:
    permitting = PERMITTED_BY[action]
    scope_map = _listed(permitting.scope_map, " or ") or "never"
    control = _listed(permitting.classic, " or ")
    return f"| {_in_words(action)} | `{ASKED[action]}` | {control} | {_listed([permitting.data])} | {scope_map} |"


def _role(role: RoleDefinition) -> str:
    modes = (_permitted(RoleRights([Assigned(role, "/")], "/a", mode)) for mode in (Mode.LEGACY, Mode.ABAC))
    return f"| {role.name} | `{role.id}` | {' | '.join(modes)} |"


def _permitted(rights: RoleRights) -> str:
    asked = ((action, None if action is Action.CATALOG_LIST else "a") for action in Action)
    return ", ".join(_in_words(action) for action, repository in asked if rights.allow(action, repository))


def _permissions(role: RoleDefinition) -> Iterator[str]:
    for permission in role.permissions:
        kinds = {
            "Control actions": permission.actions,
            "Less": permission.not_actions,
            "Data actions": permission.data_actions,
            "Less data actions": permission.not_data_actions,
        }
        yield from (f"- {kind}: {_listed(patterns)}" for kind, patterns in kinds.items() if patterns)


def _in_words(action: Action) -> str:
    return action.name.lower().replace("_", " ")


def _listed(operations: Iterable[str], between: str = ", ") -> str:
    return between.join(f"`{operation.replace(REGISTRIES, 'A')}`" for operation in operations)


def az_page() -> str:
    counting, every = set(succeeding()), sorted(STEPS, key=lambda step: step.command)
    lines = [
        "# az acr",
        "",
        PRINTED,
        f"Every command of `az acr` in azure-cli 2.91, as the tests run it. {len(counting)}",
    ]
    lines += [f"of {len(every)} ({100 * len(counting) // len(every)} %) succeed. What a feature to come is needed for"]
    lines += ["says so, and its lists are empty.", "", "| command | |", "|---|---|"]
    for step in every:
        lines.append(f"| `az {step.command}` | {f'later: {step.later}' if step.later else 'succeeds'} |")
    return "\n".join([*lines, ""])


PAGES: Final[dict[str, Callable[[], str]]] = {
    "settings.md": settings_page,
    "routes.md": routes_page,
    "errors.md": errors_page,
    "commands.md": commands_page,
    "metrics.md": metrics_page,
    "roles.md": roles_page,
    "task-files.md": lambda: task_files_page(PRINTED),
    "management.md": lambda: management_page(PRINTED),
    "openapi.json": openapi_document,
    "openapi.html": openapi_page,
    "az.md": az_page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
