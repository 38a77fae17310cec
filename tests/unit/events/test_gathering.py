"""What a worker has to write down is bounded, whatever comes."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from entrepot.events.audit import Act, Entry, Origin, Result
from entrepot.events.gathering import BATCH, PROVEN, UNPROVEN, WAITING, WINDOW, Gathering

NOW = datetime(2024, 5, 6, tzinfo=UTC)


def a_failure(name: str = "somebody", address: str = "192.0.2.1", target: str = "", at: datetime = NOW) -> Entry:
    return Entry(at, Act.SIGN_IN, Result.FAILURE, name, target, Origin("basic", address=address), '{"reason":"wrong"}')


@pytest.fixture
def gathering() -> Gathering:
    return Gathering()


def all_of(gathering: Gathering, now: datetime = NOW) -> list[Entry]:
    found: list[Entry] = []
    while batch := gathering.take(now):
        found += batch
    return found


def test_the_first_of_its_like_is_written_at_once_and_the_rest_is_counted(gathering: Gathering) -> None:
    for second in range(5):
        gathering.add_once(a_failure(at=NOW + timedelta(seconds=second)))
    assert all_of(gathering) == [a_failure()]
    (summed,) = all_of(gathering, NOW + WINDOW)
    assert (summed.principal, summed.origin.address) == ("somebody", "192.0.2.1")
    assert summed.at == NOW + timedelta(seconds=4)
    assert json.loads(summed.detail) == {"reason": "wrong", "repeated": 4}


def test_after_its_window_the_next_one_is_a_first_again(gathering: Gathering) -> None:
    gathering.add_once(a_failure())
    all_of(gathering, NOW + WINDOW)
    gathering.add_once(a_failure(at=NOW + WINDOW))
    assert len(all_of(gathering, NOW + WINDOW)) == 1


def test_what_came_once_has_no_sum(gathering: Gathering) -> None:
    gathering.add_once(a_failure())
    assert len(all_of(gathering)) == 1
    assert all_of(gathering, NOW + WINDOW) == []


@pytest.mark.parametrize(
    ("varied", "room", "hidden"),
    [
        (lambda number: a_failure(target=f"app{number}"), UNPROVEN.targets, "target"),
        (lambda number: a_failure(name=f"name{number}"), UNPROVEN.names, "principal"),
        (lambda number: a_failure(address=f"192.0.2.{number}"), UNPROVEN.addresses, "address"),
    ],
    ids=["targets", "names", "addresses"],
)
def test_of_what_an_attacker_varies_only_so_many_are_told_apart(gathering: Gathering, varied, room, hidden) -> None:
    for number in range(5000):
        gathering.add_once(varied(number))
    # Each that is told apart, and the first of all others.
    assert len(all_of(gathering)) == room + 1
    (summed,) = all_of(gathering, NOW + WINDOW)
    assert (summed.origin.address if hidden == "address" else getattr(summed, hidden)) == "*"
    assert json.loads(summed.detail)["repeated"] == 5000 - room - 1


def test_a_flood_from_everywhere_for_everybody_stays_small(gathering: Gathering) -> None:
    for number in range(50_000):
        gathering.add_once(a_failure(f"name{number}", f"192.0.{number % 250}.{number % 7}", f"app{number}"))
    assert len(all_of(gathering)) <= UNPROVEN.addresses * (UNPROVEN.names + 1) + 1


def test_the_nodes_of_a_cluster_are_told_apart(gathering: Gathering) -> None:
    """They prove who they are, so their number is no attack."""
    for number in range(PROVEN.addresses):
        origin = Origin("basic", "a-credential", address=f"10.0.{number // 250}.{number % 250}")
        gathering.add_once(Entry(NOW, Act.SIGN_IN, Result.SUCCESS, "node", "", origin))
    assert len({entry.origin.address for entry in all_of(gathering)}) == PROVEN.addresses


def test_while_nothing_can_be_written_what_is_too_much_is_counted(gathering: Gathering) -> None:
    for number in range(WAITING + 3):
        gathering.add(a_failure(target=str(number)))
    entries = all_of(gathering)
    assert [entry.target for entry in entries[:-1]] == [str(number) for number in range(WAITING)]
    assert (entries[-1].action, json.loads(entries[-1].detail)) == (Act.LOST, {"entries": 3})


def test_what_could_not_be_written_comes_again_before_what_came_later(gathering: Gathering) -> None:
    gathering.add(a_failure("first"))
    taken = gathering.take(NOW)
    gathering.add(a_failure("second"))
    gathering.put_back(taken)
    assert [entry.principal for entry in gathering.take(NOW)] == ["first", "second"]


def test_one_write_is_not_longer_than_a_batch(gathering: Gathering) -> None:
    for number in range(BATCH + 1):
        gathering.add(a_failure(target=str(number)))
    assert [len(gathering.take(NOW)), len(gathering.take(NOW))] == [BATCH, 1]


def test_a_worker_that_ends_writes_what_it_has_counted(gathering: Gathering) -> None:
    for _ in range(3):
        gathering.add_once(a_failure())
    gathering.end()
    assert [json.loads(entry.detail).get("repeated") for entry in all_of(gathering)] == [None, 2]
