"""What a fault cost, counted in sentinels: RPO, holes, resurrections, and never finer than the clocks."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dr.sentinels import found, loss
from dr.sentinels.loss import Entry
from dr.sentinels.record import Moment, Sentinel, digest, of_json

START = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
KEY = b"k" * 32


def moment(second: float, boot: str = "b1", error_s: float = 0.0) -> Moment:
    return Moment(START + timedelta(seconds=second), 1000 + second, boot, error_s)


def entry(seq: int, second: float, acked_after: float | None = 0.25, boot: str = "b1") -> Entry:
    acked = None if acked_after is None else moment(second + acked_after, boot)
    return Entry("w1", seq, moment(second, boot), acked, f"code{seq}")


JOURNAL = [entry(seq, seq) for seq in range(1, 11)]  # acknowledged at 1.25, 2.25, ... 10.25
LATER = START + timedelta(hours=1)


def back(*numbers: int, codes: str = "code") -> found.Found:
    return found.of_records(("w1", seq, f"{codes}{seq}") for seq in numbers)


def test_the_rpo_is_the_time_since_the_acknowledgement_of_the_newest_that_came_back() -> None:
    seen = loss.count(JOURNAL, back(*range(1, 8)), moment(10.5), LATER)
    assert (seen.rpo_s, seen.newest, seen.acked, seen.found, seen.missing) == (3.25, 7, 10, 7, 3)
    assert seen.least_s == 2.25  # the first that is missing was acknowledged then
    assert (seen.holes, seen.resurrected, seen.is_genuine) == (0, 0, True)


def test_nothing_is_missing_when_all_came_back() -> None:
    seen = loss.count(JOURNAL, back(*range(1, 11)), moment(10.5), LATER)
    assert (seen.rpo_s, seen.least_s, seen.missing) == (0.25, 0.0, 0)


def test_what_is_missing_before_one_that_came_back_is_a_hole() -> None:
    seen = loss.count(JOURNAL, back(1, 2, 5, 7), moment(10.5), LATER)
    assert (seen.missing, seen.holes, seen.newest) == (6, 3, 7)


def test_what_came_back_and_was_never_acknowledged_is_counted_apart() -> None:
    journal = [*JOURNAL, entry(11, 11, None)]
    seen = loss.count(journal, back(*range(1, 12)), moment(11.5), LATER)
    assert (seen.resurrected, seen.missing, seen.newest) == (1, 0, 10)


def test_what_was_acknowledged_after_the_fault_does_not_make_it_smaller() -> None:
    seen = loss.count(JOURNAL, back(*range(1, 11)), moment(5.5), LATER)
    assert (seen.acked, seen.rpo_s, seen.resurrected) == (5, 0.25, 0)


def test_when_nothing_came_back_it_is_no_less_than_since_the_first() -> None:
    seen = loss.count(JOURNAL, back(), moment(10.5), LATER)
    assert (seen.rpo_s, seen.least_s, seen.is_at_least, seen.missing) == (9.25, 9.25, True, 10)
    unread = loss.count(JOURNAL, None, moment(10.5), LATER)
    assert (unread.rpo_s, unread.is_at_least, unread.why) == (
        9.25, True, "the sentinels could not be read back",
    )  # fmt: skip


def test_without_any_acknowledgement_there_is_no_figure() -> None:
    seen = loss.count([], back(), moment(10), LATER)
    assert seen.rpo_s is None
    assert seen.why


def test_changed_bytes_are_noticed_and_what_the_journal_does_not_know_is_not_judged() -> None:
    changed = back(*range(1, 11), codes="other")
    assert loss.count(JOURNAL, changed, moment(10.5), LATER).is_genuine is False
    foreign = found.of_records([("w1", 1, "code1"), ("w9", 4, "code4")])
    assert loss.count(JOURNAL, foreign, moment(10.5), LATER).is_genuine is None


def test_only_the_day_that_an_application_gives_back_is_counted() -> None:
    old = [entry(seq, seq - 2 * 86400) for seq in range(1, 3)]
    young = [entry(seq, seq) for seq in range(3, 6)]
    seen = loss.count([*old, *young], back(3, 4, 5), moment(6), LATER)
    assert (seen.acked, seen.missing) == (3, 0)


def test_on_one_machine_a_moved_wall_clock_changes_nothing() -> None:
    moved = Moment(START + timedelta(seconds=99), 1010.5, "b1")
    assert loss.count(JOURNAL, back(*range(1, 8)), moved, LATER).rpo_s == 3.25


def test_where_the_fault_has_only_a_wall_time_the_bound_is_how_far_the_clock_was_moved() -> None:
    stepped = [
        entry(1, 1),
        Entry("w1", 2, moment(2), Moment(START + timedelta(seconds=2.8), 1002.3, "b1"), "c"),
    ]
    fault = Moment(START + timedelta(seconds=5.234))
    seen = loss.count(stepped, back(1), fault, LATER)
    assert seen.clock_bound_s == 0.5
    assert seen.rpo_s == 4.0  # 3.984 s, and nothing below a second can be told


def test_a_clock_that_was_moved_long_before_changes_no_bound() -> None:
    early = Entry("w1", 1, moment(0), Moment(START + timedelta(seconds=500), 1000.2, "b1"), "code1")
    journal = [early, entry(2, 600), entry(3, 601)]
    seen = loss.count(journal, back(1, 2, 3), Moment(START + timedelta(seconds=603)), LATER)
    assert (seen.clock_bound_s, seen.rpo_s) == (0.001, 1.75)


def test_with_two_machines_it_is_what_both_say_of_their_clocks() -> None:
    journal = [Entry("w1", 1, moment(1), moment(1.25, "b1", 0.03), "code1")]
    seen = loss.count(journal, back(1), moment(4, "b2", 0.04), LATER)
    assert seen.clock_bound_s == pytest.approx(0.07)
    assert seen.rpo_s == 2.8


@given(st.floats(0, 1e6), st.sampled_from((0.001, 0.02, 0.4, 5.0, 59.0)))
def test_nothing_is_said_finer_than_the_bound_and_never_less_than_it_is(
    seconds: float, bound_s: float
) -> None:
    told = loss.shown(seconds, bound_s)
    step = next(one for one in (0.001, 0.01, 0.1, 1.0, 10.0, 60.0) if one >= bound_s)
    assert told >= seconds - 1e-3
    assert told - seconds <= step + 1e-3
    assert abs(told / step - round(told / step)) < 1e-3


@given(st.sets(st.integers(1, 400)))
def test_numbers_go_into_spans_and_come_back(numbers: set[int]) -> None:
    seen = back(*numbers)
    assert seen.numbers("w1") == numbers
    assert all(seen.has("w1", one) == (one in numbers) for one in range(402))


def test_the_words_of_a_probe_are_read_and_others_are_not() -> None:
    told = found.of_words(f"newest=9 count=5 digest={'a' * 64} found=w1:1-3,9;w2:4")
    assert told == found.Found({"w1": ((1, 3), (9, 9)), "w2": ((4, 4),)}, 5, "a" * 64)
    assert found.of_words("ConnectionRefusedError: refused") is None
    cut = found.of_words(f"newest=9 count=500 digest={'a' * 64} found=~w1:9")
    assert cut is not None
    assert not cut.is_whole


def test_a_record_is_bound_to_its_key_and_to_every_word_of_it() -> None:
    made = Sentinel("pay", "w1", 7, moment(1)).coded(KEY)
    assert made.is_genuine(KEY)
    assert not made.is_genuine(b"x" * 32)
    read = of_json(json.loads(made.body()))
    assert read.is_genuine(KEY)
    changed = of_json({**json.loads(made.body()), "seq": 8})
    assert not changed.is_genuine(KEY)
    assert digest([("w1", 1, "a"), ("w1", 2, "b")]) == digest(
        [("w1", 2, "b"), ("w1", 1, "a"), ("w1", 1, "a")]
    )
