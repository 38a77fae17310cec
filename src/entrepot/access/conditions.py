"""Conditions of role assignments, in Azure's ABAC language (condition version 2.0).

Spec: Azure RBAC, "Azure role assignment condition format and syntax"; ACR-REFERENCE 5.4. One attribute is known, the
repository's name. What cannot be read in exactly one way is refused: ``a AND b OR c`` needs brackets, as Azure says.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import product
from typing import Final

from entrepot.access.patterns import between_wildcards, names_operation
from entrepot.errors import Kind, Problem

CONDITION_LIMIT: Final = 8 * 1024
DEPTH_LIMIT: Final = 32
TERMS_LIMIT: Final = 1024

REPOSITORY_NAME: Final = "@Request[Microsoft.ContainerRegistry/registries/repositories:name]"


class Comparison(Enum):
    """How an attribute is compared with a text."""

    EQUALS = "Equals"
    STARTS_WITH = "StartsWith"
    LIKE = "Like"


class Quantifier(Enum):
    """How a comparison is repeated over several values. The attribute has one, so what is said of it is the same."""

    ANY_OF_ANY = "ForAnyOfAnyValues"
    ALL_OF_ANY = "ForAllOfAnyValues"
    ANY_OF_ALL = "ForAnyOfAllValues"
    ALL_OF_ALL = "ForAllOfAllValues"


@dataclass(frozen=True, slots=True)
class Operator:
    """``StringNotLikeIgnoreCase`` and its kin."""

    comparison: Comparison
    negated: bool
    ignore_case: bool

    def __str__(self) -> str:
        negation, case = "Not" if self.negated else "", "IgnoreCase" if self.ignore_case else ""
        return f"String{negation}{self.comparison.value}{case}"

    def holds(self, name: str, value: str) -> bool:
        if self.ignore_case:
            name, value = name.lower(), value.lower()
        match self.comparison:
            case Comparison.EQUALS:
                found = name == value
            case Comparison.STARTS_WITH:
                found = name.startswith(value)
            case Comparison.LIKE:
                found = _like(value).fullmatch(name) is not None
        return found is not self.negated


OPERATORS: Final[dict[str, Operator]] = {
    str(operator).lower(): operator
    for operator in (Operator(*parts) for parts in product(Comparison, (False, True), (False, True)))
}
_QUANTIFIERS: Final[dict[str, Quantifier]] = {quantifier.value.lower(): quantifier for quantifier in Quantifier}


@dataclass(frozen=True, slots=True)
class ActionMatches:
    """Whether the operation is one that the pattern names."""

    pattern: str

    def __str__(self) -> str:
        return f"ActionMatches{{'{self.pattern}'}}"


@dataclass(frozen=True, slots=True)
class SubOperationMatches:
    """Never so: a registry's operations have no parts."""

    pattern: str

    def __str__(self) -> str:
        return f"SubOperationMatches{{'{self.pattern}'}}"


@dataclass(frozen=True, slots=True)
class Exists:
    """Whether the operation is one on a repository."""

    def __str__(self) -> str:
        return f"Exists {REPOSITORY_NAME}"


@dataclass(frozen=True, slots=True)
class Compares:
    """The repository's name compared with a text, or with several where a quantifier says how."""

    operator: Operator
    values: tuple[str, ...]
    quantifier: Quantifier | None = None

    def __str__(self) -> str:
        if self.quantifier is None:
            return f"{REPOSITORY_NAME} {self.operator} '{self.values[0]}'"
        values = ", ".join(f"'{value}'" for value in self.values)
        return f"{REPOSITORY_NAME} {self.quantifier.value}:{self.operator} {{{values}}}"

    def holds(self, name: str) -> bool:
        found = (self.operator.holds(name, value) for value in self.values)
        return all(found) if self.quantifier in {Quantifier.ANY_OF_ALL, Quantifier.ALL_OF_ALL} else any(found)


@dataclass(frozen=True, slots=True)
class Not:
    term: "Condition"

    def __str__(self) -> str:
        return f"!({self.term})"


@dataclass(frozen=True, slots=True)
class Both:
    """All of two or more terms."""

    terms: tuple["Condition", ...]

    def __str__(self) -> str:
        return " AND ".join(f"({term})" for term in self.terms)


@dataclass(frozen=True, slots=True)
class Either:
    """One of two or more terms."""

    terms: tuple["Condition", ...]

    def __str__(self) -> str:
        return " OR ".join(f"({term})" for term in self.terms)


Condition = ActionMatches | SubOperationMatches | Exists | Compares | Not | Both | Either


def permits(condition: Condition, operation: str, repository: str | None) -> bool:
    """Whether the condition holds for an operation; ``repository`` is None for one that concerns no repository.

    What compares a name that is not there is unknown, and so is its opposite; an unknown condition does not hold.
    """
    return _holds(condition, operation, repository) is True


def _holds(condition: Condition, operation: str, repository: str | None) -> bool | None:
    match condition:
        case ActionMatches(pattern):
            return names_operation(pattern, operation)
        case SubOperationMatches():
            return False
        case Exists():
            return repository is not None
        case Compares():
            return None if repository is None else condition.holds(repository)
        case Not(term):
            opposite = _holds(term, operation, repository)
            return None if opposite is None else not opposite
        case Both(terms) | Either(terms):
            found = [_holds(term, operation, repository) for term in terms]
            return _decided(found, by=isinstance(condition, Either))


