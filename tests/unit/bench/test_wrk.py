import pytest
from bench.model import Wrong
from bench.wrk import parse

QUIET = """\
Running 5s test @ https://127.0.0.1:5000/v2/bench/app/manifests/latest
  2 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   806.41us    1.22ms  41.03ms   95.92%
    Req/Sec    10.43k     1.02k   12.80k    71.00%
  Latency Distribution
     50%  702.00us
     75%    0.94ms
     90%    1.25ms
     99%    1.02s
  103712 requests in 5.01s, 101.29MB read
Requests/sec:  20701.00
Transfer/sec:     20.22MB
"""
TROUBLED = QUIET.replace(
    "Requests/sec",
    "  Socket errors: connect 0, read 3, write 1, timeout 2\n  Non-2xx or 3xx responses: 7\nRequests/sec",
)


def test_requests_are_divided_by_the_time_that_wrk_measured():
    outcome = parse(QUIET)

    assert outcome.requests == 103712
    assert outcome.rate == pytest.approx(103712 / 5.01)


def test_latencies_come_out_in_milliseconds_whatever_unit_wrk_chose():
    assert parse(QUIET).latency_ms == pytest.approx({50: 0.702, 75: 0.94, 90: 1.25, 99: 1020.0})


def test_an_outcome_without_errors_stands():
    assert parse(QUIET).checked().bad_statuses == 0


def test_every_kind_of_error_is_counted():
    outcome = parse(TROUBLED)

    assert (outcome.socket_errors, outcome.bad_statuses) == (6, 7)


def test_a_rate_of_wrong_answers_is_refused():
    with pytest.raises(Wrong, match="7 failed, with 6 socket errors"):
        parse(TROUBLED).checked()


def test_output_without_totals_is_refused():
    with pytest.raises(Wrong):
        parse("unable to connect to 127.0.0.1:5000 Connection refused")
