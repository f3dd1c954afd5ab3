"""Figures of a day out of the register's history: scopes, groups, past days, targets, rankings."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from cloudctl.actors import Actor, Role
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import BadInput, NotAllowed, NotFound
from cloudctl.models import Division, Target
from tenants.migration import figures, rules
from tenants.migration.counting import day_of
from tests.builders import a_person, an_actor
from tests.counted_register import MOVED, a_city, a_province_without_systems, a_system, a_target, then

PROVINCE, OWN, NANNING = "division:450000", "own:450000", "division:450100"


@pytest.fixture
def dave(core: Core) -> Actor:
    a_province_without_systems(core)
    return an_actor(core, "dave")


def rates(core: Core, actor: Actor, **asked: Any) -> dict[str, tuple[Any, Any, Any]]:
    """(numerator, denominator, rate) by the row's id."""
    rows = figures.rate(core, actor, **asked)
    return {row["id"]: (row["numerator"], row["denominator"], row["rate"]) for row in rows}


def some_systems(core: Core) -> None:
    """3 of 4 of the region's own, 1 of 2 of Nanning's district; a county's own levels do not count."""
    for n, moved in enumerate((True, True, True, False)):
        a_system(core, f"gx-{n}", **(MOVED if moved else {}))
    a_system(core, "nn-0", "nn-qingxiu-edu", level="city", **MOVED)
    a_system(core, "nn-1", "nn-qingxiu-edu", level="city")
    a_system(core, "nn-2", "nn-qingxiu-edu", level="county", **MOVED)


def test_the_province_is_pooled_and_its_own_level_and_cities_stand_beside_it(core: Core, dave: Actor) -> None:
    some_systems(core)
    assert rates(core, dave) == {
        PROVINCE: (4, 6, "66.66"),
        OWN: (3, 4, "75.00"),
        NANNING: (1, 2, "50.00"),
    }
    row = figures.rate(core, dave)[2]
    assert (row["name"], row["registered"], row["excluded"]) == ("南宁市", 3, {"other_level": 1})
    assert figures.rate(core, dave)[1]["name"] == "广西壮族自治区本级"


def test_every_row_has_what_scripts_rely_on(core: Core, dave: Actor) -> None:
    some_systems(core)
    a_target(core, PROVINCE, 9500, date(2026, 12, 31))
    row = figures.rate(core, dave)[0]
    assert {name: row[name] for name in ("id", "name", "state", "scope", "group", "rule", "on")} == {
        "id": PROVINCE,
        "name": "广西壮族自治区",
        "state": "behind",
        "scope": PROVINCE,
        "group": "all",
        "rule": "default@1",
        "on": date(2026, 11, 21),
    }
    assert (row["target"], row["deadline"], row["still_to_move"]) == ("95.00", date(2026, 12, 31), 2)
    assert (row["verified"], row["verified_rate"], row["unknown"], row["idle"]) == (0, "0.00", 0, 0)


@pytest.mark.parametrize(
    ("scope", "counted"),
    [
        (PROVINCE, (4, 6, "66.66")),
        (OWN, (3, 4, "75.00")),
        ("own:450100", (0, 0, None)),
        ("division:450103", (1, 2, "50.00")),
        ("department:nn-qingxiu-edu", (1, 2, "50.00")),
        ("department:gx-finance", (3, 4, "75.00")),
    ],
)
def test_any_scope_can_be_asked_for(core: Core, dave: Actor, scope: str, counted: Any) -> None:
    some_systems(core)
    assert rates(core, dave, scope=scope) == {scope: counted}


def test_groups_split_a_scope(core: Core, dave: Actor) -> None:
    a_system(core, "a", mlps_level=3, commissioned_on=date(2026, 1, 1), **MOVED)
    a_system(core, "b", mlps_level=3, commissioned_on=date(2025, 12, 31))
    a_system(core, "c", mlps_level=2, level="city")
    assert rates(core, dave, scope=OWN, by="mlps") == {
        f"{OWN}/mlps:2": (0, 1, "0.00"),
        f"{OWN}/mlps:3": (1, 2, "50.00"),
    }
    assert rates(core, dave, scope=OWN, by="level") == {
        f"{OWN}/level:city": (0, 1, "0.00"),
        f"{OWN}/level:province": (1, 2, "50.00"),
    }
    assert rates(core, dave, scope=OWN, by="new") == {f"{OWN}/new": (1, 1, "100.00")}
    assert rates(core, dave, scope=NANNING, by="new") == {f"{NANNING}/new": (0, 0, None)}
    apart = [row for by in ("level", "mlps", "new") for row in figures.rate(core, dave, OWN, by)]
    assert figures.groups(core, dave, OWN) == apart


