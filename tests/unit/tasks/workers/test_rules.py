"""Whose turn it is, who may take what, and what a run that waits is told."""

import pytest

from entrepot.tasks.workers.rules import (
    Agent,
    Waiting,
    Wanted,
    architecture_of,
    choose,
    fit_of,
    foreign_to,
    queue_of,
    why,
)


def an_agent(pool: str = "", architecture: str = "amd64", *labels: str, drains: bool = False, going: int = 0) -> Agent:
    return Agent(f"{pool}-{architecture}", pool, architecture, 2, drains, going, frozenset(labels))


def waiting(*runs: tuple[int, int]) -> list[Waiting]:
    return [Waiting(*each) for each in runs]


def test_runs_of_one_registry_go_in_their_order() -> None:
    assert choose(waiting((1, 7), (2, 7), (3, 7)), {}, {}, 2) == [1, 2]


def test_a_registry_with_many_runs_does_not_keep_another_waiting() -> None:
    assert choose(waiting((1, 7), (2, 7), (3, 7), (4, 8)), {}, {}, 3) == [1, 4, 2]
    assert choose(waiting((1, 7), (2, 8)), {7: 3}, {}, 1) == [2]


def test_a_registry_that_has_no_room_is_passed_by() -> None:
    assert choose(waiting((1, 7), (2, 7), (3, 8)), {}, {7: 1}, 3) == [1, 3]
    assert choose(waiting((1, 7)), {}, {7: -1}, 3) == []


@pytest.mark.parametrize(
    ("agent", "registry", "pool", "serves"),
    [
        ("", "local", None, True),
        ("", "local", "pool1", False),
        ("pool1", "local", None, False),
        ("pool1", "local", "Pool1", True),
        ("local/pool1", "Local", "pool1", True),
        ("local/pool1", "other", "pool1", False),
    ],
)
def test_a_worker_serves_its_pool_alone(agent: str, registry: str, pool: str | None, serves: bool) -> None:
    assert an_agent(agent).serves(registry, pool) is serves


def test_what_another_worker_need_not_emulate_is_left_to_it() -> None:
    ours, theirs = an_agent(), an_agent(architecture="arm64")
    assert foreign_to(ours, [ours]) == frozenset()
    assert foreign_to(ours, [ours, theirs]) == {"arm64", "arm"}
    assert foreign_to(ours, [ours, an_agent(architecture="arm64", drains=True)]) == frozenset()
    assert foreign_to(ours, [ours, an_agent("pool1", "arm64")]) == frozenset()


def test_a_worker_takes_runs_that_need_no_label_it_lacks() -> None:
    both, one = an_agent("", "amd64", "gpu", "ssd"), an_agent("", "amd64", "gpu")
    assert set(fit_of(both, [both]).foreign) == {"", "gpu", "ssd", "gpu,ssd"}
    assert set(fit_of(one, [one]).foreign) == {"", "gpu"}
    assert both.serves("local", None, frozenset({"ssd"}))
    assert not one.serves("local", None, frozenset({"ssd"}))
    assert queue_of("", "amd64", both.labels) == "task-runs//amd64/gpu,ssd"


def test_what_needs_a_label_is_left_to_no_other_processor_without_it() -> None:
    ours, theirs = an_agent("", "amd64", "gpu"), an_agent(architecture="arm64")
    fit = fit_of(ours, [ours, theirs])
    assert (fit.foreign[""], fit.foreign["gpu"]) == ({"arm64", "arm"}, frozenset())


@pytest.mark.parametrize(
    ("machine", "architecture"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("RISCV64", "riscv64")]
)
def test_a_processor_has_the_name_that_images_have_for_it(machine: str, architecture: str) -> None:
    assert architecture_of(machine) == architecture


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (why(0, Wanted(None), [], None), "it is the next; workers are not there: start one with entrepot worker"),
        (
            why(1, Wanted("p1"), [], None),
            "1 run of this registry before it; workers of the agent pool p1 are not there",
        ),
        (
            why(3, Wanted("p1"), [an_agent("p1", drains=True)], None),
            "3 runs of this registry before it; workers of the agent",
        ),
        (why(0, Wanted(None), [an_agent(going=2), an_agent(going=1)], None), "3 of the 4 places are taken"),
        (
            why(0, Wanted("p1", "gpu"), [], None),
            "with the labels gpu are not there: start one with entrepot worker --pool",
        ),
        (why(0, Wanted(None, "gpu,ssd"), [], None), "entrepot worker --task-labels gpu,ssd"),
        (why(0, Wanted(None), [an_agent()], "the registry has 3"), "it is the next; the registry has 3"),
    ],
)
def test_a_run_that_waits_is_told_its_place_and_why(told: str, text: str) -> None:
    assert text in told
