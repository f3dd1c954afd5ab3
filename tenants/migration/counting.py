"""Counting a day: the moment, the rule and the register together, every kind of system judged once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from cloudctl.clock import end_of_day, local_day
from cloudctl.errors import BadInput, Fault, NotFound
from cloudctl.models import SystemVersion
from cloudctl.queries import migration as reads
from cloudctl.queries.migration import Moment, Place
from cloudctl.store import UnitOfWork
from tenants.migration.rates import Facts, Tally, Verdict, judge
from tenants.migration.rule import Rule
from tenants.migration.scopes import Scope, below, parse

FIRST_DAY = date(2000, 1, 1)  # before it there is nothing to count, and date arithmetic has an end
ALL = ("all",)
GROUPS = ("all", "new", "mlps", "level")


@dataclass(frozen=True)
class Day:
    """A day that is counted, and the last moment of it that is known: now, on the day that it is."""

    day: date
    at: datetime


def day_of(now: datetime, on: date | None = None, place: str = "on") -> Day:
    """The day to count; today when none is named. BadInput for a day that lies ahead or in another age."""
    today = local_day(now)
    if on is None or on == today:
        return Day(today, now)
    params = {"day": on, "today": today, "first": FIRST_DAY}
    if on > today:
        fault = Fault(place, "future_date", "{day} lies ahead; today is {today}", params)
        raise BadInput("the day cannot be counted", faults=[fault])
    if on < FIRST_DAY:
        fault = Fault(place, "too_early", "{day} lies before {first}", params)
        raise BadInput("the day cannot be counted", faults=[fault])
    return Day(on, end_of_day(on) - timedelta(microseconds=1))


def moment(rule: Rule, when: Day) -> Moment:
    """What the database has to know to say which systems are alike."""
    return Moment(
        at=when.at,
        day=when.day,
        stages=rule.stages,
        hosted_on=rule.hosted_on,
        new_since=rule.new_since,
        live_since=when.at - timedelta(days=rule.live_days),
        fresh_since=when.at - timedelta(hours=rule.fresh_hours),
        idle_since=when.at - timedelta(days=rule.idle_days),
        max_gap_s=rule.max_gap_hours * 3600,
    )


def facts(kind: int, rule: Rule) -> Facts:
    """The facts of a kind that the database gave; a moved one is in a stage and on a cloud that count."""
    said = reads.unfold(kind)
    has_moved = said.pop("has_moved")
    stage, hosting = (rule.stages[0], rule.hosted_on[0]) if has_moved else ("", "")
    return Facts(**said, stage=stage, hosting=hosting)


def scope_of(uow: UnitOfWork, text: str, places: Mapping[str, Place], place: str = "scope") -> Scope:
    """The scope written so, with its code or its name. BadInput for what is none, NotFound for nobody's."""
    scope = parse(text, place)
    if scope.kind == "department":
        known = {key: name for key, (name, _) in reads.departments(uow).items()}
    else:
        known = {code: place.name for code, place in places.items()}
    if scope.key in known:
        return scope
    named = [key for key, name in known.items() if name == scope.key]
    if len(named) != 1:
        what = "department" if scope.kind == "department" else "division"
        raise NotFound("{what} '{key}' does not exist", what=what, key=scope.key)
    return Scope(scope.kind, named[0])


def inside(scope: Scope, places: Mapping[str, Place]) -> Sequence[Any]:
    """What limits the register's history to a scope."""
    if scope.kind == "department":
        return (SystemVersion.department_id == scope.key,)
    if scope.kind == "own":
        return (SystemVersion.division_code == scope.key,)
    parents = {code: place.parent_code for code, place in places.items()}
    return (SystemVersion.division_code.in_(below(scope.key, parents)),)


def groups_of(one: Facts, by: Iterable[str]) -> list[str]:
    """The groups that a system falls into: `all`, `new`, `mlps:3`, `level:city`."""
    found = []
    for group in by:
        if group == "mlps":
            found.append(f"mlps:{one.mlps_level}")
        elif group == "level":
            found.append(f"level:{one.level}")
        elif group == "all" or one.is_new:
            found.append(group)
    return found


Counted = dict[str, dict[tuple[Any, ...], Tally]]  # group -> key -> tally


def count(
    uow: UnitOfWork,
    rule: Rule,
    when: Day,
    keys: Sequence[str],
    by: Sequence[str] = ("all",),
    *conditions: Any,
) -> Counted:
    """The tallies of a day by group and by columns of the register's history, such as `division_code`."""
    judged: dict[int, tuple[Verdict, list[str]]] = {}
    counts: dict[str, dict[tuple[Any, ...], dict[Verdict, int]]] = {}
    for key, kind, systems in reads.alike(uow, moment(rule, when), keys, by, *conditions):
        if kind not in judged:
            one = facts(kind, rule)
            judged[kind] = judge(one, rule), groups_of(one, by)
        verdict, groups = judged[kind]
        for group in groups:
            verdicts = counts.setdefault(group, {}).setdefault(key, {})
            verdicts[verdict] = verdicts.get(verdict, 0) + systems
    return {
        group: {key: Tally.counted(verdicts) for key, verdicts in by_key.items()}
        for group, by_key in counts.items()
    }
