"""Counting kinds of systems in the database gives what judging each system alone gives."""

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from cloudctl.core import Core
from cloudctl.models import SystemVersion
from cloudctl.queries import migration as reads
from cloudctl.queries.migration import each, places
from tenants.migration.counting import GROUPS, count, day_of, facts, groups_of, inside, moment
from tenants.migration.rates import Facts, Tally, judge, total
from tenants.migration.rule import DEFAULT
from tenants.migration.scopes import Scope
from tenants.register import fields
from tests.conftest import make_core
from tests.counted_register import a_province_without_systems
from tests.random_register import draw, verdicts

PLACES = ("division_code", "department_id")
RULES = (
    DEFAULT,
    replace(DEFAULT, live_days=0, old_host_off=False, levels=("province", "city", "county"), new_since=None),
    replace(
        DEFAULT, hosted_on=("gov_cloud", "industry_cloud"), stages=("trial", "done"), fresh_hours=200,
        max_gap_hours=300, idle_days=5, partial_weight_hundredths=50,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Any:
    core = make_core(tmp_path_factory.mktemp("drawn"))
    a_province_without_systems(core)
    draw(core, 400, seed=11)
    yield core
    core.store.close()


@pytest.mark.parametrize("rule", RULES, ids=["default", "wide", "other"])
@pytest.mark.parametrize("on", [None, date(2026, 11, 20), date(2026, 9, 1), date(2026, 4, 1)], ids=str)
def test_kinds_counted_once_are_systems_judged_one_by_one(drawn: Core, rule: Any, on: date | None) -> None:
    when = day_of(drawn.clock.now(), on)
    expected = verdicts(drawn, rule, when)
    with drawn.store.read() as uow:
        alone = {one.system: judge(facts(kind, rule), rule) for one, kind in each(uow, moment(rule, when))}
        counted = count(uow, rule, when, PLACES, GROUPS)
    assert alone == expected
    assert total(counted["all"].values()) == total(Tally.of(one) for one in expected.values())
    for group in ("mlps", "level"):
        parts = [tallies for name, tallies in counted.items() if name.startswith(group)]
        assert total(one for part in parts for one in part.values()) == total(counted["all"].values())
    answers = Counter(one.verified for one in expected.values())
    assert len(answers) > 2, "the register was drawn so that something happens"


def test_what_limits_a_count_to_a_scope_leaves_the_rest_out(drawn: Core) -> None:
    when = day_of(drawn.clock.now())
    with drawn.store.read() as uow:
        known = places(uow)
        whole = count(uow, DEFAULT, when, ("division_code", "department_id"))["all"]
        for scope in (Scope("division", "450100"), Scope("own", "450000"), Scope("department", "gx-finance")):
            part = count(
                uow, DEFAULT, when, ("division_code", "department_id"), ("all",), *inside(scope, known)
            )
            assert total(part["all"].values()) == total(
                tally
                for (division, department), tally in whole.items()
                if scope.key in (department, division)
                or (scope.kind == "division" and division.startswith("4501"))
            )


def test_a_kind_is_one_number_that_says_everything() -> None:
    kind = 0b1_0000_1000_0011 | 2 << 15 | 2 << 18 | 3 << 21
    one = facts(kind, DEFAULT)
    assert one == Facts(
        "city", "in_use", 3, is_new=True, stage="accepted", hosting="gov_cloud", wants_backup=True,
        has_stood_still=True,
    )  # fmt: skip
    assert facts(0, DEFAULT) == Facts("national", "planned", 0, stage="", hosting="")
    assert groups_of(one, GROUPS) == ["all", "new", "mlps:3", "level:city"]
    assert groups_of(replace(one, is_new=False), GROUPS) == ["all", "mlps:3", "level:city"]
    strange = facts(4 << 15 | 6 << 18, DEFAULT)
    assert (strange.level, strange.life_state) == ("", ""), "a word nobody knows counts nowhere"
    assert judge(strange, DEFAULT).reason is not None


def test_kinds_know_every_word_of_the_register() -> None:
    assert set(reads.LEVELS) == set(fields.LEVELS)
    assert set(reads.LIFE_STATES) == set(fields.LIFE_STATES)


def test_versions_of_a_system_never_count_twice(drawn: Core) -> None:
    when = day_of(drawn.clock.now())
    with drawn.store.read() as uow:
        versions = uow.count(SystemVersion)
        registered = total(count(uow, DEFAULT, when, ("division_code",))["all"].values()).registered
    assert registered == 400 < versions
