from bench.model import Metric, Sample
from bench.statistics import Spread, advantage, ratio, spread


def samples(*values: float | None, metric: str = "rate") -> list[Sample | None]:
    return [None if value is None else Sample({metric: value}) for value in values]


def test_a_spread_is_the_median_with_its_range():
    assert spread(samples(3.0, 1.0, 10.0), "rate") == Spread(3.0, 1.0, 10.0)


def test_rounds_that_failed_are_left_out():
    assert spread(samples(None, 4.0), "rate") == Spread(4.0, 4.0, 4.0)


def test_nothing_measured_is_no_spread():
    assert spread(samples(None, None), "rate") is None


def test_a_ratio_compares_samples_of_the_same_round():
    slowed_down = ratio(samples(100.0, 50.0, 100.0), samples(50.0, 25.0, 50.0), "rate")

    assert slowed_down == Spread(2.0, 2.0, 2.0)


def test_a_round_that_one_side_lacks_gives_no_ratio():
    assert ratio(samples(10.0, None, 30.0), samples(5.0, 5.0, None), "rate") == Spread(2.0, 2.0, 2.0)


def test_above_one_is_better_for_rates_and_for_times():
    rate, seconds = Metric("rate", "/s"), Metric("seconds", "s", higher_is_better=False)

    faster = advantage(samples(20.0), samples(10.0), rate)
    shorter = advantage(samples(1.0, metric="seconds"), samples(2.0, metric="seconds"), seconds)

    assert faster == shorter == Spread(2.0, 2.0, 2.0)