def test_an_empty_scope_has_no_rate_and_reaches_nothing(core: Core, dave: Actor) -> None:
    a_target(core, NANNING, 9500, date(2026, 12, 31))
    row = figures.rate(core, dave, scope=NANNING)[0]
    assert (row["rate"], row["verified_rate"], row["state"], row["still_to_move"]) == (None,) * 4
    assert (row["denominator"], row["exclusion_share"]) == (0, None)


def test_94_996_of_100_000_is_behind_a_target_of_95(core: Core, dave: Actor) -> None:
    from tenants.migration.rates import Tally
    from tenants.migration.scopes import Scope

    a_target(core, PROVINCE, 9500, date(2026, 12, 31))
    with core.store.read() as uow:
        targets = figures.targets_at(uow, day_of(core.clock.now()))
    shared = figures.Counted(date(2026, 11, 21), "default@1", {}, targets)
    tally = Tally(100_000, 100_000, 94_996 * 100)
    row = figures.figure(Scope("division", "450000"), "all", tally, shared)
    assert (row["rate"], row["state"], row["still_to_move"]) == ("94.99", "behind", 4)


# -- days


def test_a_department_that_moved_city_mid_year_counts_where_it_was_on_that_day(
    core: Core, dave: Actor
) -> None:
    liuzhou = a_city(core, "450200", "柳州市", "lz-finance")
    a_system(core, "it", "lz-finance", level="city", **MOVED)
    moved = datetime(2026, 6, 30, 16, tzinfo=UTC)  # midnight in Beijing: the first moment of July
    then(core, "it", moved, division_code="450103", department_id="lz-finance")
    for day, city, other in (
        (date(2026, 6, 30), liuzhou, NANNING),
        (date(2026, 7, 1), NANNING, liuzhou),
        (None, NANNING, liuzhou),
    ):
        found = rates(core, dave, on=day)
        assert (found[city], found[other]) == ((1, 1, "100.00"), (0, 0, None)), day
        assert rates(core, dave, scope="department:lz-finance", on=day).popitem()[1] == (1, 1, "100.00")


def test_a_past_day_is_counted_as_it_ended_and_today_as_it_is(core: Core, dave: Actor) -> None:
    a_system(core, "it")
    now = core.clock.now()
    then(core, "it", now - timedelta(days=1), **MOVED)
    then(core, "it", now + timedelta(hours=1), life_state="retired")
    today = date(2026, 11, 21)
    assert rates(core, dave, scope=OWN, on=today) == rates(core, dave, scope=OWN) == {OWN: (1, 1, "100.00")}
    assert rates(core, dave, scope=OWN, on=today - timedelta(days=1))[OWN] == (1, 1, "100.00")
    assert rates(core, dave, scope=OWN, on=today - timedelta(days=2))[OWN] == (0, 1, "0.00")
    assert rates(core, dave, scope=OWN, on=date(2019, 1, 1))[OWN] == (0, 0, None)


def test_an_exemption_counts_up_to_its_last_day(core: Core, dave: Actor) -> None:
    a_system(core, "it", stage="exempt", exempt_until=date(2026, 10, 31))
    assert rates(core, dave, scope=OWN, on=date(2026, 10, 31))[OWN][1] == 0
    assert rates(core, dave, scope=OWN, on=date(2026, 11, 1))[OWN][1] == 1
    [row] = figures.rate(core, dave, scope=OWN, on=date(2026, 10, 31))
    assert (row["excluded"], row["exclusion_share"]) == ({"exempt": 1}, "100.00")


@pytest.mark.parametrize(
    ("on", "words"),
    [
        (date(2026, 11, 22), "2026-11-22 lies ahead"),
        (date(1999, 12, 31), "1999-12-31 lies before 2000-01-01"),
    ],
)
def test_a_day_that_cannot_be_counted_is_refused(core: Core, dave: Actor, on: date, words: str) -> None:
    for ask in (figures.rate, figures.ranking):
        with pytest.raises(BadInput) as refused:
            ask(core, dave, on=on)
        assert words in refused.value.faults[0].text()


