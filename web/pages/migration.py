"""The rate of migration on pages: figures, rankings, forecast and flags; the systems behind each number."""

from datetime import date
from typing import Any

from apiflask import APIBlueprint
from flask import render_template, request

from cloudctl.errors import BadInput, Fault
from cloudctl.queries import topology
from cloudctl.queries.migration import department_names, places
from tenants.migration import evidence as proofs
from tenants.migration import figures, outlook, rules
from tenants.migration.counting import scope_of
from tenants.migration.evidence import WHICH, Listed
from web.api.migration import with_whys
from web.migration_words import said
from web.visitor import actor, core, read

blueprint = APIBlueprint("migration_pages", __name__, url_prefix="/migration", enable_openapi=False)
_RANKED_ROWS = 200
_ON_A_PAGE = 100
Json = dict[str, Any]


@blueprint.get("/")
def show() -> str:
    """How much has moved, who is ahead, where it goes, and what to ask about."""
    me, on = actor(), _day()
    rows = figures.rate(core(), me, on=on)
    scope = request.args.get("scope") or rows[0]["scope"]
    usual = {row["scope"]: row for row in rows}
    of = request.args.get("of") if request.args.get("of") in figures.RANKED else "cities"
    ranking = figures.ranking(core(), me, str(of), on=on)
    return render_template(
        "migration.html",
        rows=rows,
        chosen=usual.get(scope) or figures.rate(core(), me, scope, on=on)[0],
        groups=figures.groups(core(), me, scope, on=on),
        ranking=ranking[:_RANKED_ROWS],
        left_out=max(0, len(ranking) - _RANKED_ROWS),
        of=of,
        kinds=list(figures.RANKED),
        on=on,
        asked_on=request.args.get("on", ""),
        scopes=_scopes(usual),
        ahead=said(outlook.predict(core(), me, scope), "why_text") if on is None else None,
        flags=[said(row, "text") for row in outlook.flags(core(), me, on=on)],
        rule=rules.show_rule(core(), me),
    )


@blueprint.get("/systems")
def list_systems() -> str:
    """The systems behind one number, as far as the reader may see them, each with its evidence."""
    asked = {key: request.args.get(key) or None for key in ("scope", "which", "rule", "marker")}
    which = asked["which"] or "registered"
    wanted = Listed(asked["scope"], which, _day(), asked["rule"], _ON_A_PAGE, asked["marker"] or "")
    rows = [with_whys(row) for row in proofs.evidence(core(), actor(), wanted)]
    with core().store.read() as uow:
        known = places(uow)
        scopes = [scope_of(uow, wanted.scope, known)] if wanted.scope else []
        names = list(figures.names_of(uow, scopes, known).values())
        departments = department_names(uow)
    return render_template(
        "migration_systems.html",
        systems=rows,
        wanted=wanted,
        departments=departments,
        scope_name=names[0] if names else "",
        kinds=list(WHICH),
        asked_on=request.args.get("on", ""),
        rule=rules.show_rule(core(), actor(), asked["rule"]),
        next=rows[-1]["id"] if len(rows) == _ON_A_PAGE else None,
    )


@blueprint.get("/rule")
def show_rule() -> str:
    """What is counted and how (统计口径), switch by switch; and all versions there are."""
    key = request.args.get("rule") or None
    rule = rules.show_rule(core(), actor(), key)
    return render_template("migration_rule.html", rule=rule, versions=rules.list_rules(core(), actor()))


def _day() -> date | None:
    """The day asked for; today when none is."""
    text = request.args.get("on", "").strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        fault = Fault("on", "bad_form", "'{given}' is no day", {"given": text[:20]}, 'write "2026-01-01"')
        raise BadInput("the day cannot be counted", faults=[fault]) from error


def _scopes(usual: dict[str, Json]) -> list[tuple[str, str]]:
    """What can be chosen: the province, its own level, the cities, and the departments that are seen."""
    departments = read(topology.list_departments, limit=500)
    return [
        *((key, row["name"]) for key, row in usual.items()),
        *((f"department:{row['id']}", row["name"]) for row in departments),
    ]
