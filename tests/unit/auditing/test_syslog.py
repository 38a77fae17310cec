"""Messages as RFC 5424 has them."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from entrepot.auditing.syslog import Address, Transport, message_of

ENTRY: dict[str, Any] = {
    "sequence": 7,
    "at": datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC),
    "action": "manifest.push",
    "result": "success",
    "principal": "somebody",
    "user_agent": "docker/27 (ünïcode)\n",
    "detail": '{"tags":["v1"]}',
}


def test_a_message_is_a_header_and_the_entry_as_json() -> None:
    head, mark, document = message_of(ENTRY, "a host").partition(b"\xef\xbb\xbf")
    assert head == b"<109>1 2024-05-06T07:08:09.000010Z ahost entrepot - manifest.push - "
    assert mark
    assert json.loads(document)["userAgent"] == "docker/27 (ünïcode)\n"
    assert json.loads(document)["detail"] == {"tags": ["v1"]}
    assert b"\n" not in document


def test_what_failed_is_a_warning() -> None:
    assert message_of({**ENTRY, "result": "denied"}, "host").startswith(b"<108>1 ")


@pytest.mark.parametrize(("action", "kind"), [("", "-"), ("\n<0>1 forged", "<0>1forged"), ("a" * 99, "a" * 32)])
def test_nothing_from_outside_breaks_the_header(action: str, kind: str) -> None:
    head = message_of({**ENTRY, "action": action}, "\n").partition(b"\xef\xbb\xbf")[0].decode()
    assert re.fullmatch(rf"<109>1 \S+ - entrepot - {re.escape(kind)} - ", head)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("udp://log.example.com", Address(Transport.UDP, "log.example.com", 514)),
        ("tcp://192.0.2.1:10514", Address(Transport.TCP, "192.0.2.1", 10514)),
        ("tls://[::1]", Address(Transport.TLS, "::1", 6514)),
    ],
)
def test_an_address_is_read_from_its_url(url: str, address: Address) -> None:
    assert Address.parse(url) == address
