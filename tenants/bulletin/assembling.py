"""From frozen figures to a bulletin: reads the snapshot, the month before it, names and targets.

A bulletin is about a snapshot, never about the figures of the day it is made on. Names are those of today.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, NamedTuple

from cloudctl.clock import local_day
from cloudctl.errors import BadInput, Fault, NotFound
from cloudctl.models import Department, InformationSystem, RateSnapshot, StatisticalRule
from cloudctl.queries import migration as reads
from cloudctl.queries.migration import Place
from cloudctl.store import UnitOfWork
from tenants.bulletin.composing import ALL, COUNTED, Around, FrozenMonth, Listed, Territory, compose
from tenants.bulletin.content import Bulletin, Goal, Method
from tenants.migration import archive, frozen, rules, scopes
from tenants.migration.counting import Day
from tenants.migration.figures import MEASURES, province_of, targets_at
from tenants.migration.forecast import last_day, month_of, month_text
from tenants.migration.rule import recall
from tenants.migration.snapshots import figures_of

LEVELS = ("province", "city")  # of divisions that have a bulletin
_AT_ONCE = 1000  # ids in one query


@dataclass(frozen=True)
class Header:
    """A snapshot without what is heavy in it."""

    id: int
    month: str
    revision: int
    cut_off_at: datetime
    rule_id: int
    rule_name: str
    sha256: str
    reason: str

    @property
    def number(self) -> int:
        """Of the month, as months are numbered on."""
        return month_of(date.fromisoformat(f"{self.month}-01"))

    @property
    def day(self) -> date:
        """Of the cut-off."""
        return local_day(self.cut_off_at)


def find_snapshot(uow: UnitOfWork, month: str | None, rule: str | None = None) -> Header:
    """The newest revision of the month by the rule (the one in use, where none is named).

    Without a month the newest that is frozen. NotFound, with the way out, when nothing is.
    """
    name = rules.choose(uow, rule).rule.name
    conditions = [RateSnapshot.rule_name == name] + ([RateSnapshot.month == month] if month else [])
    found = _headers(uow, *conditions)
    if found:
        return max(found, key=lambda one: (one.month, one.revision))
    others = sorted({one.rule_name for one in _headers(uow, *conditions[1:])})
    params: dict[str, Any] = {"month": month or "-", "rule": name, "others": ", ".join(others)}
    hint = "freeze it first: cloudctl migration snapshot take {month}"
    if others:
        hint = "it is frozen by other rules: {others}; name one of them"
    elif month is None:
        raise NotFound(
            "no month is frozen by the rule {rule} yet",
            hint="freeze one first: cloudctl migration snapshot take MONTH",
            rule=name,
        )
    raise NotFound("{month} is not frozen by the rule {rule} yet", hint=hint, **params)


def find_division(uow: UnitOfWork, scope: str | None) -> Place:
    """The division of `division:450100`; the province when none is named.

    BadInput for a scope that has no bulletin, NotFound for one that does not exist.
    """
    places = reads.places(uow)
    if scope is None:
        return province_of(places)
    wanted = scopes.parse(scope)
    if wanted.kind == "division" and wanted.key not in places:
        raise NotFound("{what} '{key}' does not exist", what="division", key=wanted.key)
    if wanted.kind != "division" or places[wanted.key].level not in LEVELS:
        template = "a bulletin is of the province or of a city, not of {scope}"
        fault = Fault("scope", "no_bulletin", template, {"scope": scope}, "write division:450100")
        raise BadInput("the bulletin cannot be made", faults=[fault])
    return places[wanted.key]


def assemble(uow: UnitOfWork, snapshot_id: int, code: str, now: datetime, issuer: str = "") -> Bulletin:
    """The bulletin of the division from the snapshot; `now` is its date, and when targets were looked at."""
    [header] = _headers(uow, RateSnapshot.id == snapshot_id)
    earlier = _month_before(uow, header)
    places = reads.places(uow)
    rule = uow.need(StatisticalRule, header.rule_id)
    systems, systems_before = _lists(uow, header, earlier)
    month = FrozenMonth(header.month, header.revision, figures_of(uow, header.id), systems)
    before = None
    if earlier is not None:
        figures = figures_of(uow, earlier.id)
        before = FrozenMonth(earlier.month, earlier.revision, figures, systems_before)
    history = archive.history(uow, f"division:{code}", header.rule_id)
    around = Around(
        issuer=issuer,
        made_on=local_day(now),
        goals=_goals(uow, header, now),
        rule=recall(rule.document),
        history=[one for one in history if one.number <= header.number],
        method=_method(uow, header, earlier, rule),
    )
    return compose(_territory(uow, places[code], places, month), month, before, around)


def _headers(uow: UnitOfWork, *conditions: Any) -> list[Header]:
    columns = [getattr(RateSnapshot, one.name) for one in fields(Header)]
    return [Header(*row) for row in uow.tuples(columns, *conditions)]


def _month_before(uow: UnitOfWork, header: Header) -> Header | None:
    """The newest revision of the month right before, by the same rule; of no other month."""
    month = month_text(header.number - 1)
    same = (RateSnapshot.month == month, RateSnapshot.rule_name == header.rule_name)
    return max(_headers(uow, *same), key=lambda one: one.revision, default=None)


def _territory(uow: UnitOfWork, place: Place, places: Mapping[str, Place], month: FrozenMonth) -> Territory:
    """The division with what is ranked in it: what exists, and what was retired but counted in the month."""
    parents = {one.code: one.parent_code for one in places.values()}
    own = uow.all(Department, Department.division_code == place.code)
    names = {code: one.name for code, one in places.items()} | reads.department_names(uow)
    return Territory(
        code=place.code,
        name=place.name,
        level=place.level,
        areas={
            one.code: one.name
            for one in places.values()
            if one.parent_code == place.code
            and (not one.is_retired or (f"division:{one.code}", ALL) in month.figures)
        },
        units={
            one.id: one.name
            for one in own
            if one.retired_at is None or (f"department:{one.id}", ALL) in month.figures
        },
        inside=frozenset(scopes.below(place.code, parents)),
        names=names,
    )


def _lists(
    uow: UnitOfWork, header: Header, earlier: Header | None
) -> tuple[dict[str, Listed], dict[str, Listed]]:
    """Of both lists the systems that are named for something: idle ones, and those that count otherwise."""
    now = _lines(uow, header)
    before = _lines(uow, earlier) if earlier is not None else {}
    wanted = {key for key, one in now.items() if one.is_idle}
    if earlier is not None:
        wanted |= {key for key in now.keys() | before.keys() if _place(now, key) != _place(before, key)}
    names: dict[str, str] = {}
    secret: set[str] = set()
    ids = sorted(wanted)
    for some in (ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE)):
        names |= reads.system_names(uow, some)
        is_secret = (InformationSystem.id.in_(some), InformationSystem.is_classified.is_(True))
        secret |= set(uow.column(InformationSystem.id, *is_secret))

    def named(lines: Mapping[str, _Line]) -> dict[str, Listed]:
        return {
            key: Listed(
                key, names.get(key, key), one.department, one.division, one.reason, one.is_idle, key in secret
            )
            for key, one in lines.items()
            if key in wanted
        }

    return named(now), named(before)


class _Line(NamedTuple):
    """What a bulletin needs of a line of a frozen list."""

    department: str
    division: str
    reason: str
    is_idle: bool


def _lines(uow: UnitOfWork, header: Header) -> dict[str, _Line]:
    packed = uow.column(RateSnapshot.systems, RateSnapshot.id == header.id)[0]
    return {
        line["id"]: _Line(
            line["department"], line["division"], line["reason"] or COUNTED, bool(line.get("idle"))
        )
        for line in frozen.unpack(packed)
    }


def _place(lines: Mapping[str, _Line], key: str) -> tuple[str, str] | None:
    """Where a system counts, and whether."""
    one = lines.get(key)
    return None if one is None else (one.division, one.reason)


def _goals(uow: UnitOfWork, header: Header, now: datetime) -> dict[tuple[str, str], Goal]:
    """The targets that were open at the cut-off; where there was none, those set since."""
    known = targets_at(uow, Day(local_day(now), now)) | targets_at(uow, Day(header.day, header.cut_off_at))
    groups = {measure: group for group, measure in MEASURES.items()}
    return {
        (scope, groups[measure]): Goal(one.value, one.due_on, one.source)
        for (scope, measure), one in known.items()
    }


def _method(uow: UnitOfWork, header: Header, earlier: Header | None, rule: StatisticalRule) -> Method:
    rule_before = uow.need(StatisticalRule, earlier.rule_id) if earlier is not None else None
    return Method(
        rule_title=str(rule.document["title"]),
        rule_name=rule.name,
        rule_version=rule.version,
        rule_sha256=rule.sha256,
        cut_off_at=header.cut_off_at,
        revision=header.revision,
        snapshot_sha256=header.sha256,
        previous_month=earlier.month if earlier else None,
        previous_revision=earlier.revision if earlier else None,
        previous_rule_version=rule_before.version if rule_before else None,
        reason=header.reason,
        is_whole=header.day == last_day(header.number),
    )
