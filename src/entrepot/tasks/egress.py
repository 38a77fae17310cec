"""What a run's containers reach of the world outside: all that the engine's machine does, hosts of a list, or nothing.

The deployment's setting says it, and tags of the registry and of the task may say it too. Nobody opens what another
closed: what all of them name is reached. A tag is for who may write tasks, and the setting is the operator's.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from entrepot.outbound.addresses import literal_of

TAG: Final = "entrepot.egress"
PORTS: Final = frozenset({80, 443})
MOST: Final = 100

_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_ENTRY: Final = re.compile(r"(?P<below>\*\.)?(\[(?P<inner>[0-9a-f:.]+)\]|(?P<name>[^\[\]:*]+))(:(?P<port>[0-9]{1,5}))?")
_PORTS: Final = range(1, 65_536)
_WORDS: Final = "open, none, or hosts such as github.com,*.example.org,packages.example.com:443"


class EgressUnknown(Exception):
    """What a setting or a tag says that is none of the words and no list of hosts."""


@dataclass(frozen=True, slots=True)
class Listed:
    """``name``: a host's, or an address, as ``plain_host`` has them. ``is_below``: names below it, and not itself."""

    name: str
    is_below: bool = False
    ports: frozenset[int] = PORTS

    @classmethod
    def parse(cls, text: str) -> "Listed":
        """Raises EgressUnknown."""
        found = _ENTRY.fullmatch(text.lower())
        if found is None:
            raise EgressUnknown(f"{text[:80]!r} is no host")
        given, is_below = found["inner"] or found["name"], bool(found["below"])
        is_address = literal_of(given) is not None
        # A word that was meant for another (``off``) is no host: it would not be missed.
        is_one = not is_below if is_address else is_below or "." in given
        if plain_host(given) != given or not is_one or bool(found["inner"]) != (":" in given):
            raise EgressUnknown(f"{text[:80]!r} is no HOST.DOMAIN, *.DOMAIN, or address in its usual form")
        if found["port"] and int(found["port"]) not in _PORTS:
            raise EgressUnknown(f"{text[:80]!r} has no port that there is")
        return cls(given, is_below, frozenset({int(found["port"])}) if found["port"] else PORTS)

    def holds(self, name: str, port: int) -> bool:
        """``name``: as ``plain_host`` has it."""
        return port in self.ports and self.covers(name)

    def common(self, other: "Listed") -> "Listed | None":
        """What both name."""
        ports = self.ports & other.ports
        narrow = next((one for one, wide in ((self, other), (other, self)) if one.is_within(wide)), None)
        return Listed(narrow.name, narrow.is_below, ports) if ports and narrow is not None else None

    def is_within(self, wide: "Listed") -> bool:
        same = (self.name, self.is_below) == (wide.name, wide.is_below)
        return same or (wide.is_below and wide.covers(self.name))

    def covers(self, name: str) -> bool:
        """Whatever the port."""
        return name.endswith(f".{self.name}") if self.is_below else name == self.name

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        ports = "" if self.ports == PORTS else "".join(f":{port}" for port in self.ports)
        return f"{'*.' if self.is_below else ''}{name}{ports}"


@dataclass(frozen=True, slots=True)
class Egress:
    """``hosts``: those that are reached, which may be none; None: whatever the engine's machine reaches."""

    hosts: tuple[Listed, ...] | None

    @classmethod
    def parse(cls, texts: Sequence[str]) -> "Egress":
        """Entries of a setting or a tag. Raises EgressUnknown."""
        if list(texts) in (["open"], ["none"]):
            return OPEN if texts[0] == "open" else NONE
        if not 1 <= len(texts) <= MOST:
            raise EgressUnknown(f"it has {len(texts)} hosts, and may have 1 to {MOST}")
        return cls(tuple(dict.fromkeys(map(Listed.parse, texts))))

    def lists(self, name: str, port: int) -> bool:
        return self.hosts is not None and any(each.holds(name, port) for each in self.hosts)

    def narrowed(self, other: "Egress") -> "Egress":
        """What both reach."""
        if self.hosts is None or other.hosts is None:
            return other if self.hosts is None else self
        pairs = (one.common(another) for one in self.hosts for another in other.hosts)
        return Egress(tuple(dict.fromkeys(each for each in pairs if each is not None)))

    def addresses(self) -> list[str]:
        """That the list has as such."""
        return [each.name for each in self.hosts or () if literal_of(each.name) is not None]

    def __str__(self) -> str:
        return "open" if self.hosts is None else ", ".join(map(str, self.hosts)) or "none"


OPEN: Final = Egress(None)
NONE: Final = Egress(())


def egress_of(setting: Egress, tags: Iterable[Mapping[str, str]]) -> Egress:
    """Raises EgressUnknown: a run whose tag nobody understands does not run open."""
    return reduce(Egress.narrowed, [_of_tag(each[TAG]) for each in tags if TAG in each], setting)


def plain_host(host: str) -> str | None:
    """One spelling for each name and address, whichever the old forms of addresses; None for what is neither."""
    address = literal_of(host)
    if address is not None:
        return str(address)
    name = host.lower().removesuffix(".")
    return name if _NAME.fullmatch(name) else None


def _of_tag(text: str) -> Egress:
    try:
        return Egress.parse([part.strip() for part in text.split(",")])
    except EgressUnknown as unknown:
        raise EgressUnknown(f"the tag {TAG} is {text[:80]!r}, and can be {_WORDS}: {unknown}") from None
