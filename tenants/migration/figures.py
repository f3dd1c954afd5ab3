"""The figures of a day: rates of any scope and group, and who is ahead; counted live, or of any past day.

A system counts where the register had it on that day: a department that moved to another city counts there
from the day it moved, and for the old one before. Figures are for everybody; lists of systems are not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, NotFound
from cloudctl.models import SystemVersion, Target
from cloudctl.queries import migration as reads
from cloudctl.queries.migration import Place
from cloudctl.store import UnitOfWork
from tenants.migration import rates, rules, scopes
from tenants.migration.counting import GROUPS, Day, count, day_of, inside, scope_of
from tenants.migration.rates import DECIDED, Tally
from tenants.migration.rule import Rule
from tenants.migration.scopes import OWN_LEVEL, Scope

Json = dict[str, Any]
MEASURES = {"all": "migration_rate", "new": "new_systems_rate"}
RANKED = {"cities": "city", "counties": "county", "departments": "department"}


@dataclass(frozen=True)
class Counted:
    """What all figures of one answer share: the day, the rule's label, names, and targets by scope."""

    day: date
    rule: str
    names: Mapping[str, str]
    targets: Mapping[tuple[str, str], Target]


def rate(
    core: Core,
    actor: Actor,
    scope: str | None = None,
    by: str = "all",
    on: date | None = None,
    rule: str | None = None,
) -> list[Json]:
    """One row for each scope and group; without a scope the province, its own level and each city.

    Needs migration.see anywhere. BadInput for what is no scope, group or day that can be counted; NotFound
    for a scope or rule that does not exist.
    """
    _one_of("by", by, GROUPS)
    return _rows(core, actor, scope, (by,), on, rule)


def groups(
    core: Core, actor: Actor, scope: str, on: date | None = None, rule: str | None = None
) -> list[Json]:
    """The figures of a scope by every group there is (new systems, MLPS level, level), counted at once."""
    return _rows(core, actor, scope, GROUPS[1:], on, rule)


def _rows(
    core: Core, actor: Actor, scope: str | None, by: Sequence[str], on: date | None, rule: str | None
) -> list[Json]:
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        when, chosen = day_of(core.clock.now(), on), rules.choose(uow, rule)
        places = reads.places(uow)
        wanted = [scope_of(uow, scope, places)] if scope else usual(places)
        shared = Counted(when.day, chosen.label, names_of(uow, wanted, places), targets_at(uow, when))
        found = tallies_of(uow, chosen.rule, when, places, wanted, by)
    named = sorted({group for _, group in found} | (set(by) & MEASURES.keys()))
    return [figure(one, group, found.get((str(one), group)), shared) for one in wanted for group in named]


def ranking(
    core: Core,
    actor: Actor,
    of: str = "cities",
    within: str | None = None,
    on: date | None = None,
    rule: str | None = None,
) -> list[Json]:
    """Cities, counties or departments by rate, the highest first; equal rates share a rank.

    Rates are compared exactly, then codes of GB/T 2260; where nothing should have moved there is no rank.
    """
    actor.must("migration.see", actor.scopes("migration.see"))
    _one_of("of", of, tuple(RANKED))
    with core.store.read() as uow:
        when, chosen = day_of(core.clock.now(), on), rules.choose(uow, rule)
        places = reads.places(uow)
        within_codes = _divisions_within(uow, within, places)
        if of == "departments":
            conditions = [SystemVersion.division_code.in_(within_codes)] if within else []
            counted = count(uow, chosen.rule, when, ("department_id",), ("all",), *conditions)
            known = reads.departments(uow)
            tallies = _by_department(counted.get("all", {}), known)
            names = {f"department:{key}": name for key, (name, _) in known.items()}
        else:
            counted = count(uow, chosen.rule, when, ("division_code",))
            tallies = _by_division(counted.get("all", {}), RANKED[of], within_codes, places)
            names = {f"division:{code}": place.name for code, place in places.items()}
        shared = Counted(when.day, chosen.label, names, targets_at(uow, when))
    kind = "department" if of == "departments" else "division"
    return [
        {"rank": place, **figure(Scope(kind, key.rpartition("/")[2]), "all", tallies[key], shared)}
        for place, key in rates.ranked(tallies)
    ]


def figure(scope: Scope, group: str, tally: Tally | None, shared: Counted) -> Json:
    """One figure as a row: what was counted, the rate, the target, and how far it is."""
    one, key = tally or Tally(), str(scope)
    target = shared.targets.get((key, MEASURES.get(group, "")))
    value = target.value if target else None
    reached = None if value is None else rates.reaches(one.numerator_hundredths, one.denominator, value)
    left_out = one.left_out(DECIDED)
    return {
        "id": key if group == "all" else f"{key}/{group}",
        "name": shared.names.get(key, scope.key),
        "state": None if reached is None else "reached" if reached else "behind",
        "scope": key,
        "group": group,
        "numerator": rates.systems_text(one.numerator_hundredths),
        "denominator": one.denominator,
        "rate": rates.percent(one.numerator_hundredths, one.denominator),
        "verified": rates.systems_text(one.verified_hundredths),
        "verified_rate": rates.percent(one.verified_hundredths, one.denominator),
        "unknown": one.unknown,
        "idle": one.idle,
        "target": None if value is None else rates.percent_text(value),
        "deadline": target.due_on if target else None,
        "still_to_move": None if reached is None or value is None
        else rates.still_to_move(one.numerator_hundredths, one.denominator, value),
        "registered": one.registered,
        "excluded": dict(one.excluded),
        "exclusion_share": rates.percent(left_out * rates.WHOLE, left_out + one.denominator),
        "rule": shared.rule,
        "on": shared.day,
    }  # fmt: skip


