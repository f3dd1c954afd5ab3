"""Targets decided in integers: reached, overdue, behind by how many, and whether parts add up."""

from datetime import date, timedelta

import pytest

from tenants.migration.targets import (
    WARN_DAYS,
    Figure,
    Lamp,
    Sum,
    Wanted,
    adds_up,
    behind,
    is_reached,
    parse_percent,
    part_faults,
    standing,
)

TODAY = date(2026, 11, 21)
PROVINCE = Wanted("division:450000", "migration_rate", 9500, date(2026, 12, 31))
PATHS = {
    "division:450000": ("division:450000",),
    "own:450000": ("own:450000", "division:450000"),
    "division:450100": ("division:450100", "division:450000"),
    "division:450200": ("division:450200", "division:450000"),
    "division:999999": ("division:999999",),
    "department:nn-edu": ("department:nn-edu", "own:450100", "division:450100", "division:450000"),
}


def systems(numerator: int, denominator: int, unknown: int = 0) -> Figure:
    return Figure(numerator * 100, denominator, unknown)


# -- reached


@pytest.mark.parametrize(
    ("numerator", "denominator", "reached", "missing"),
    [
        (23_749, 25_000, False, 1),  # 94.996 %: shown as 94.99, and one system short of 95 %
        (23_750, 25_000, True, 0),
        (95, 100, True, 0),
        (94, 100, False, 1),
        (18, 20, False, 1),
        (19, 20, True, 0),
        (0, 20, False, 19),
        (1, 1, True, 0),
        (0, 1, False, 1),
        (0, 0, None, None),
    ],
)
def test_a_target_of_95_is_reached_by_95_and_nothing_less(
    numerator: int, denominator: int, reached: bool | None, missing: int | None
) -> None:
    figure = systems(numerator, denominator)
    assert is_reached(9500, figure) is reached
    assert behind(9500, figure) == missing


def test_94_996_is_shown_as_94_99_and_never_as_95() -> None:
    assert systems(23_749, 25_000).percent == "94.99"
    assert systems(23_750, 25_000).percent == "95.00"


def test_a_rate_over_nothing_is_null() -> None:
    assert Figure(0, 0).percent is None
    assert Figure(50, 1).percent == "50.00"


def test_figures_of_different_places_add_up() -> None:
    assert Figure(100, 3, 1) + Figure(250, 4, 2) == Figure(350, 7, 3)


def test_a_partly_moved_system_counts_its_hundredths() -> None:
    assert is_reached(5000, Figure(50, 1)) is True
    assert is_reached(5001, Figure(50, 1)) is False
    assert behind(9500, Figure(9450, 100)) == 1  # half a system short takes a whole one
    assert behind(9500, Figure(9399, 100)) == 2
    assert behind(9500, Figure(9400, 100)) == 1


def test_how_many_more_are_needed_is_just_enough_to_reach() -> None:
    for denominator in range(1, 60):
        for numerator in range(denominator + 1):
            more = behind(9500, systems(numerator, denominator))
            assert more is not None
            assert is_reached(9500, systems(numerator + more, denominator)) is True
            assert more == 0 or is_reached(9500, systems(numerator + more - 1, denominator)) is False


def test_what_is_unknown_never_counts_as_reached_and_leaves_it_open_where_it_decides() -> None:
    assert is_reached(10_000, systems(1, 2, unknown=1)) is None
    assert is_reached(10_000, systems(1, 3, unknown=1)) is False
    assert is_reached(5000, systems(1, 2, unknown=1)) is True
    assert behind(10_000, systems(1, 2, unknown=1)) == 1


# -- standing


def stands(figure: Figure, days: int, value: int = 9500) -> tuple[str, bool, int, Lamp | None]:
    found = standing(value, TODAY + timedelta(days=days), figure, TODAY)
    assert found.is_reached is is_reached(value, figure)
    assert found.behind == behind(value, figure)
    return found.state, found.is_overdue, found.days_left, found.lamp


def test_a_target_is_overdue_from_the_day_after_its_last() -> None:
    short = systems(94, 100)
    assert stands(short, 1) == ("open", False, 1, Lamp.RED)
    assert stands(short, 0) == ("open", False, 0, Lamp.RED)
    assert stands(short, -1) == ("overdue", True, -1, Lamp.RED)


def test_a_target_over_one_system_is_overdue_as_well() -> None:
    assert stands(systems(0, 1), -1) == ("overdue", True, -1, Lamp.RED)


def test_a_reached_target_is_green_also_after_its_day() -> None:
    assert stands(systems(95, 100), 40) == ("reached", False, 40, Lamp.GREEN)
    assert stands(systems(95, 100), -400) == ("reached", False, -400, Lamp.GREEN)


def test_the_last_thirty_days_are_red() -> None:
    assert WARN_DAYS == 30
    assert stands(systems(94, 100), 31)[3] is Lamp.YELLOW
    assert stands(systems(94, 100), 30)[3] is Lamp.RED


def test_a_target_over_nothing_is_neither_reached_nor_overdue() -> None:
    assert stands(systems(0, 0), 5) == ("empty", False, 5, None)
    assert stands(systems(0, 0), -5) == ("empty", False, -5, None)


