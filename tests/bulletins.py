"""A bulletin of realistic size: the region, 14 cities, 126 departments; made-up figures, always the same."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tenants.bulletin.composing import ALL, NEW, Around, FrozenMonth, Listed, Territory, compose
from tenants.bulletin.content import Bulletin, Goal, Method
from tenants.migration.forecast import Month
from tenants.migration.rates import Tally, total
from tenants.migration.rule import DEFAULT

ROOT = Path(__file__).resolve().parents[1]
CODE = "450000"
WHOLE, OWN = f"division:{CODE}", f"own:{CODE}"
GOAL = Goal(9500, date(2026, 12, 31), "桂政办发〔2026〕8号")
SYSTEMS = ("综合业务管理系统", "行政审批平台", "门户网站", "数据共享交换系统", "移动办公系统", "档案管理系统")
SPARE = 40  # systems of each month's list that only it has


def a_bulletin(**changes: Any) -> Bulletin:
    """The region's bulletin of November 2026."""
    return replace(_the_bulletin(), **changes)


@cache
def _the_bulletin() -> Bulletin:
    place = the_region()
    before = _month(place, "2026-10", 0.87)
    return compose(place, _month(place, "2026-11", 0.9), before, _around())


@cache
def the_region() -> Territory:
    """Guangxi as the example topology has it."""
    document = yaml.safe_load((ROOT / "examples/guangxi.yaml").read_text(encoding="utf-8"))
    divisions = {str(one["code"]): one for one in document["divisions"]}
    cities = {code: one["name"] for code, one in divisions.items() if code.endswith("00") and code != CODE}
    units = {one["code"]: one["name"] for one in document["departments"] if one["division"] == CODE}
    names = {**{code: one["name"] for code, one in divisions.items()}, **units}
    return Territory(CODE, divisions[CODE]["name"], "province", cities, units, frozenset(divisions), names)


def _month(place: Territory, month: str, level: float) -> FrozenMonth:
    chance = random.Random(20261130)
    figures: dict[tuple[str, str], Tally] = {}
    for code in place.areas:
        figures[f"division:{code}", ALL] = _count(chance, chance.randint(90, 420), level)
    for index, unit in enumerate(place.units):
        size = 0 if index == 77 else chance.randint(1, 24)
        figures[f"department:{unit}", ALL] = _count(chance, size, level + 0.03)
    own = total(one for (scope, _), one in figures.items() if scope.startswith("department:"))
    whole = total([own, *(one for (scope, _), one in figures.items() if scope.startswith("division:"))])
    excluded = {"classified": 61, "exempt": 48, "centrally_built": 35, "retired": 27, "merged": 12}
    figures[OWN, ALL] = own
    figures[WHOLE, ALL] = replace(whole, excluded=excluded, registered=whole.denominator + 183)
    figures[WHOLE, NEW] = _count(chance, 46, 0.97)
    return FrozenMonth(month, 2 if month == "2026-11" else 1, figures, dict(_systems(place, month)))


def _count(chance: random.Random, size: int, level: float) -> Tally:
    moved = min(size, round(size * min(1.0, level + chance.uniform(-0.08, 0.1))))
    unknown, idle = moved * 2 // 100, moved // 100
    verified = max(0, moved - unknown - idle - chance.randint(0, max(0, moved // 25)))
    return Tally(size, size, moved * 100, verified * 100, unknown, idle)


def _systems(place: Territory, month: str) -> Iterator[tuple[str, Listed]]:
    """A few systems that differ between the months, and the idle ones."""
    cities = sorted(place.areas)
    for number in range(160):
        name = f"{place.areas[cities[number % 14]]}{SYSTEMS[number % 6]}"
        reason = ""
        if month == "2026-11" and number < 23:
            reason = ("retired", "merged", "exempt", "classified")[number % 4]
        if month == "2026-10" and number >= 128:
            continue
        key = f"gx-sys-{number:04d}"
        unit = sorted(place.units)[number % 126]
        yield key, Listed(key, name, unit, cities[number % 14], reason, is_idle=30 <= number < 47)


def _around() -> Around:
    method = Method(
        rule_title="广西壮族自治区政务信息系统上云率统计口径（2026年）",
        rule_name="gx-2026",
        rule_version=3,
        rule_sha256="5f0c" * 16,
        cut_off_at=datetime(2026, 11, 30, 15, 59, 59, 999999, tzinfo=UTC),
        revision=2,
        snapshot_sha256="a91e" * 16,
        previous_month="2026-10",
        previous_revision=1,
        previous_rule_version=3,
        reason="更正柳州市2个系统的验收日期",
    )
    goals = {(WHOLE, ALL): GOAL, (OWN, ALL): Goal(9800, date(2026, 12, 31), "桂政办发〔2026〕8号")}
    first = 2026 * 12  # January, as months are numbered on
    history = [Month(first + n, (3100 + 91 * n + n % 3 * 7) * 100, 4200 + 14 * n) for n in range(11)]
    return Around("广西壮族自治区大数据发展局", date(2026, 12, 1), goals, DEFAULT, history, method)
