"""RTO out of segments on one clock, and figures over several drills."""

import pytest

from dr.plans.forecast import sample_of
from dr.reports import recovery_time, statistics
from dr.reports.recovery_time import APP_READY, BOOT, PROBE, RESTORE, SEGMENTS, VERIFIED, Span, Touch
from dr.reports.statistics import Try

SPANS = [
    Span(RESTORE, 100.0, 132.0),
    Span(PROBE, 132.0, 140.0),
    Span(BOOT, 140.0, 150.0),
    Span(BOOT, 141.0, 165.0),  # another part, beside it
    Span(APP_READY, 150.0, 180.0),
    Span(VERIFIED, 180.0, 182.5),
]


def test_segments_add_up_to_the_whole_however_they_overlap() -> None:
    seen = recovery_time.measure(SPANS)
    assert seen.rto_s == 82.5
    told = {one.name: one.seconds for one in seen.segments if one.is_exercised and one.seconds}
    assert told == {"restore": 32.0, "probe": 8.0, "boot": 25.0, "app_ready": 15.0, "verified": 2.5}
    assert sum(told.values()) == seen.rto_s


def test_what_was_not_exercised_is_named_and_counts_nothing() -> None:
    seen = recovery_time.measure(SPANS)
    assert seen.not_exercised == ("detect", "decide", "fence", "traffic")
    assert all(one.seconds is None for one in seen.segments if not one.is_exercised)


def test_a_real_move_counts_from_the_fault() -> None:
    spans = [
        Span("detect", 90, 95),
        Span("decide", 95, 99),
        Span("fence", 99, 100),
        *SPANS,
        Span("traffic", 180, 181),
    ]
    seen = recovery_time.measure(spans, SEGMENTS, fault_s=80.0)
    assert seen.rto_s == 102.5
    assert seen.segments[0].seconds == 15.0
    assert seen.not_exercised == ()
    assert [one.name for one in seen.segments] == list(SEGMENTS)  # no move waits for a probe


def test_without_a_verified_end_it_is_censored_at_the_time_it_was_given_up() -> None:
    seen = recovery_time.measure([*SPANS[:5], Span(VERIFIED, 180.0)], until_s=700.0)
    assert (seen.rto_s, seen.until_s) == (None, 600.0)


def test_whatever_somebody_touched_makes_it_assisted() -> None:
    assert not recovery_time.measure(SPANS).is_assisted
    assert recovery_time.measure(SPANS, touches=[Touch("08:00", "dave", "restarted it")]).is_assisted


def test_failed_drills_stay_in_the_figures() -> None:
    seen = statistics.over([Try(60), Try(70), Try(80), Try(900, is_censored=True)], objective_s=100)
    assert (seen.n, seen.failed, seen.within) == (4, 1, 3)
    assert (seen.median_s, seen.p90_s, seen.max_s) == (70, None, None)


@pytest.mark.parametrize(("n", "shown"), [(1, 0.05), (5, 0.5492), (59, 0.9504)])
def test_what_drills_that_all_went_well_demonstrate(n: int, shown: float) -> None:
    assert statistics.demonstrated(n, n) == shown


def test_with_failures_less_is_demonstrated_and_without_drills_nothing() -> None:
    assert statistics.demonstrated(0, 0) == 0
    assert statistics.demonstrated(10, 0) == 0
    assert statistics.demonstrated(10, 9) == pytest.approx(0.6058, abs=1e-4)  # Clopper and Pearson
    assert statistics.over([], 60).median_s is None


def test_a_forecast_leaves_the_wait_for_the_probe_out() -> None:
    seen = {
        "parts": {"db": {"begun_s": 65.0, "answered_s": 100.0}},
        "times": {"cloned": 17.0, "starting": 64.0},
    }
    told = sample_of(seen)
    assert told is not None
    assert (told.data_s, told.parts) == (18.0, {"db": 35.0})