def _decided(found: list[bool | None], *, by: bool) -> bool | None:
    """One answer decides; without it, an unknown one leaves it open."""
    if by in found:
        return by
    return None if None in found else not by


@lru_cache(maxsize=1024)
def _like(pattern: str) -> re.Pattern[str]:
    r"""``*`` is any text, ``?`` any one character; ``\*`` and ``\?`` are these characters themselves."""
    pieces = [""]
    for part in re.findall(r"\\[*?]|.", pattern, re.DOTALL):
        if part == "*":
            pieces.append("")
        else:
            pieces[-1] += "." if part == "?" else re.escape(part[-1])
    return between_wildcards(pieces)


def parse_condition(text: str) -> Condition:
    """Raises CONDITION_INVALID, which says at which character what was expected."""
    if len(text.encode("utf-8", "surrogatepass")) > CONDITION_LIMIT:
        raise Problem(Kind.CONDITION_INVALID, reason="the condition is too long", limit=CONDITION_LIMIT)
    return _Parser(text).parse()


_TOKEN: Final = re.compile(
    r"(?P<attribute>@[A-Za-z]+\[[^\]\['\0]*\])|(?P<text>'[^'\0]*')|(?P<word>[A-Za-z]+(?::[A-Za-z]+)?)"
    r"|(?P<sign>&&|\|\||[(){},!])"
)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_AND: Final = frozenset({"and", "&&"})
_OR: Final = frozenset({"or", "||"})
_NOT: Final = frozenset({"not", "!"})
_FOUND_LIMIT: Final = 40


class _Parser:
    """Recursive descent: one method for each rule, one token of look-ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._depth = 0
        self._terms = 0
        self._position = 0
        self._advance_to(0)

    def parse(self) -> Condition:
        condition = self._expression()
        if self._kind != "end":
            raise self._expected("AND, OR or the end")
        return condition

    def _expression(self) -> Condition:
        first = self._term()
        for words, combine in ((_AND, Both), (_OR, Either)):
            if self._word in words:
                terms = [first]
                while self._word in words:
                    self._advance()
                    terms.append(self._term())
                if self._word in _AND | _OR:
                    raise self._expected("brackets, because AND and OR stand side by side")
                return combine(tuple(terms))
        return first

    def _term(self) -> Condition:
        if self._word in _NOT:
            self._descend()
            term = Not(self._term())
            self._depth -= 1
            return term
        if self._word == "(":
            self._descend()
            condition = self._expression()
            self._depth -= 1
            self._take(")")
            return condition
        return self._leaf()

    def _leaf(self) -> Condition:
        self._count()
        if self._kind == "attribute":
            self._attribute()
            return self._comparison()
        match self._word:
            case "actionmatches":
                return ActionMatches(self._argument())
            case "suboperationmatches":
                return SubOperationMatches(self._argument())
            case "exists":
                self._advance()
                self._attribute()
                return Exists()
            case _:
                raise self._expected("ActionMatches, SubOperationMatches, Exists, an attribute, NOT or an open bracket")

    def _comparison(self) -> Compares:
        quantifier, _, operator = self._word.rpartition(":")
        known = OPERATORS.get(operator)
        if known is None or (quantifier and quantifier not in _QUANTIFIERS):
            raise self._expected("an operator such as StringEquals or ForAnyOfAnyValues:StringLike")
        self._advance()
        if not quantifier:
            return Compares(known, (self._string(),))
        return Compares(known, self._strings(), _QUANTIFIERS[quantifier])

    def _argument(self) -> str:
        self._advance()
        self._take("{")
        pattern = self._string()
        self._take("}")
        return pattern

    def _attribute(self) -> None:
        if self._kind != "attribute" or self._token.lower() != REPOSITORY_NAME.lower():
            raise self._expected(f"the attribute {REPOSITORY_NAME}")
        self._advance()

    def _strings(self) -> tuple[str, ...]:
        self._take("{")
        values = [self._string()]
        while self._word == ",":
            self._advance()
            self._count()
            values.append(self._string())
        self._take("}")
        return tuple(values)

    def _string(self) -> str:
        if self._kind != "text":
            raise self._expected("a text in single quotes")
        text = self._token[1:-1]
        self._advance()
        return text

    def _take(self, sign: str) -> None:
        if self._word != sign:
            raise self._expected(sign)
        self._advance()

    def _descend(self) -> None:
        self._advance()
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise Problem(Kind.CONDITION_INVALID, reason="the condition is nested too deep", limit=DEPTH_LIMIT)

    def _count(self) -> None:
        self._terms += 1
        if self._terms > TERMS_LIMIT:
            raise Problem(Kind.CONDITION_INVALID, reason="the condition has too many terms", limit=TERMS_LIMIT)

    def _advance(self) -> None:
        self._advance_to(self._position + len(self._token))

    def _advance_to(self, position: int) -> None:
        space = _SPACE.match(self._text, position)
        self._position = position if space is None else space.end()
        found = _TOKEN.match(self._text, self._position)
        if found is not None:
            self._kind, self._token = str(found.lastgroup), found[0]
        else:
            self._kind, self._token = "end" if self._position == len(self._text) else "unknown", ""
        # As far as its case does not count.
        self._word = self._token.lower() if self._kind in {"word", "sign"} else ""

    def _expected(self, what: str) -> Problem:
        found = self._text[self._position : self._position + _FOUND_LIMIT] or "the end"
        return Problem(Kind.CONDITION_INVALID, position=self._position + 1, expected=what, found=found)
