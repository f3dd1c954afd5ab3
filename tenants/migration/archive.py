"""Reading what was frozen: the snapshots, their figures and lists, what to ask about them, the history."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from cloudctl.actors import Actor
from cloudctl.clock import local_day
from cloudctl.core import Core
from cloudctl.errors import NotFound
from cloudctl.models import Department, RateFigure, RateSnapshot, StatisticalRule
from cloudctl.queries import migration as reads
from cloudctl.queries.sight import Sight
from cloudctl.store import UnitOfWork
from tenants.migration import frozen, gaming, scopes
from tenants.migration.counting import Day, scope_of
from tenants.migration.figures import Counted, figure, names_of, targets_at, usual
from tenants.migration.forecast import Month, last_day, month_of
from tenants.migration.rates import Tally
from tenants.migration.rule import Rule, recall
from tenants.migration.snapshots import figures_of

Json = dict[str, Any]
LATEST = "latest"


def list_snapshots(core: Core, actor: Actor, month: str | None = None) -> list[Json]:
    """Every snapshot, the newest month first, then the newest revision; without lists and figures."""
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        found = _headers(uow, *([RateSnapshot.month == month] if month else []))
    return sorted(found, key=lambda row: (row["month"], row["rule_name"], row["revision"]), reverse=True)


def show_snapshot(core: Core, actor: Actor, key: str, scope: str | None = None) -> Json:
    """One snapshot by id, month or `latest`, with its figures and what to ask about them.

    The figures of all groups are those of the scope; without one, of the province, its own level and cities.
    """
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        header = _find(uow, key)
        places = reads.places(uow)
        wanted = [scope_of(uow, scope, places)] if scope else usual(places)
        keys = [str(one) for one in wanted]
        conditions = [RateFigure.scope.in_(keys)] + ([] if scope else [RateFigure.group == "all"])
        figures = figures_of(uow, header["id"], *conditions)
        when = Day(local_day(header["cut_off_at"]), header["cut_off_at"])
        names = names_of(uow, wanted, places)
        shared = Counted(when.day, header["rule"], names, targets_at(uow, when))
        groups = sorted({"all", *(group for _, group in figures)})
        rows = [
            figure(one, group, figures.get((str(one), group)), shared) for one in wanted for group in groups
        ]
        rule = _rule(uow, header["rule_id"])
        before = _before(uow, header)
        asked = _flags(uow, header, before, rule, shared, keys) if before else []
    return {**header, "figures": rows, "compared_with": before and before["name"], "flags": asked}


def systems_of(
    core: Core, actor: Actor, key: str, scope: str | None = None, limit: int = 100, marker: str = ""
) -> list[Json]:
    """The systems of a snapshot after `marker` that the actor may see, each with what it counted as."""
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        header = _find(uow, key)
        seen = Sight(uow, actor, "system.see")
        departments = set(uow.column(Department.id, *seen.departments()))
        is_inside = _reader(uow, scope)
        lines = frozen.unpack(uow.need(RateSnapshot, header["id"]).systems)
        found = [
            line
            for line in lines
            if line["id"] > marker and line["department"] in departments and is_inside(line)
        ][:limit]
        names = reads.system_names(uow, [line["id"] for line in found])
    return [{**line, "name": names.get(line["id"]), "state": line.get("verified")} for line in found]


def differences(core: Core, actor: Actor, before: str, now: str) -> list[Json]:
    """What differs between the lists of two snapshots, as far as the actor may see the systems."""
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        seen = Sight(uow, actor, "system.see")
        departments = set(uow.column(Department.id, *seen.departments()))
        lists = [
            frozen.unpack(uow.need(RateSnapshot, _find(uow, key)["id"]).systems) for key in (before, now)
        ]
        found = [row for row in frozen.differences(*lists) if row["department"] in departments]
        names = reads.system_names(uow, [row["id"] for row in found])
    return [{**row, "name": names.get(row["id"]), "state": row["what"]} for row in found]


def history(uow: UnitOfWork, scope: str, rule_id: int | None) -> list[Month]:
    """The figure of each month's newest snapshot by this version of the rule, the oldest month first.

    Months that were counted before they ended are left out: a part of a month is no month.
    """
    headers = {
        row["month"]: row
        for row in sorted(_headers(uow, RateSnapshot.rule_id == rule_id), key=lambda row: row["revision"])
        if _is_whole(row)
    }
    wanted = {row["id"]: month for month, row in headers.items()}
    columns = (RateFigure.snapshot_id, RateFigure.numerator_hundredths, RateFigure.denominator)
    of_scope = (RateFigure.scope == scope, RateFigure.group == "all")
    figures = {wanted[key]: (n, d) for key, n, d in uow.tuples(columns, *of_scope) if key in wanted}
    return [Month(_number(month), *figures[month]) for month in sorted(figures)]


def previous_figures(
    uow: UnitOfWork, rule_name: str, month: str, wanted: Iterable[str]
) -> tuple[Json | None, dict[str, Tally]]:
    """The newest snapshot of an earlier month by the rule, and its tallies of these scopes."""
    header = _before(uow, {"rule_name": rule_name, "month": month})
    if header is None:
        return None, {}
    conditions = (RateFigure.scope.in_(list(wanted)), RateFigure.group == "all")
    found = figures_of(uow, header["id"], *conditions)
    return header, {scope: tally for (scope, _), tally in found.items()}


def flag_row(scope: str, name: str, flag: gaming.Flag, rule: str) -> Json:
    """A flag as a row; its words are said by whoever shows it."""
    return {
        "id": f"{scope}/{flag.code}",
        "name": name,
        "state": flag.code,
        "scope": scope,
        "template": flag.template,
        "params": dict(flag.params),
        "rule": rule,
    }


def _flags(
    uow: UnitOfWork, header: Json, before: Json, rule: Rule, shared: Counted, keys: list[str]
) -> list[Json]:
    conditions = (RateFigure.scope.in_(keys), RateFigure.group == "all")
    first, second = (figures_of(uow, one["id"], *conditions) for one in (before, header))
    found = []
    for scope in keys:
        target = shared.targets.get((scope, "migration_rate"))
        one, other = first.get((scope, "all"), Tally()), second.get((scope, "all"), Tally())
        for flag in gaming.flags(one, other, rule, target.value if target else None):
            found.append(flag_row(scope, shared.names[scope], flag, header["rule"]))
    return found


def _headers(uow: UnitOfWork, *conditions: Any) -> list[Json]:
    """Snapshots without what is heavy in them."""
    names = (
        "id", "month", "revision", "cut_off_at", "rule_id", "rule_name", "sha256", "previous_sha256",
        "reason", "made_at", "made_by",
    )  # fmt: skip
    columns = [getattr(RateSnapshot, name) for name in names]
    rows = [dict(zip(names, row, strict=True)) for row in uow.tuples(columns, *conditions)]
    versions = dict(uow.tuples((StatisticalRule.id, StatisticalRule.version)))
    newest: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["month"], row["rule_name"])
        newest[key] = max(newest.get(key, 0), row["revision"])
    return [
        {
            "id": row["id"],
            "name": f"{row['month']} {row['rule_name']} r{row['revision']}",
            "state": "valid" if row["revision"] == newest[row["month"], row["rule_name"]] else "superseded",
            **row,
            "rule": f"{row['rule_name']}@{versions[row['rule_id']]}",
        }
        for row in rows
    ]


def _find(uow: UnitOfWork, key: str) -> Json:
    """The snapshot of that id; or the newest of a month, or of all, that has not been superseded."""
    if key.isascii() and key.isdigit() and len(key) < 10:
        found = _headers(uow, RateSnapshot.id == int(key))
        found = _headers(uow, RateSnapshot.month == found[0]["month"]) if found else []
        found = [row for row in found if row["id"] == int(key)]
    else:
        found = _headers(uow, *([] if key == LATEST else [RateSnapshot.month == key]))
    if not found:
        raise NotFound("{what} '{key}' does not exist", what="snapshot", key=key)
    return max(found, key=lambda row: (row["month"], row["id"]))


def _before(uow: UnitOfWork, header: Json) -> Json | None:
    earlier = (RateSnapshot.month < header["month"], RateSnapshot.rule_name == header["rule_name"])
    found = _headers(uow, *earlier)
    return max(found, key=lambda row: (row["month"], row["revision"])) if found else None


def _rule(uow: UnitOfWork, rule_id: int) -> Rule:
    return recall(uow.need(StatisticalRule, rule_id).document)


def _reader(uow: UnitOfWork, scope: str | None) -> Callable[[Json], bool]:
    """Whether a line of a list lies in the scope."""
    if scope is None:
        return lambda line: True
    places = reads.places(uow)
    one = scope_of(uow, scope, places)
    if one.kind == "department":
        return lambda line: bool(line["department"] == one.key)
    parents = {code: place.parent_code for code, place in places.items()}
    codes = {one.key} if one.kind == "own" else scopes.below(one.key, parents)
    return lambda line: line["division"] in codes


def _is_whole(header: Json) -> bool:
    return local_day(header["cut_off_at"]) == last_day(_number(header["month"]))


def _number(month: str) -> int:
    return month_of(date.fromisoformat(f"{month}-01"))
