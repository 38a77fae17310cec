"""Whatever reads text from outside: it reads it or refuses it as the caller's fault, and either in linear time."""

import base64
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples

from entrepot.access import tokens
from entrepot.access.conditions import REPOSITORY_NAME, parse_condition
from entrepot.access.keys import SigningKey
from entrepot.access.scope_maps import parse_actions
from entrepot.access.scopes import parse_scopes
from entrepot.access.tokens import Grant, issue
from entrepot.distribution import chunks, uploads
from entrepot.distribution.conditions import is_current, range_applies
from entrepot.errors import Problem
from entrepot.gate.authenticate import parse_basic
from entrepot.gate.hosts import Hosts
from entrepot.gate.problems import WORDINGS
from entrepot.oci.digest import Digest, parse_algorithm
from entrepot.oci.manifest import parse_manifest
from entrepot.oci.media_type import OCI_INDEX, OCI_MANIFEST, is_foreign_layer, parse_media_type
from entrepot.oci.platform import read_platform
from entrepot.oci.reference import parse_reference, parse_repository, parse_tag
from entrepot.web.ranges import parse_ranges
from entrepot.web.request import Request, decode_parameter, parse_number

KEY = SigningKey.generate("a-key")
NOW = datetime(2024, 5, 6, tzinfo=UTC)
TOKEN = issue(Grant("somebody", "f" * 32, "localhost:5000", (), NOW, NOW + timedelta(hours=1)), "id", KEY)
DIGEST = str(Digest.of(b""))
HOSTS = Hosts("entrepot.localhost", 5000, "entrepot.localhost")


async def _nothing() -> dict[str, Any]:
    return {}


def _request(name: bytes, text: str) -> Request:
    """With one header of this value, as far as a header can hold it."""
    headers = [(name, text.encode("latin-1", "replace"))]
    scope = {"method": "GET", "path": "/", "query_string": text.encode("ascii", "replace"), "headers": headers}
    return Request(scope, _nothing, "id")


PARSERS: dict[str, Callable[[str], Any]] = {
    "digest": Digest.parse,
    "algorithm": parse_algorithm,
    "repository": parse_repository,
    "tag": parse_tag,
    "reference": parse_reference,
    "media type": parse_media_type,
    "layer's type": is_foreign_layer,
    "manifest": lambda text: parse_manifest(text.encode("utf-8", "surrogatepass"), OCI_MANIFEST),
    "index of an odd type": lambda text: parse_manifest(b'{"schemaVersion":2,"manifests":[]}', text),
    "index": lambda text: parse_manifest(text.encode("utf-8", "surrogatepass"), OCI_INDEX),
    "platform": lambda text: read_platform(text.encode("utf-8", "surrogatepass")),
    "range": lambda text: parse_ranges(text, 1000),
    "ranges": lambda text: parse_ranges("bytes=" + text, 1000),
    "content range": chunks._RANGE.fullmatch,
    "upload id": uploads._UPLOAD_ID.fullmatch,
    "if-none-match": lambda text: is_current(_request(b"if-none-match", text), DIGEST),
    "if-range": lambda text: range_applies(_request(b"if-range", text), DIGEST),
    "content length": lambda text: _request(b"content-length", text).content_length(),
    "query": lambda text: _request(b"x", text).query_all("n"),
    "number": lambda text: parse_number(text, "it"),
    "path parameter": decode_parameter,
    "host": HOSTS.find,
    "credential": parse_basic,
    "encoded credential": lambda text: parse_basic(base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()),
    "token": lambda text: tokens.read(text, {KEY.kid: KEY}),
    "scopes": lambda text: parse_scopes([text]),
    "condition": parse_condition,
    "scope map": lambda text: parse_actions([text]),
    "scope map's name": lambda text: parse_actions([f"repositories/{text}/content/read"]),
}

# What each of these reads, in pieces that fit together in every wrong order.
PIECES = st.sampled_from(
    [
        *(
            DIGEST,
            DIGEST[7:],
            "sha256",
            "sha512",
            ":",
            "/",
            "a",
            "A",
            ".",
            "_",
            "__",
            "-",
            "@",
            "%",
            "%2f",
            "%00",
            "\0",
        ),
        *(
            "bytes",
            "=",
            "0",
            "9" * 19,
            "9" * 5000,
            ",",
            " ",
            "*",
            "W/",
            '"',
            "{",
            "}",
            "[",
            "]",
            "null",
            "\n",
            ";",
            "&",
        ),
        *("\\u0000", "\\ud800", "é", "\u202e", "\u0660", "b\u017f", "n=", "localhost", "[::1]", "5000", "application"),
        *(*TOKEN.split("."), "repository", "registry:catalog:*", "pull", OCI_INDEX),
        *('"mediaType"', '"schemaVersion":2', '"layers"'),
        *(
            "(",
            ")",
            "!",
            "'",
            "''",
            "AND",
            "ActionMatches",
            REPOSITORY_NAME,
            "StringLike",
            "repositories",
            "content/read",
        ),
    ]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=60)


@pytest.mark.parametrize("name", PARSERS)
def test_any_text_is_read_or_refused_as_the_callers_fault(name: str) -> None:
    @examples(150)
    @given(TEXTS)
    def each(text: str) -> None:
        _read(name, text)

    each()


def _read(name: str, text: str) -> None:
    try:
        PARSERS[name](text)
    except Problem as problem:
        wording = WORDINGS[problem.kind]
        assert 400 <= wording.status < 500, problem
        assert all(len(str(value)) <= 512 for value in problem.detail.values())


LENGTH = 300_000
LONG = [
    *(
        "a",
        "0",
        ".",
        "-",
        "_",
        "/",
        "a/",
        "a-",
        "a.",
        "a__",
        ":",
        "%",
        "%2",
        "%2f",
        "=",
        ",",
        ", ",
        " ",
        "\t",
        "\n",
        "\0",
    ),
    *(
        '"',
        "\\",
        "{",
        "[",
        '{"a":',
        "[[",
        "]",
        "bytes=",
        "0-0,",
        "0-",
        "-0",
        "é",
        "\u202e",
        "W/",
        '""',
        "&",
        "&n=",
        "n=1&",
    ),
    *("repository:a:pull ", "a.b.c.", "eyJ", "[::", "\\u0000", "1e", "-", "*", "@"),
]


@pytest.mark.parametrize("name", PARSERS)
def test_a_long_text_takes_no_longer_than_its_length(name: str) -> None:
    """A text that an expression goes back over again and again takes minutes at this length."""
    begun = time.process_time()
    for piece in LONG:
        text = (piece * (LENGTH // len(piece) + 1))[:LENGTH]
        for variant in (text, "a" + text, text + "!", f"sha256:{text}"):
            _read(name, variant)
    assert time.process_time() - begun < 20
