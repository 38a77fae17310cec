"""Whatever is done to a chained log is found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.access.keys import SigningKey, Use
from entrepot.auditing.notary import KeyNotary
from entrepot.events.chain import GENESIS, START, Checkpoint, Link, Numbered, Tip, hash_of
from entrepot.events.verify import Fault, Finding, Verification

NOTARY = KeyNotary({"ours": SigningKey.generate("ours", Use.AUDIT)})
STRANGER = KeyNotary({"ours": SigningKey.generate("ours", Use.AUDIT)})
MOMENT = datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC)
TEXTS = sorted({*Numbered.__struct_fields__} - {"at", "id", "sequence"})
NUMBERS = ("at", "id", "sequence")


def numbered(sequence: int, target: str = "app@sha256:0") -> Numbered:
    return Numbered(
        action="manifest.push",
        address="127.0.0.1",
        at=1_700_000_000_000_000 + sequence,
        credential="a-credential",
        detail='{"tags":["v1"]}',
        id=sequence * 7,
        method="bearer",
        principal="somebody",
        registry="local",
        request_id=f"{sequence:032x}",
        result="success",
        sequence=sequence,
        target=target,
        user_agent="docker",
    )


def chained(count: int, begin: Tip = START) -> list[Link]:
    links: list[Link] = []
    before = begin.hash
    for sequence in range(begin.sequence + 1, begin.sequence + count + 1):
        entry = numbered(sequence)
        before = hash_of(before, entry)
        links.append(Link(entry, before))
    return links


def checkpoint(links: Sequence[Link], place: int = -1, *, is_beginning: bool = False) -> Checkpoint:
    link = links[place]
    return NOTARY.sign(Tip(link.entry.sequence, link.hash or ""), MOMENT, is_beginning=is_beginning)


def found(links: Sequence[Link], *checkpoints: Checkpoint) -> list[Finding]:
    in_order = sorted(links, key=lambda link: link.entry.sequence)
    return list(Verification(checkpoints, NOTARY).findings(in_order))


def changed(link: Link, **values: Any) -> Link:  # noqa: ANN401  any member's value
    return Link(msgspec.structs.replace(link.entry, **values), link.hash)


# --- any single mutation ----------------------------------------------------------------------------------------------


@dataclass
class Log:
    """What somebody with access to the catalog can change; ``apart`` is out of reach, or changed instead."""

    links: list[Link]
    apart: list[Checkpoint]


def change_a_text(log: Log, draw: Callable[..., Any]) -> None:
    place = draw(st.integers(0, len(log.links) - 1))
    name = draw(st.sampled_from(TEXTS))
    text = draw(st.text(max_size=8).filter(lambda text: text != getattr(log.links[place].entry, name)))
    log.links[place] = changed(log.links[place], **{name: text})


def change_a_number(log: Log, draw: Callable[..., Any]) -> None:
    place, name = draw(st.integers(0, len(log.links) - 1)), draw(st.sampled_from(NUMBERS))
    by = draw(st.integers(-100, 100).filter(bool))
    value = getattr(log.links[place].entry, name) + by
    if name == "sequence" and value in {link.entry.sequence for link in log.links}:
        value = max(link.entry.sequence for link in log.links) + 1  # the column is unique
    log.links[place] = changed(log.links[place], **{name: value})


def change_a_hash(log: Log, draw: Callable[..., Any]) -> None:
    place = draw(st.integers(0, len(log.links) - 1))
    log.links[place] = Link(log.links[place].entry, draw(st.sampled_from((None, GENESIS, "", "f" * 64))))


def remove(log: Log, draw: Callable[..., Any]) -> None:
    del log.links[draw(st.integers(0, len(log.links) - 1))]


def remove_and_close_the_gap(log: Log, draw: Callable[..., Any]) -> None:
    place = draw(st.integers(0, len(log.links) - 1))
    del log.links[place]
    log.links[place:] = [changed(link, sequence=link.entry.sequence - 1) for link in log.links[place:]]


def put_in(log: Log, draw: Callable[..., Any]) -> None:
    place = draw(st.integers(0, len(log.links) - 1))
    at = log.links[place].entry.sequence
    before = GENESIS if place == 0 else log.links[place - 1].hash or ""
    entry = numbered(at, "put in")
    later = [changed(link, sequence=link.entry.sequence + 1) for link in log.links[place:]]
    log.links[place:] = [Link(entry, hash_of(before, entry)), *later]


def swap(log: Log, draw: Callable[..., Any]) -> None:
    one, other = draw(st.lists(st.integers(0, len(log.links) - 1), min_size=2, max_size=2, unique=True))
    first, second = log.links[one], log.links[other]
    log.links[one] = changed(second, sequence=first.entry.sequence)
    log.links[other] = changed(first, sequence=second.entry.sequence)


def cut(log: Log, draw: Callable[..., Any]) -> None:
    del log.links[draw(st.integers(0, len(log.links) - 1)) :]


def compute_anew(log: Log, draw: Callable[..., Any]) -> None:
    """A change, and every hash from there on made to fit it."""
    place = draw(st.integers(0, len(log.links) - 1))
    before = GENESIS if place == 0 else log.links[place - 1].hash or ""
    log.links[place] = changed(log.links[place], target="changed")
    for index in range(place, len(log.links)):
        entry = log.links[index].entry
        before = hash_of(before, entry)
        log.links[index] = Link(entry, before)


def forge(log: Log, draw: Callable[..., Any]) -> None:
    ours = log.apart[-1]
    other = draw(
        st.sampled_from(
            (
                {"sequence": ours.sequence + 1},
                {"hash": GENESIS},
                {"at": MOMENT.replace(year=2025)},
                {"kid": "another"},
                {"signature": "e30.e30.e30"},
                {"is_beginning": not ours.is_beginning},
            )
        )
    )
    log.apart[-1] = msgspec.structs.replace(ours, **other)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_single_mutation_of_a_chained_log_is_found(data: st.DataObject) -> None:
    links = chained(data.draw(st.integers(2, 9)))
    log = Log(list(links), [checkpoint(links)])
    assert found(log.links, *log.apart) == []
    mutations = (
        *(change_a_text, change_a_number, change_a_hash, remove, remove_and_close_the_gap, put_in),
        *(swap, cut, compute_anew, forge),
    )
    data.draw(st.sampled_from(mutations))(log, data.draw)
    assert found(log.links, *log.apart)


# --- which entry, and what happened -----------------------------------------------------------------------------------


def test_a_log_that_is_whole_has_no_finding_and_says_how_far_it_goes() -> None:
    links = chained(5)
    verification = Verification([checkpoint(links, 1), checkpoint(links, 3)], NOTARY)
    assert list(verification.findings(links)) == []
    assert verification.looked.entries == 5
    assert verification.looked.tip == Tip(5, links[-1].hash or "")
    assert verification.looked.newest is not None
    assert verification.looked.newest.sequence == 4


def test_a_changed_entry_is_named_and_no_other() -> None:
    links = chained(5)
    links[2] = changed(links[2], principal="somebody else")
    assert [(each.fault, each.sequence) for each in found(links)] == [(Fault.CHANGED, 3)]


def test_removed_entries_are_named_once() -> None:
    links = chained(9)
    del links[3:6]
    (one,) = found(links)
    assert (one.fault, one.sequence, one.meaning) == (Fault.MISSING, 4, "the entries 4 to 6 are gone")


def test_a_cut_tail_is_found_by_a_checkpoint_kept_apart_alone() -> None:
    links = chained(5)
    apart = checkpoint(links)
    assert found(links[:3]) == []
    (one,) = found(links[:3], apart)
    assert (one.fault, one.sequence) == (Fault.CUT, 4)


def test_a_chain_that_was_computed_anew_is_found_by_its_checkpoint() -> None:
    apart = checkpoint(chained(5))
    anew: list[Link] = []
    before = GENESIS
    for sequence in range(1, 6):
        entry = numbered(sequence, "anew")
        before = hash_of(before, entry)
        anew.append(Link(entry, before))
    assert [(each.fault, each.sequence) for each in found(anew, apart)] == [(Fault.REWRITTEN, 5)]


def test_a_checkpoint_that_another_key_signed_is_forged() -> None:
    links = chained(3)
    strange = STRANGER.sign(Tip(3, links[-1].hash or ""), MOMENT, is_beginning=False)
    assert [each.fault for each in found(links, strange)] == [Fault.FORGED]


def test_two_genuine_checkpoints_that_disagree_are_found() -> None:
    """A catalog that went back in time and on another way, as after a restore."""
    links = chained(3)
    other = NOTARY.sign(Tip(3, "e" * 64), MOMENT, is_beginning=False)
    assert Fault.REWRITTEN in {each.fault for each in found(links, checkpoint(links), other)}


# --- pruned logs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def pruned() -> tuple[list[Link], Checkpoint]:
    links = chained(9)
    return links[4:], checkpoint(links, 3, is_beginning=True)


def test_a_log_that_begins_where_it_was_pruned_is_whole(pruned) -> None:
    rest, beginning = pruned
    assert found(rest, beginning) == []
    old = checkpoint(chained(9), 1)
    assert found(rest, old, beginning) == []


def test_a_log_without_its_beginning_is_not_whole_when_nobody_pruned_it(pruned) -> None:
    rest, beginning = pruned
    unsigned = msgspec.structs.replace(beginning, is_beginning=False)
    assert [each.fault for each in found(rest)] == [Fault.MISSING]
    assert [each.fault for each in found(rest, unsigned)] == [Fault.FORGED, Fault.MISSING]


def test_more_cut_off_the_beginning_than_was_pruned_is_found(pruned) -> None:
    rest, beginning = pruned
    (one,) = found(rest[1:], beginning)
    assert (one.fault, one.sequence) == (Fault.MISSING, 5)


def test_an_entry_put_in_before_the_beginning_is_found(pruned) -> None:
    rest, beginning = pruned
    (one,) = found([Link(numbered(2), GENESIS), *rest], beginning)
    assert (one.fault, one.sequence) == (Fault.ADDED, 2)


def test_a_log_that_was_pruned_to_nothing_is_whole(pruned) -> None:
    _, beginning = pruned
    assert found([], beginning) == []
