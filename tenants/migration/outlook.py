"""Looking ahead and looking twice: the forecast of a scope, and what to ask about figures that jumped."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.queries import migration as reads
from tenants.migration import archive, forecast, gaming, rates, rules, scopes
from tenants.migration.counting import count, day_of, inside, scope_of
from tenants.migration.figures import Counted, figure, names_of, province_of, tallies_of, targets_at
from tenants.migration.forecast import Month, Rates, Reached, Why
from tenants.migration.frozen import figures
from tenants.migration.rates import Tally
from tenants.migration.scopes import Scope

Json = dict[str, Any]
_WHY = {
    Why.TOO_SHORT: "fewer than {least} frozen months by this rule: {months}",
    Why.NO_TARGET: "no target is set for it",
    Why.PASSED: "no month ends before the deadline",
    Why.NOTHING_LEFT: "at this pace nothing would count any more",
}


def predict(
    core: Core,
    actor: Actor,
    scope: str | None = None,
    target: int | None = None,
    deadline: date | None = None,
    rule: str | None = None,
) -> Json:
    """The figure now, the pace it needs, and where it is going; the province where no scope is named.

    `target` in hundredths of a percent and `deadline` replace those of the newest open target. What cannot be
    said is null, and `why` says why.
    """
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        when, chosen = day_of(core.clock.now()), rules.choose(uow, rule)
        places = reads.places(uow)
        wanted = scope_of(uow, scope, places) if scope else Scope("division", province_of(places).code)
        names = names_of(uow, [wanted], places)
        shared = Counted(when.day, chosen.label, names, targets_at(uow, when))
        found = tallies_of(uow, chosen.rule, when, places, [wanted])
        tally = found.get((str(wanted), "all"), Tally())
        history = archive.history(uow, str(wanted), chosen.row_id) if chosen.row_id is not None else []
    row = figure(wanted, "all", tally, shared)
    known = shared.targets.get((str(wanted), "migration_rate"))
    value = target if target is not None else known.value if known else None
    due_on = deadline or (known.due_on if known else None)
    return {**row, **_ahead(tally, history, value, due_on, when.day), "history": _shown(history)}


def flags(
    core: Core, actor: Actor, scope: str | None = None, on: date | None = None, rule: str | None = None
) -> list[Json]:
    """What to ask about each division and department of a scope: the day beside the last frozen month."""
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        when, chosen = day_of(core.clock.now(), on), rules.choose(uow, rule)
        places = reads.places(uow)
        conditions = inside(scope_of(uow, scope, places), places) if scope else ()
        keys = ("division_code", "department_id")
        counted = count(uow, chosen.rule, when, keys, ("all",), *conditions)
        parents = {code: place.parent_code for code, place in places.items()}
        now = {key: tally for (key, _), tally in figures(counted, parents).items()}
        month = f"{when.day:%Y-%m}"
        header, before = archive.previous_figures(uow, chosen.rule.name, month, now)
        if header is None:
            return []
        targets = targets_at(uow, when)
        found = []
        for key in sorted(now.keys() & before.keys()):
            known = targets.get((key, "migration_rate"))
            if key.startswith("own:") and known is None and now[key] == now[f"division{key[3:]}"]:
                continue  # it has nothing below it: said once
            asked = gaming.flags(before[key], now[key], chosen.rule, known.value if known else None)
            found += [(key, one) for one in asked]
        names = names_of(uow, {scopes.parse(key) for key, _ in found}, places)
    return [
        {**archive.flag_row(key, names[key], one, chosen.label), "compared_with": header["name"]}
        for key, one in found
    ]


def _ahead(
    tally: Tally, history: Sequence[Month], target: int | None, deadline: date | None, today: date
) -> Json:
    """Everything that lies ahead of a figure, as far as it can be said."""
    n, d = tally.numerator_hundredths, tally.denominator
    at_deadline = forecast.at_deadline(history, deadline) if deadline is not None else Why.NO_TARGET
    reached = forecast.when_reached(history, target) if target is not None else Why.NO_TARGET
    expected = at_deadline if isinstance(at_deadline, Rates) else None
    when = reached if isinstance(reached, Reached) else None
    pace = forecast.pace_so_far(history)
    why = next((one for one in (at_deadline, reached) if isinstance(one, Why)), None)
    return {
        "state": _state(tally, target, expected, deadline is not None and deadline < today),
        "target": None if target is None else rates.percent_text(target),
        "deadline": deadline,
        "still_to_move": rates.still_to_move(n, d, target) if target is not None and d else None,
        "pace_needed": forecast.pace_needed(n, d, target, today, deadline)
        if target is not None and deadline is not None and d
        else None,
        "pace_so_far": None if pace is None else rates.percent_text(pace),
        "expected_rate": expected and rates.percent_text(expected.expected),
        "low_rate": expected and rates.percent_text(expected.low),
        "high_rate": expected and rates.percent_text(expected.high),
        "reached_in": _month(when.expected if when else None),
        "reached_earliest": _month(when.earliest if when else None),
        "reached_latest": _month(when.latest if when else None),
        "coverage": f"{forecast.COVERAGE_PERCENT}",
        "months": len(history),
        "why": why,
        "template": _WHY[why] if why else None,
        "params": {"least": forecast.LEAST_MONTHS, "months": len(history)},
    }


def _state(tally: Tally, target: int | None, ahead: Rates | None, is_past: bool) -> str | None:
    """reached or overdue; or whether the whole interval lies beyond the target, before it, or around it."""
    if target is None or tally.denominator == 0:
        return None
    if rates.reaches(tally.numerator_hundredths, tally.denominator, target):
        return "reached"
    if is_past:
        return "overdue"
    if ahead is None:
        return "behind"
    if ahead.low >= target:
        return "on_track"
    return "behind" if ahead.high < target else "at_risk"


def _month(number: int | None) -> str | None:
    return None if number is None else forecast.month_text(number)


def _shown(history: Sequence[Month]) -> list[Json]:
    return [
        {
            "month": forecast.month_text(one.number),
            "numerator": rates.systems_text(one.numerator_hundredths),
            "denominator": one.denominator,
            "rate": rates.percent(one.numerator_hundredths, one.denominator),
        }
        for one in history
    ]