def targets_at(uow: UnitOfWork, when: Day) -> dict[tuple[str, str], Target]:
    """The newest target that was open at the moment, by (scope, measure)."""
    was_open = (Target.closed_at.is_(None)) | (Target.closed_at > when.at)
    conditions = (Target.measure.in_(tuple(MEASURES.values())), Target.created_at <= when.at, was_open)
    rows = uow.all(Target, *conditions, order_by=[Target.id])
    return {(row.scope, row.measure): row for row in rows}


def names_of(uow: UnitOfWork, wanted: Iterable[Scope], places: Mapping[str, Place]) -> dict[str, str]:
    """What people read for these scopes; one that is not known any more is its code."""
    wanted = list(wanted)
    departments = reads.departments(uow) if any(one.kind == "department" for one in wanted) else {}
    names = {}
    for one in wanted:
        if one.kind == "department":
            name = departments[one.key][0] if one.key in departments else one.key
        else:
            name = places[one.key].name if one.key in places else one.key
        names[str(one)] = name + OWN_LEVEL if one.kind == "own" else name
    return names


def province_of(places: Mapping[str, Place]) -> Place:
    """The one division above all. NotFound before a topology was applied."""
    for place in places.values():
        if place.level == "province" and not place.is_retired:
            return place
    raise NotFound("no topology was applied yet", hint="run: cloudctl topology apply FILE")


def usual(places: Mapping[str, Place]) -> list[Scope]:
    """What is shown when nobody names a scope: the province, its own level, and each city."""
    top = province_of(places).code
    cities = sorted(one.code for one in places.values() if one.level == "city" and not one.is_retired)
    return [Scope("division", top), Scope("own", top), *(Scope("division", code) for code in cities)]


def _divisions_within(uow: UnitOfWork, within: str | None, places: Mapping[str, Place]) -> set[str]:
    if within is None:
        return set(places)
    scope = scope_of(uow, within, places, "within")
    if scope.kind != "division":
        fault = Fault("within", "bad_scope", "a ranking is within a division", hint="write division:450100")
        raise BadInput("the scope cannot be read", faults=[fault])
    return scopes.below(scope.key, {code: place.parent_code for code, place in places.items()})


def tallies_of(
    uow: UnitOfWork,
    rule: Rule,
    when: Day,
    places: Mapping[str, Place],
    wanted: Sequence[Scope],
    by: Sequence[str] = ("all",),
) -> dict[tuple[str, str], Tally]:
    """The tallies by (scope, group): of one scope, or of divisions and their own levels."""
    is_department = wanted[0].kind == "department"
    conditions = inside(wanted[0], places) if len(wanted) == 1 else ()
    key = "department_id" if is_department else "division_code"
    counted = count(uow, rule, when, (key,), by, *conditions)
    parents = {code: place.parent_code for code, place in places.items()}
    found: dict[tuple[str, str], Tally] = {}
    for group, by_key in counted.items():
        own = {str(code): tally for (code,), tally in by_key.items()}
        if is_department:
            found |= {(f"department:{code}", group): tally for code, tally in own.items()}
            continue
        found |= {(f"own:{code}", group): tally for code, tally in own.items()}
        sums = scopes.pooled(own, parents)
        found |= {(f"division:{code}", group): tally for code, tally in sums.items()}
    return found


def _by_division(
    by_key: Mapping[tuple[Any, ...], Tally], level: str, inside: set[str], places: Mapping[str, Place]
) -> dict[str, Tally]:
    """Divisions of a level, those without any system as well, unless they were retired."""
    parents = {code: place.parent_code for code, place in places.items()}
    sums = scopes.pooled({code: tally for (code,), tally in by_key.items()}, parents)
    return {
        code: sums.get(code, Tally())
        for code in inside
        if places[code].level == level and (code in sums or not places[code].is_retired)
    }


def _by_department(
    by_key: Mapping[tuple[Any, ...], Tally], known: Mapping[str, tuple[str, str]]
) -> dict[str, Tally]:
    """Departments by `division/department`, so that equal rates come in order of the division's code."""
    return {f"{known[key][1]}/{key}": tally for (key,), tally in by_key.items()}


def _one_of(place: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        params = {"given": value[:60], "choices": ", ".join(choices)}
        fault = Fault(place, "unknown_word", "'{given}' is none of: {choices}", params)
        raise BadInput("the input has faults", faults=[fault])
