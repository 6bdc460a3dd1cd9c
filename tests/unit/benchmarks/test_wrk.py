"""What wrk prints, as figures."""

import pytest

from benchmarks.tools.wrk import parse

PRINTED = """Running 2s test @ http://127.0.0.1:8000
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.60ms    1.00ms  20.48ms   93.61%
    Req/Sec    20.68k     1.70k   23.15k    85.00%
  Latency Distribution
     50%  {p50}
     75%    1.79ms
     90%    2.18ms
     99%  {p99}
  41156 requests in 2.00s, 11.38MB read
Requests/sec:  {rate}
Transfer/sec:      5.69MB
"""


def test_reads_latencies_and_the_rate() -> None:
    found = parse(PRINTED.format(p50="950.00us", p99="  6.10ms", rate="20578.11"))
    assert (found.p50_us, found.p99_us, found.requests_per_second) == (950, 6100, 20578.11)


def test_reads_a_latency_of_seconds_with_the_blank_behind_it() -> None:
    found = parse(PRINTED.format(p50="111.16ms", p99="   1.01s ", rate="42.67"))
    assert (found.p50_us, found.p99_us) == (111160, 1010000)


def test_refuses_what_answered_with_errors() -> None:
    printed = PRINTED.format(p50="1.00ms", p99="2.00ms", rate="9.00")
    with pytest.raises(RuntimeError, match="errors"):
        parse(printed + "  Non-2xx or 3xx responses: 12\n")
    with pytest.raises(RuntimeError, match="errors"):
        parse(printed + "  Socket errors: connect 0, read 3, write 0, timeout 0\n")


def test_refuses_a_run_without_an_answer() -> None:
    with pytest.raises(RuntimeError, match="nothing"):
        parse(PRINTED.format(p50="0.00us", p99="0.00us", rate="0.00"))
