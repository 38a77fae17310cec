"""From flags, environment and file to ``Settings``: a flag wins over a variable, a variable over the file.

Every value remembers where it came from, so that an error names the setting in the form the user gave it.
"""

import argparse
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from entrepot.cli.parsing import CLIENT_SECRET_VARIABLE, nearest
from entrepot.cli.refusal import USAGE, Refusal
from entrepot.settings import GROUPS, SettingError, Settings

if TYPE_CHECKING:
    from entrepot.cli.parsing import Group

PREFIX: Final = "ENTREPOT_"
CONFIG: Final = "config"
# Three dozen flags would hide what the help explains.
USAGE_LINE: Final = "%(prog)s [-h] [--config FILE] [flags]"
# On a command line everybody on the machine could read it.
NOT_A_FLAG: Final = frozenset({"bootstrap_client_secret", "ldap_bind_password", "oidc_client_secret", "secret_key"})
_SECRET: Final = NOT_A_FLAG | {"database_url", "outbound_proxy"}
# What scripts/ of a checkout understand, whose server inherits them, and what `entrepot login` reads.
_OTHERS: Final = frozenset({"ENTREPOT_CACHE", "ENTREPOT_TEST_WORKERS", CLIENT_SECRET_VARIABLE})
_FIELDS: Final = Settings.model_fields
_METAVARS: Final = {
    "DIR": "FOLDER",
    "CERT": "FILE",
    "KEY": "FILE",
    "CA": "FILE",
    "PROXIES": "NETWORKS",
    "PRINCIPAL": "COUNT",
    "ALLOW": "NETWORKS",
    "PROXY": "URL",
    "SYSLOG": "URL",
}
# Where pydantic tells what is wrong and not what is allowed.
_ALLOWED: Final = {
    "bool_parsing": "use true or false",
    "byte_size": "use a size such as 500MB or 200GiB",
    "byte_size_unit": "use a size such as 500MB or 200GiB",
    "int_parsing": "use a whole number",
    "ip_any_network": "use networks such as 10.0.0.0/8, comma-separated",
}
_NAMES: Final = re.compile(rf"\b({'|'.join(sorted(_FIELDS, key=len, reverse=True))})\b")
# Kubernetes describes every Service of the namespace in variables; one named "entrepot" makes ENTREPOT_PORT=tcp://...
_SERVICE_LINK: Final = re.compile(r"(.+_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_\d+_(TCP|UDP|SCTP)(_.+)?)")
_SERVICE_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://")


@dataclass(frozen=True, slots=True)
class Given:
    """A value as the user wrote it, and how the user would point at it."""

    value: object
    label: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and where each one that was given came from."""

    settings: Settings
    given: Mapping[str, Given]

    def refusal(self, error: SettingError) -> Refusal:
        """The refusal of a setting that turned out to be unusable when it was used."""
        return Refusal([f"{_label(error.setting, self.given)}: {error.reason}"])


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give the parser a flag for every setting, explained, in the groups of ``settings``."""
    parser.add_argument(
        _flag(CONFIG), metavar="FILE", default=argparse.SUPPRESS, help=f"TOML file of settings [{_variable(CONFIG)}]"
    )
    for title, names in GROUPS.items():
        group = parser.add_argument_group(title)
        for name in names:
            _add_flag(group, name)


def load(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Loaded:
    """Read every source. Raises Refusal, naming each wrong or unknown setting."""
    flags = {name: value for name, value in vars(arguments).items() if name in _FIELDS or name == CONFIG}
    variables = _variables(environment)
    path = flags.pop(CONFIG, None) or variables.pop(CONFIG, None)
    given = {} if path is None else _from_file(Path(path))
    given |= {name: Given(value, _variable(name)) for name, value in variables.items()}
    given |= {name: Given(value, _flag(name)) for name, value in flags.items()}
    return Loaded(_validated(given), given)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _label(name: str, given: Mapping[str, Given]) -> str:
    return given[name].label if name in given else _flag(name)


def _add_flag(group: "Group", name: str) -> None:
    field = _FIELDS[name]
    default = "" if field.default in (None, (), False) else f" (default: {_printed(field.default)})"
    text = f"{field.description}{default} [{_variable(name)}]".replace("%", "%%")
    if name in NOT_A_FLAG:
        return
    if field.annotation is bool:
        group.add_argument(_flag(name), nargs="?", const="true", metavar="BOOL", default=argparse.SUPPRESS, help=text)
    else:
        group.add_argument(_flag(name), metavar=_metavar(name), default=argparse.SUPPRESS, help=text)


def _metavar(name: str) -> str:
    choices = _choices(_FIELDS[name].annotation)
    last = name.rpartition("_")[2].upper()
    return f"{{{','.join(choices)}}}" if choices else _METAVARS.get(last, last)


def _choices(annotation: object) -> tuple[str, ...]:
    literals = [part for part in (annotation, *get_args(annotation)) if get_origin(part) is Literal]
    return get_args(literals[0]) if literals else ()


def _printed(default: object) -> str:
    if isinstance(default, tuple):
        return " ".join(map(str, cast("tuple[object, ...]", default)))
    human = getattr(default, "human_readable", None)
    return str(human()) if human else str(default)


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    found = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX)
        and name not in _OTHERS
        and value
        and not _is_service_link(name.removeprefix(PREFIX), value)
    }
    _refuse_unknown(found, "variable", _variable)
    return found


def _is_service_link(name: str, value: str) -> bool:
    return bool(_SERVICE_LINK.fullmatch(name)) or (name.endswith("PORT") and bool(_SERVICE_ADDRESS.match(value)))


def _from_file(path: Path) -> dict[str, Given]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refusal([f"{_flag(CONFIG)} {path}: {error.strerror}"], USAGE) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal([f"{_flag(CONFIG)} {path}: not TOML: {error}"], USAGE) from error
    _refuse_unknown(table, f"key of {path}", str)
    return {name: Given(value, f"{name} in {path}") for name, value in table.items()}


def _refuse_unknown(found: Iterable[str], kind: str, written: Callable[[str], str]) -> None:
    known = {*_FIELDS, CONFIG}
    unknown = [name for name in found if name not in known]
    if unknown:
        lines = [f"{written(name)}: unknown {kind}{nearest(name, known, written)}" for name in unknown]
        raise Refusal(lines, USAGE)


def _validated(given: Mapping[str, Given]) -> Settings:
    try:
        return Settings.model_validate({name: one.value for name, one in given.items()})
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        raise Refusal([_told(error, given) for error in errors], USAGE) from None


def _told(error: ErrorDetails, given: Mapping[str, Given]) -> str:
    reason = _ALLOWED.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    if not error["loc"]:
        return _NAMES.sub(lambda found: _label(found[0], given), reason)
    name = str(error["loc"][0])
    value = "" if name in _SECRET or error["input"] == "" else f" {error['input']!s}"
    return f"{_label(name, given)}{value}: {reason}"
