"""Which points are kept: grandfather, father, son, over chains, locks and what is proved."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cloudctl.clock import BEIJING
from dr.retention import Held, Retention, Why, decide, leaves_at

NOW = datetime(2026, 11, 26, 1, 0, tzinfo=UTC)
GFS = Retention(last=3, daily=7, weekly=4, monthly=12, yearly=2)


def nightly(days: int, **more: object) -> list[Held]:
    """A point each night at 23:00 in Beijing, the newest last night."""
    night = datetime(2026, 11, 25, 23, 0, tzinfo=BEIJING)
    return [Held(f"p{n:04}", night - timedelta(days=n), **more) for n in range(days)]  # type: ignore[arg-type]


def test_three_years_of_nights_leave_days_weeks_months_and_years() -> None:
    kept = decide(nightly(1100), GFS, NOW)
    by_why = {why: [key for key, whys in kept.why.items() if why in whys] for why in Why}
    assert {why: len(ids) for why, ids in by_why.items() if ids} == {
        Why.LAST: 3, Why.DAILY: 7, Why.WEEKLY: 4, Why.MONTHLY: 12, Why.YEARLY: 2, Why.LAST_PROTECTED: 1,
    }  # fmt: skip
    assert len(kept.why) + len(kept.given_up) == 1100
    assert by_why[Why.YEARLY] == ["p0000", "p0329"], "this year's newest, and the last night of 2025"


def test_days_are_those_of_beijing() -> None:
    evening = Held("evening", datetime(2026, 11, 25, 15, 59, tzinfo=UTC))  # 23:59 in Beijing
    night = Held("night", datetime(2026, 11, 25, 16, 1, tzinfo=UTC))  # 00:01 of the next day
    assert set(decide([evening, night], Retention(daily=2), NOW).why) == {"evening", "night"}


def test_an_increment_that_is_kept_keeps_all_it_rests_on() -> None:
    full = Held("full", NOW - timedelta(days=9))
    middle = Held("middle", NOW - timedelta(days=8), parent_id="full")
    newest = Held("newest", NOW - timedelta(days=7), parent_id="middle")
    kept = decide([full, middle, newest], Retention(last=1), NOW)
    assert kept.why["middle"] == kept.why["full"] == (Why.PARENT,)
    assert kept.given_up == ()


def test_what_is_given_up_goes_from_the_end_of_its_chain() -> None:
    old = [
        Held("full", NOW - timedelta(days=30)),
        Held("first", NOW - timedelta(days=29), parent_id="full"),
        Held("second", NOW - timedelta(days=28), parent_id="first"),
    ]
    kept = decide([*old, Held("new", NOW)], Retention(last=1), NOW)
    assert kept.given_up == ("second", "first", "full")


def test_the_last_protected_point_is_never_given_up() -> None:
    good = Held("good", NOW - timedelta(days=400))
    bad = [Held(f"bad{n}", NOW - timedelta(days=n), is_protected=False) for n in range(5)]
    kept = decide([good, *bad], Retention(daily=2), NOW)
    assert Why.LAST_PROTECTED in kept.why["good"]


def test_a_slot_goes_to_the_point_that_is_proved() -> None:
    proved = Held("proved", datetime(2026, 11, 20, 2, 0, tzinfo=UTC))
    later = Held("later", datetime(2026, 11, 20, 8, 0, tzinfo=UTC), is_protected=False)
    newest = Held("newest", NOW)
    assert decide([proved, later, newest], Retention(daily=5), NOW).given_up == ("later",)


def test_a_point_that_is_not_proved_yet_is_kept_until_a_newer_one_is() -> None:
    proved, fresh = Held("proved", NOW - timedelta(days=1)), Held("fresh", NOW, is_protected=False)
    assert decide([proved, fresh], Retention(last=1), NOW).why["fresh"] == (Why.NOT_PROVED_YET,)


def test_what_only_its_lock_holds_is_kept_and_said() -> None:
    locked = Held("locked", NOW - timedelta(days=9), locked_until=NOW + timedelta(days=1))
    kept = decide([locked, Held("new", NOW)], Retention(last=1), NOW)
    assert kept.why["locked"] == (Why.LOCKED,)
    later = decide([locked, Held("new", NOW)], Retention(last=1), NOW + timedelta(days=2))
    assert later.given_up == ("locked",)


# -- whatever points there are

_HELD = st.tuples(st.integers(0, 900 * 24), st.booleans(), st.booleans(), st.integers(-40, 40))
_COUNTS = st.builds(Retention, *(st.integers(0, 6) for _ in range(5)))


@st.composite
def members(draw: st.DrawFn) -> list[Held]:
    """Points of one member in the order they were taken, increments on the one before them."""
    points: list[Held] = []
    for index, (hours, is_protected, is_increment, lock) in enumerate(
        sorted(draw(st.lists(_HELD, max_size=40)), reverse=True)
    ):
        parent = points[-1].id if is_increment and points else None
        locked_until = NOW + timedelta(days=lock)
        taken_at = NOW - timedelta(hours=hours)
        points.append(Held(f"p{index}", taken_at, is_protected, parent, locked_until))
    return points


@given(members(), _COUNTS)
def test_nothing_that_is_kept_rests_on_what_is_given_up(points: list[Held], retention: Retention) -> None:
    kept = decide(points, retention, NOW)
    gone = set(kept.given_up)
    assert gone | set(kept.why) == {one.id for one in points}
    assert not gone & set(kept.why)
    assert not [one for one in points if one.id not in gone and one.parent_id in gone]


@given(members(), _COUNTS)
def test_locked_points_and_the_last_protected_one_always_stay(
    points: list[Held], retention: Retention
) -> None:
    kept = decide(points, retention, NOW)
    protected = [one for one in points if one.is_protected]
    if protected:
        assert max(protected, key=lambda one: (one.taken_at, one.id)).id in kept.why
    assert not [one for one in points if one.locked_until > NOW and one.id in kept.given_up]


@given(members(), _COUNTS)
def test_deciding_again_over_what_was_kept_gives_nothing_more_up(
    points: list[Held], retention: Retention
) -> None:
    first = decide(points, retention, NOW)
    rest = [one for one in points if one.id in first.why]
    assert decide(rest, retention, NOW).given_up == ()


@given(members(), _COUNTS)
def test_increments_go_before_what_they_rest_on(points: list[Held], retention: Retention) -> None:
    order = {key: index for index, key in enumerate(decide(points, retention, NOW).given_up)}
    for one in points:
        if one.id in order and one.parent_id in order:
            assert order[one.id] < order[str(one.parent_id)]


@given(members(), _COUNTS, _COUNTS)
def test_keeping_more_never_gives_up_what_keeping_less_keeps(
    points: list[Held], one: Retention, other: Retention
) -> None:
    most = Retention(*(max(pair) for pair in zip(_numbers(one), _numbers(other), strict=True)))
    assert set(decide(points, one, NOW).why) <= set(decide(points, most, NOW).why)


def _numbers(retention: Retention) -> tuple[int, ...]:
    return (retention.last, retention.daily, retention.weekly, retention.monthly, retention.yearly)


@given(
    st.builds(
        Retention,
        st.integers(1, 4),
        st.integers(0, 9),
        st.integers(0, 5),
        st.integers(0, 3),
        st.integers(0, 1),
    ),
    st.integers(1, 60),
    st.integers(0, 59),
)
def test_a_point_goes_on_the_day_that_was_told_when_points_keep_coming(
    retention: Retention, nights: int, which: int
) -> None:
    first = datetime(2026, 11, 1, 23, 0, tzinfo=BEIJING)
    there = [Held(f"p{n:04}", first + timedelta(days=n)) for n in range(nights)]
    kept = decide(there, retention, NOW)
    there = [one for one in there if one.id in kept.why]
    chosen = there[which % len(there)]
    told = leaves_at(there, retention, 86400)[chosen.id]
    later = nights
    while chosen.id in decide(there, retention, NOW).why:
        there = [one for one in there if one.id in decide(there, retention, NOW).why]
        there.append(Held(f"p{later:04}", first + timedelta(days=later)))
        later += 1
    went = first + timedelta(days=later - 1)
    assert timedelta(0) <= went - told < timedelta(days=1), (chosen, told, went)


def test_a_lock_and_what_rests_on_a_point_hold_it_longer() -> None:
    locked = Held("locked", NOW - timedelta(days=9), locked_until=NOW + timedelta(days=40))
    full = Held("full", NOW - timedelta(days=2))
    child = Held("child", NOW - timedelta(days=1), parent_id="full")
    told = leaves_at([locked, full, child], Retention(last=1, daily=3), 86400)
    assert told["locked"] == NOW + timedelta(days=40)
    assert told["full"] == told["child"] >= NOW + timedelta(days=2)
    assert leaves_at([], GFS, 86400) == {}