def test_today_is_the_day_in_beijing(core: Core, dave: Actor, clock: FrozenClock) -> None:
    clock.advance(9 * 3600)  # 17:00 in UTC, the next day in Beijing
    assert figures.rate(core, dave)[0]["on"] == date(2026, 11, 22)
    assert figures.rate(core, dave, on=date(2026, 11, 22))


# -- what is asked wrongly, and who may ask


@pytest.mark.parametrize(
    ("scope", "hint"),
    [
        ("450000", "write division:450000, own:450000 or department:CODE"),
        ("division:", "write division:450000, own:450000 or department:CODE"),
        ("devision:450000", "did you mean 'division:450000'?"),
        ("project:x", "write division:450000, own:450000 or department:CODE"),
    ],
)
def test_what_is_no_scope_is_answered_with_what_is(core: Core, dave: Actor, scope: str, hint: str) -> None:
    with pytest.raises(BadInput) as refused:
        figures.rate(core, dave, scope=scope)
    assert hint in refused.value.faults[0].text()


@pytest.mark.parametrize("scope", ["division:459999", "own:459999", "department:nobody"])
def test_a_scope_that_does_not_exist_is_not_found(core: Core, dave: Actor, scope: str) -> None:
    with pytest.raises(NotFound):
        figures.rate(core, dave, scope=scope)


def test_scopes_are_known_by_their_names_as_well(core: Core, dave: Actor) -> None:
    some_systems(core)
    alice = an_actor(core, "alice")
    for scope in ("division:南宁市", "own:广西壮族自治区", "department:青秀区教育局"):
        assert len(rates(core, alice, scope=scope)) == 1
    assert figures.ranking(core, alice, "counties", within="division:南宁市")[0]["name"] == "青秀区"
    with core.store.write() as uow:
        uow.add(Division(code="450200", name="南宁市", level="city", parent_code="450000", served_by=[]))
    with pytest.raises(NotFound):
        rates(core, alice, scope="division:南宁市")


def test_unknown_groups_rankings_and_rules_are_refused(core: Core, dave: Actor) -> None:
    with pytest.raises(BadInput, match="faults"):
        figures.rate(core, dave, by="size")
    with pytest.raises(BadInput):
        figures.ranking(core, dave, of="villages")
    with pytest.raises(BadInput):
        figures.ranking(core, dave, within="department:gx-finance")
    with pytest.raises(NotFound):
        figures.ranking(core, dave, within="division:459999")
    for rule in ("gx-2026", "default@2", "default@x", "@"):
        with pytest.raises(NotFound, match="known: default@1"):
            figures.rate(core, dave, rule=rule)


def test_figures_are_for_everybody_with_a_role_in_the_business(core: Core, dave: Actor) -> None:
    some_systems(core)
    for user in ("alice", "frank", "heidi", "ivan"):
        assert rates(core, an_actor(core, user)) == rates(core, dave)
    for nobody in (an_actor(core, "sam"), Actor("x", "x")):
        with pytest.raises(NotAllowed):
            figures.rate(core, nobody)
        with pytest.raises(NotAllowed):
            figures.ranking(core, nobody)
    of_a_site = a_person(core, "li", Role.CLOUD_ADMIN, ("site", "city-1"))
    assert figures.ranking(core, of_a_site)


# -- targets


def test_the_newest_open_target_of_the_scope_and_measure_counts(core: Core, dave: Actor) -> None:
    some_systems(core)
    a_target(core, OWN, 9000, date(2026, 6, 30))
    a_target(core, OWN, 7500, date(2026, 12, 31))
    a_target(core, OWN, 10_000, date(2026, 9, 30), "new_systems_rate")
    a_target(core, OWN, 5000, date(2026, 9, 30), "ipv6_rate")
    [row] = figures.rate(core, dave, scope=OWN)
    assert (row["target"], row["state"], row["still_to_move"]) == ("75.00", "reached", 0)
    [row] = figures.rate(core, dave, scope=OWN, by="new")
    assert (row["target"], row["deadline"]) == ("100.00", date(2026, 9, 30))
    [row] = figures.rate(core, dave, scope=OWN, by="level")
    assert row["target"] is None
    assert figures.rate(core, dave)[0]["target"] is None


def test_a_closed_target_counts_for_the_days_before(core: Core, dave: Actor) -> None:
    some_systems(core)
    a_target(core, OWN, 9000, date(2026, 6, 30))
    with core.store.write() as uow:
        uow.update(Target, Target.id > 0, closed_at=datetime(2026, 7, 1, tzinfo=UTC))
    assert figures.rate(core, dave, scope=OWN)[0]["target"] is None
    assert figures.rate(core, dave, scope=OWN, on=date(2026, 6, 1))[0]["target"] == "90.00"
    assert figures.rate(core, dave, scope=OWN, on=date(2025, 6, 1))[0]["target"] is None


