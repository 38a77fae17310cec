"""When a job worker that died is started again."""

from itertools import islice

from entrepot.app.job_keeper import pauses


def test_each_start_in_a_row_waits_twice_as_long_up_to_a_minute() -> None:
    assert list(islice(pauses(), 9)) == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