def test_what_is_not_proved_by_the_day_is_overdue() -> None:
    assert stands(systems(1, 2, unknown=1), 60) == ("unknown", False, 60, Lamp.YELLOW)
    assert stands(systems(1, 2, unknown=1), 3) == ("unknown", False, 3, Lamp.RED)
    assert stands(systems(1, 2, unknown=1), -1) == ("overdue", True, -1, Lamp.RED)


# -- parts


def test_parts_that_each_reach_the_same_value_add_up() -> None:
    parts = [(9500, systems(1, 20)), (9500, systems(0, 7))]
    assert adds_up(9500, systems(1, 27), parts) == Sum(True, 0, systems(19 + 7, 27), systems(0, 0))


def test_lower_parts_do_not_add_up_and_the_gap_is_counted() -> None:
    parts = [(9000, systems(0, 100)), (9000, systems(0, 100))]
    found = adds_up(9500, systems(0, 200), parts)
    assert found == Sum(False, 10, systems(180, 200), systems(0, 0))


def test_a_part_beyond_its_own_stays_where_it_is() -> None:
    parts = [(5000, systems(100, 100)), (9000, systems(0, 100))]
    assert adds_up(9500, systems(100, 200), parts) == Sum(True, 0, systems(190, 200), systems(0, 0))


def test_what_no_part_covers_counts_as_it_is_now() -> None:
    whole = systems(3, 30)
    found = adds_up(9500, whole, [(10_000, systems(1, 20))])
    assert found == Sum(False, 7, systems(22, 30), systems(2, 10))  # 22 of 30; 29 are needed


def test_a_part_reaches_its_own_with_whole_systems_only() -> None:
    found = adds_up(
        9000, systems(0, 3), [(5000, systems(0, 1)), (5000, systems(0, 1)), (5000, systems(0, 1))]
    )
    assert found.outcome == systems(3, 3)
    assert found.is_enough is True


def test_a_part_that_needs_a_little_more_than_one_system_needs_two() -> None:
    assert adds_up(5000, systems(0, 2), [(5050, systems(0, 2))]).outcome == systems(2, 2)
    assert adds_up(5000, systems(0, 2), [(5000, systems(0, 2))]).outcome == systems(1, 2)


def test_a_decomposition_over_nothing_proves_nothing() -> None:
    assert adds_up(9500, systems(0, 0), [(9500, systems(0, 0))]) == Sum(None, 0, systems(0, 0), systems(0, 0))


def part(scope: str, **changes: object) -> Wanted:
    given = {"measure": "migration_rate", "value": 9500, "due_on": date(2026, 12, 31), **changes}
    return Wanted(scope, **given)  # type: ignore[arg-type]


def faults(*parts: Wanted) -> list[tuple[str, str]]:
    return [(fault.place, fault.code) for fault in part_faults(PROVINCE, parts, PATHS)]


def test_cities_and_the_provinces_own_departments_are_parts_of_the_province() -> None:
    assert faults(part("division:450100"), part("division:450200"), part("own:450000")) == []


def test_a_part_measures_the_same_and_is_due_by_the_same_day() -> None:
    late = part("division:450100", due_on=date(2027, 1, 1))
    assert faults(late) == [("0.due_on", "after_parent")]
    assert faults(part("division:450100", due_on=date(2026, 12, 30))) == []
    other = part("division:450200", measure="ipv6_rate")
    assert faults(part("division:450100"), other) == [("1.measure", "other_measure")]


def test_a_part_lies_inside_its_parent_and_is_not_the_parent_itself() -> None:
    assert faults(part("division:999999")) == [("0.scope", "outside")]
    assert faults(part("division:450000")) == [("0.scope", "outside")]


def test_no_system_counts_in_two_parts() -> None:
    city, inside = part("division:450100"), part("department:nn-edu")
    assert faults(city, inside) == [("1.scope", "overlap")]
    assert faults(inside, city) == [("1.scope", "overlap")]
    assert faults(city, part("division:450200"), city) == [("2.scope", "overlap")]


def test_faults_of_parts_are_words_that_name_both_scopes() -> None:
    found = list(part_faults(PROVINCE, [part("division:450100"), part("department:nn-edu")], PATHS))
    assert found[0].text() == "department:nn-edu and division:450100 overlap"
    [outside] = part_faults(PROVINCE, [part("division:999999")], PATHS)
    assert outside.text() == "division:999999 is no part of division:450000"
    [other] = part_faults(PROVINCE, [part("division:450100", measure="ipv6_rate")], PATHS)
    assert other.text() == "a part measures what its parent does: migration_rate"
    [late] = part_faults(PROVINCE, [part("division:450100", due_on=date(2027, 1, 1))], PATHS)
    assert late.text() == "a part is due by the day of its parent, 2026-12-31"


# -- how people write a percentage


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("95", 9500),
        ("95%", 9500),
        ("95.5", 9550),
        ("94.99 %", 9499),
        ("95.05", 9505),
        ("９５％", 9500),
        ("100", 10_000),
        ("0.01", 1),
        ("94.996", None),
        ("100.01", None),
        ("0", None),
        ("-5", None),
        ("1000", None),
        ("九十五", None),
        ("95 😀", None),
        ("1e1", None),
        ("", None),
    ],
)
def test_a_value_is_read_as_hundredths_of_a_percent_or_not_at_all(text: str, value: int | None) -> None:
    assert parse_percent(text) == value