# -- rankings


def test_cities_are_ranked_exactly_with_ties_in_order_of_their_codes(core: Core, dave: Actor) -> None:
    for code, name, department in (
        ("450200", "柳州市", "lz"), ("450300", "桂林市", "gl"), ("450400", "梧州市", "wz"),
        ("450500", "北海市", "bh"),
    ):  # fmt: skip
        a_city(core, code, name, department)
    for department, moved, counted in (("lz", 1, 2), ("gl", 2, 3), ("wz", 2, 4)):
        for n in range(counted):
            a_system(core, f"{department}-{n}", department, level="city", **(MOVED if n < moved else {}))
    a_system(core, "bh-0", "bh", level="city", life_state="retired")
    a_target(core, "division:450200", 9500, date(2026, 12, 31))
    rows = figures.ranking(core, dave)
    assert [(row["rank"], row["name"], row["rate"]) for row in rows] == [
        (1, "桂林市", "66.66"), (2, "柳州市", "50.00"), (2, "梧州市", "50.00"),
        (None, "南宁市", None), (None, "北海市", None),
    ]  # fmt: skip
    assert [row["still_to_move"] for row in rows[:3]] == [None, 1, None]


def test_counties_and_departments_are_ranked_inside_a_division(core: Core, dave: Actor) -> None:
    some_systems(core)
    with core.store.write() as uow:
        uow.add(Division(code="450102", name="兴宁区", level="county", parent_code="450100", served_by=[]))
    a_city(core, "450200", "柳州市", "lz-finance")
    a_system(core, "lz-0", "lz-finance", level="city")
    counties = figures.ranking(core, dave, of="counties", within=NANNING)
    assert [(row["name"], row["rank"]) for row in counties] == [("青秀区", 1), ("兴宁区", None)]
    departments = figures.ranking(core, dave, of="departments")
    assert [(row["name"], row["rank"], row["rate"]) for row in departments] == [
        ("财政厅", 1, "75.00"), ("青秀区教育局", 2, "50.00"), ("柳州市财政局", 3, "0.00"),
    ]  # fmt: skip
    inside = figures.ranking(core, dave, of="departments", within=NANNING)
    assert [row["scope"] for row in inside] == ["department:nn-qingxiu-edu"]


def test_a_division_that_was_given_up_is_ranked_while_it_has_systems(core: Core, dave: Actor) -> None:
    old = a_city(core, "450200", "柳州市", "lz-finance")
    a_system(core, "lz-0", "lz-finance", level="city")
    with core.store.write() as uow:
        uow.update(Division, Division.code == "450200", retired_at=core.clock.now())
    assert old in {row["scope"] for row in figures.ranking(core, dave)}
    then(
        core, "lz-0", core.clock.now() - timedelta(days=1), division_code="450103", department_id="lz-finance"
    )
    assert old not in {row["scope"] for row in figures.ranking(core, dave)}
    assert old not in {row["scope"] for row in figures.rate(core, dave)}


def test_the_rule_that_is_asked_for_counts_and_is_named(core: Core, dave: Actor) -> None:
    some_systems(core)
    from tenants.migration import rule as one_rule

    document = {**one_rule.as_document(one_rule.DEFAULT), "name": "wide", "levels": ["province"]}
    rules.apply(core, dave, one_rule.read(document))
    assert figures.rate(core, dave)[0]["rule"] == "wide@1", "the first that is applied is in use"
    assert rates(core, dave)[PROVINCE] == (3, 4, "75.00")
    [row] = figures.rate(core, dave, scope=PROVINCE, rule="default@1")
    assert (row["rule"], row["denominator"]) == ("default@1", 6)


def test_parts_of_systems_show_their_hundredths(core: Core, dave: Actor) -> None:
    from tenants.migration import rule as one_rule

    document = {**one_rule.as_document(one_rule.DEFAULT), "name": "half", "partial_weight_hundredths": 50}
    rules.apply(core, dave, one_rule.read(document))
    a_system(core, "whole", **MOVED)
    a_system(core, "part", agreement="partial", **MOVED)
    a_system(core, "full", agreement="full", **MOVED)
    assert rates(core, dave, scope=OWN) == {OWN: ("2.50", 3, "83.33")}
