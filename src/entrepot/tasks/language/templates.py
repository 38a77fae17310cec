"""Go's text/template with Sprig's functions, over a task file's whole text (ACR-TASKS 3.1, 3.2).

The engine is gotpl, in its sandbox: data is plain, attributes and methods are out of reach, and output, iterations,
calls and depth have limits. A text that grows inside one function is not bounded by it: on a server a render is a
process of its own with limits of the operating system.
"""

import base64
import re
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import Final

from gotpl import Environment, Template, TemplateError
from gotpl.funcs import sprig
from gotpl.runtime.policy import ExecutionBudget, SandboxPolicy

from entrepot.tasks.language.findings import Finding, Place, TaskInvalid

OUTPUT_LIMIT: Final = 1024 * 1024
_BUDGET: Final = ExecutionBudget(
    max_output_chars=OUTPUT_LIMIT, max_iterations=100_000, max_template_depth=100, max_function_calls=10_000
)
# What reads the server's own environment or asks its network, and what takes seconds of a processor.
_ABSENT: Final = frozenset(
    {"env", "expandenv", "getHostByName", "bcrypt", "htpasswd", "derivePassword", "buildCustomCert", "genCA"}
    | {"genCAWithKey", "genPrivateKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert"}
    | {"genSignedCertWithKey", "encryptAES", "decryptAES"}
)
# What makes as much as a number says.
_MAKING: Final = (
    *("until", "untilStep", "seq", "repeat", "indent", "nindent"),
    *("randAlpha", "randAlphaNum", "randNumeric", "randAscii", "randBytes"),
)
_MADE_LIMIT: Final = 10_000
_NO_VALUE: Final = "<no value>"
_POSITION: Final = re.compile(r":([0-9]+):([0-9]+): ")
_BELOW_NOTHING: Final = re.compile(r"attribute '(\w+)' is not allowed")


def render(text: str, root: Mapping[str, object], name: str = "decoded") -> str:
    """The text with its actions carried out. A key that is not there is empty text. Raises TaskInvalid."""
    template = parse(text, name)
    try:
        return template.render(root).replace(_NO_VALUE, "")
    except (TemplateError, RecursionError) as error:
        said = _BELOW_NOTHING.sub(r"nil pointer evaluating interface {}.\1", str(error))
        raise TaskInvalid([Finding(f"failed to execute template: {name}. Err: {said}", _place(error))]) from error


def parse(text: str, name: str = "decoded") -> Template:
    """Nothing is carried out. Raises TaskInvalid."""
    try:
        return _environment().from_string(text, name=name)
    except TemplateError as error:
        raise TaskInvalid([Finding(f"failed to parse template: {name}. Err: {error}", _place(error))]) from error


def function_names() -> list[str]:
    """Of Sprig, as templates may call them."""
    return sorted(_functions())


def absent_functions() -> list[str]:
    """Of Sprig, that are not here."""
    return sorted(_ABSENT & sprig.text_func_map().keys())


def _place(error: Exception) -> Place | None:
    found = _POSITION.search(str(error))
    return None if found is None else Place(int(found[1]), int(found[2]))


@cache
def _environment() -> Environment:
    functions = _functions()
    return Environment(
        functions=functions,
        sandbox=SandboxPolicy(
            allow_functions=functions,
            # Of what semver gives; nothing else in the data has any.
            allow_attributes=("Major", "Minor", "Patch"),
            allow_methods=("Prerelease", "Metadata", "Original"),
            max_template_chars=OUTPUT_LIMIT,
            default_budget=_BUDGET,
        ),
        budget=_BUDGET,
        # As in ACR's engine: a key that is not there is nothing, and a key below it is an error.
        missing_key="zero",
    )


def _functions() -> dict[str, Callable[..., object]]:
    functions = {name: function for name, function in sprig.text_func_map().items() if name not in _ABSENT}
    functions |= {name: _bounded(functions[name]) for name in _MAKING}
    return functions | {"b64enc": _b64enc_of(functions["toString"])}


def _bounded(function: Callable[..., object]) -> Callable[..., object]:
    @wraps(function)
    def bounded(*arguments: object) -> object:
        if any(isinstance(each, int) and abs(each) > _MADE_LIMIT for each in arguments):
            raise ValueError(f"a number is beyond {_MADE_LIMIT}")
        return function(*arguments)

    return bounded


def _b64enc_of(to_string: Callable[..., object]) -> Callable[[object], str]:
    """Of any value, and nothing for nothing: the one function that ACR's engine changed."""

    def b64enc(value: object) -> str:
        return "" if value is None else base64.b64encode(str(to_string(value)).encode()).decode()

    return b64enc
