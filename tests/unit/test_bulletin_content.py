"""What a bulletin says: ranks, changes, who is behind, names, sentences; worked out by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest

from tenants.bulletin import tables
from tenants.bulletin.composing import ALL, Around, FrozenMonth, Listed, Territory, compose, shifts
from tenants.bulletin.content import Bulletin, Goal, Line, Method, Outlook, behind, ranked
from tenants.bulletin.method import rows as method_rows
from tenants.bulletin.telling import Telling
from tenants.bulletin.values import Kind, points_text, shown
from tenants.bulletin.wording import Wording
from tenants.migration.rates import Tally
from tenants.migration.rule import DEFAULT
from tests.bulletins import a_bulletin

GOAL = Goal(9500, date(2026, 12, 31), "桂政办发〔2026〕8号")
CITIES = {"450100": "南宁市", "450200": "柳州市", "450300": "桂林市"}
HERE = Territory(
    code="450000",
    name="广西壮族自治区",
    level="province",
    areas=CITIES,
    units={"gx-finance": "财政厅"},
    inside=frozenset({"450000", *CITIES}),
    names={**CITIES, "gx-finance": "财政厅", "450000": "广西壮族自治区"},
)


def tally(moved: int, of: int, **more: Any) -> Tally:
    return Tally(registered=of, denominator=of, numerator_hundredths=moved * 100, **more)


def line(scope: str, moved: int, of: int, goal: Goal | None = GOAL) -> Line:
    return Line(scope, scope, tally(moved, of), goal=goal)


def month(figures: dict[str, Tally], *systems: Listed, number: int = 11) -> FrozenMonth:
    return FrozenMonth(
        f"2026-{number}", 1, {(scope, ALL): one for scope, one in figures.items()}, {s.id: s for s in systems}
    )


def around(**changes: Any) -> Around:
    method = Method(
        "统计口径", "gx-2026", 1, "a" * 64, datetime(2026, 11, 30, 15, 59, 59, 999999, tzinfo=UTC),
        1, "b" * 64, "2026-10", 1, 1,
    )  # fmt: skip
    made = Around("", date(2026, 12, 1), {("division:450000", ALL): GOAL}, DEFAULT, (), method)
    return replace(made, **changes)


def listed(key: str, division: str = "450100", reason: str = "", **more: Any) -> Listed:
    return Listed(key, f"系统{key}", "gx-finance", division, reason, **more)


def telling(bulletin: Bulletin, language: str = "zh") -> Telling:
    return Telling(bulletin, Wording(bulletin, language))


# -- ranks and rates


def test_lines_rank_by_their_exact_rate_and_equals_share_a_rank() -> None:
    lines = ranked([line("b", 1, 2), line("a", 2, 4), line("c", 9, 10), line("d", 0, 0), line("e", 1, 3)])
    assert [(one.scope, one.rank) for one in lines] == [("c", 1), ("a", 2), ("b", 2), ("e", 4), ("d", None)]


def test_two_rates_that_read_alike_are_still_told_apart() -> None:
    lines = ranked([line("a", 94994, 100000), line("b", 94995, 100000)])
    assert [one.scope for one in lines] == ["b", "a"]
    assert [shown(Kind.RATE, one.rate) for one in lines] == ["94.99%", "94.99%"]


def test_a_rate_is_never_rounded_up_to_its_target() -> None:
    one = line("a", 94996, 100000)
    assert shown(Kind.RATE, one.rate) == "94.99%"
    assert one.is_behind
    assert one.missing == 4


@pytest.mark.parametrize(("moved", "missing"), [(94, 1), (95, 0), (96, 0), (0, 95)])
def test_whoever_misses_the_target_is_told_by_how_many_systems(moved: int, missing: int) -> None:
    assert line("a", moved, 100).missing == missing


def test_nobody_is_behind_without_a_target_or_without_systems() -> None:
    assert line("a", 0, 10, goal=None).missing is None
    assert line("a", 0, 0).missing == 0
    assert behind([line("a", 0, 10, goal=None), line("b", 0, 0)]) == ()


def test_the_furthest_behind_come_first() -> None:
    late = behind([line("a", 9, 10), line("b", 0, 10), line("c", 1, 10), line("d", 10, 10)])
    assert [one.scope for one in late] == ["b", "c", "a"]


def test_a_change_is_the_exact_difference_cut_off_towards_zero() -> None:
    one = Line("a", "a", tally(2, 3), tally(1, 3))
    assert one.change == Fraction(10000, 3)
    assert points_text(Fraction(10000, 3)) == "+33.33"
    assert points_text(Fraction(-9999, 100)) == "−0.99"
    assert points_text(Fraction(1, 2)) == points_text(Fraction(-1, 2)) == points_text(Fraction(0)) == "0.00"


def test_there_is_no_change_where_one_of_the_months_has_nothing_to_count() -> None:
    assert Line("a", "a", tally(1, 2), tally(0, 0)).change is None
    assert Line("a", "a", tally(0, 0), tally(1, 2)).change is None
    assert Line("a", "a", tally(1, 2)).change is None


def test_a_partly_moved_system_shows_its_fraction() -> None:
    assert shown(Kind.SYSTEMS, 1250) == "12.50"
    assert shown(Kind.SYSTEMS, 1200) == "12"


# -- what came into the denominator and what left it


@pytest.mark.parametrize(
    ("was", "is_now", "reason"),
    [
        (None, listed("s"), "added"),
        (listed("s", reason="exempt"), listed("s"), "returned"),
        (listed("s", "440100"), listed("s"), "moved_in"),
        (listed("s"), listed("s", "440100"), "moved_out"),
        (listed("s"), listed("s", reason="retired"), "retired"),
        (listed("s"), listed("s", reason="merged"), "merged"),
        (listed("s"), listed("s", reason="exempt"), "exempt"),
        (listed("s"), listed("s", reason="classified", is_classified=True), "classified"),
        (listed("s"), None, "gone"),
        (listed("s"), listed("s", "450200"), None),  # from one city to another, both inside
        (listed("s", reason="exempt"), listed("s", reason="retired"), None),
        (None, listed("s", reason="not_yet"), None),
    ],
)
def test_a_system_that_came_or_went_says_why(
    was: Listed | None, is_now: Listed | None, reason: str | None
) -> None:
    found = shifts(HERE, {"s": is_now} if is_now else {}, {"s": was} if was else {})
    assert [one.reason for one in found] == ([reason] if reason else [])


def test_what_entered_less_what_left_is_how_the_denominator_grew() -> None:
    before = [listed("a"), listed("b"), listed("c"), listed("d", reason="exempt")]
    now = [listed("a"), listed("b", reason="retired"), listed("d"), listed("e"), listed("f")]
    found = shifts(HERE, {one.id: one for one in now}, {one.id: one for one in before})
    grown = sum(one.count if one.is_entering else -one.count for one in found)
    assert grown == sum(one.is_counted for one in now) - sum(one.is_counted for one in before) == 1


def test_a_system_that_became_classified_is_counted_and_not_named() -> None:
    secret = listed("s", reason="classified", is_classified=True)
    [found] = shifts(HERE, {"s": secret}, {"s": listed("s")})
    assert (found.count, found.names) == (1, ())
    bulletin = a_bulletin(shifts=(found,))
    assert tables.changed(bulletin, Wording(bulletin)).rows == (("定为涉密", -1, "涉密系统（不列名）"),)


# -- the whole


def a_small_one(**changes: Any) -> Bulletin:
    now = {
        "division:450000": tally(95, 120),
        "own:450000": tally(10, 20),
        "department:gx-finance": tally(10, 20),
        "division:450100": tally(48, 50),
        "division:450200": tally(37, 50),
    }
    before = {**now, "division:450000": tally(90, 120), "own:450000": tally(5, 20)}
    systems = (
        listed("a", is_idle=True),
        listed("b", "450200", is_idle=True, is_classified=True),
        listed("c", "440100", is_idle=True),
        listed("d", "450300", reason="retired", is_idle=True),
    )
    return compose(HERE, month(now, *systems), month(before, number=10), around(**changes))


def test_the_whole_the_own_level_and_what_lies_below_add_up() -> None:
    one = a_small_one()
    assert one.total.count.denominator == one.own.count.denominator + one.rest.count.denominator == 120
    assert one.total.change == Fraction(95 * 10000, 120) - Fraction(90 * 10000, 120)
    assert [(line.name, line.rank) for line in one.areas] == [("南宁市", 1), ("柳州市", 2), ("桂林市", None)]


def test_only_idle_systems_that_count_here_are_named_and_never_classified_ones() -> None:
    assert [(one.id, one.unit, one.area) for one in a_small_one().idle] == [("a", "财政厅", "南宁市")]


def test_who_has_no_target_is_beside_that_of_the_whole_and_who_has_one_beside_its_own() -> None:
    own = Goal(7000, date(2027, 6, 30), "南府办〔2026〕3号")
    goals = {("division:450000", ALL): GOAL, ("division:450200", ALL): own}
    one = a_small_one(goals=goals)
    assert {line.name: line.goal for line in one.areas} == {"南宁市": GOAL, "柳州市": own, "桂林市": GOAL}
    assert [line.name for line in one.areas_behind] == []
    assert [line.name for line in one.units_behind] == ["财政厅"]


def test_a_target_of_new_systems_is_their_own() -> None:
    assert a_small_one().new.goal is None
    full = Goal(10000, date(2026, 12, 31), "x")
    assert a_small_one(goals={("division:450000", "new"): full}).new.goal == full


def test_a_denominator_that_shrank_suddenly_is_asked_about() -> None:
    before = {"division:450100": tally(80, 100)}
    now = {"division:450100": Tally(100, 84, 8000, excluded={"exempt": 16})}
    one = compose(HERE, month(now), month(before, number=10), around())
    assert {flag.name for flag in one.flags} == {"南宁市"}
    assert any("16.00" in told for told in telling(one).flags())


# -- in words


def test_the_title_names_month_and_territory_as_offices_do() -> None:
    one = a_bulletin()
    assert Wording(one).title() == "关于2026年11月全区政务信息系统上云情况的通报"
    city = replace(one, division="南宁市", code="450100", level="city")
    assert Wording(city).title() == "关于2026年11月全市政务信息系统上云情况的通报"
    assert Wording(city).areas() == "各县（市、区）"
    assert Wording(replace(one, division="山东省")).own_level() == "省本级"
    assert Wording(replace(one, division="直管区")).whole() == "直管区全域"


def test_the_first_paragraph_has_the_figures_of_the_table() -> None:
    told = telling(a_small_one()).overall()
    assert told[0] == (
        "截至2026年11月30日24时，全区纳入统计的政务信息系统120个，已上云95个，上云率79.16%，"
        "较上月上升4.16个百分点；经核实的上云率0.00%。"
    )
    assert "尚差19个系统" in told[-1]


def test_a_month_with_none_before_it_compares_nothing_and_says_so() -> None:
    one = compose(HERE, month({"division:450000": tally(1, 2)}), None, around())
    method = replace(one.method, previous_month=None)
    words = telling(replace(one, method=method))
    assert "较上月" not in words.overall()[0]
    assert words.changes() == ["上月数据未封存，本期不作环比。"]
    assert one.total.change is None


def test_a_correction_says_that_it_is_one_and_why() -> None:
    one = a_bulletin()
    assert (
        telling(one).overall()[0]
        == "本期依据更正后的数据（第2次封存）通报，更正原因：更正柳州市2个系统的验收日期。"
    )
    assert Wording(one).file_name() == "上云情况通报-广西壮族自治区-2026年11月-第2版"


def test_the_forecast_gives_an_interval_and_no_certainty() -> None:
    [told] = telling(a_bulletin()).outlook()
    assert told.startswith("2026年12月31日前尚需上云115个系统，平均每月需完成58个。")
    assert "80%的可能" in told
    assert told.endswith("按现有进度难以按期达到目标。")
    assert "暂不作预测" in telling(a_small_one()).outlook()[0]


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("too_short", "按本口径封存的月份仅3个，暂不作预测。"),
        ("deadline_passed", "期限前已无完整月份，不再预测。"),
        ("nothing_left", "按现有趋势将无系统纳入统计，不作预测。"),
    ],
)
def test_where_nothing_can_be_foretold_it_says_why(why: str, words: str) -> None:
    outlook = Outlook(None, None, 3, 80, why=why)
    assert telling(a_bulletin(outlook=outlook)).outlook() == [words]


def test_where_nothing_counts_nothing_is_foretold() -> None:
    empty = compose(HERE, month({}), None, around())
    assert empty.outlook is None
    assert telling(empty).outlook() == ["没有纳入统计的系统，不作预测。"]
    assert telling(empty).ranking() == "下级地区没有纳入统计的系统。"


def test_a_ranking_of_one_has_no_last() -> None:
    one = a_bulletin(areas=a_bulletin().areas[:1])
    assert telling(one).ranking() == "北海市上云率为97.99%。1个地区中，1个达到目标，0个未达到。"


def test_the_method_names_rule_hash_and_snapshot() -> None:
    rows = dict(method_rows(a_bulletin(), Wording(a_bulletin())))
    assert rows["统计截止"] == "2026年11月30日24时"
    assert "gx-2026，第3版" in rows["统计规则"]
    assert "5f0c" * 16 in rows["统计规则"]
    assert rows["封存数据"] == f"2026年11月，第2次封存；SHA-256 {'a91e' * 16}"


def test_english_says_the_same_figures() -> None:
    told = telling(a_bulletin(), "en").overall()[1]
    assert "30 November 2026, 24:00" in told
    assert shown(Kind.RATE, a_bulletin().total.rate) in told


def test_a_long_list_of_names_is_cut_and_says_how_many_more() -> None:
    names = [f"系统{n}" for n in range(20)]
    assert Wording(a_bulletin()).some(names).endswith("系统11等，另有8个")
    assert Wording(a_bulletin()).some(names[:2]) == "系统0、系统1"


def test_no_idle_system_found_is_not_told_as_proof_that_all_run() -> None:
    bulletin = a_bulletin(idle=())
    count = bulletin.total.count
    assert count.verified_hundredths < count.numerator_hundredths
    unproved = (count.numerator_hundredths - count.verified_hundredths) // 100
    told = Telling(bulletin, Wording(bulletin, "zh")).idle()
    assert f"有{unproved}个尚未核实" in told
