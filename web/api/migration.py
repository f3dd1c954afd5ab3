"""The rate of migration: figures, rankings, forecasts, what to ask about, and what stands behind it all."""

from datetime import date
from typing import Any, Literal

from apiflask import APIBlueprint

from cloudctl.errors import BadInput, Fault
from tenants.migration import evidence as proofs
from tenants.migration import figures, outlook
from tenants.migration.evidence import Listed
from tenants.migration.targets import parse_percent
from web.api.shapes import Listing, PagedByName, Query, Row, listing
from web.migration_words import said
from web.visitor import actor, core

blueprint = APIBlueprint("migration", __name__, url_prefix="/api/v1/migration", tag="Migration")


class RateQuery(Query):
    scope: str | None = None
    by: Literal["all", "new", "mlps", "level"] = "all"
    on: date | None = None
    rule: str | None = None


class RankingQuery(Query):
    of: Literal["cities", "counties", "departments"] = "cities"
    within: str | None = None
    on: date | None = None
    rule: str | None = None


class ForecastQuery(Query):
    scope: str | None = None
    target: str | None = None
    deadline: date | None = None
    rule: str | None = None


class FlagsQuery(Query):
    scope: str | None = None
    on: date | None = None
    rule: str | None = None


class EvidenceQuery(PagedByName):
    scope: str | None = None
    which: str = "registered"
    on: date | None = None
    rule: str | None = None


class OneEvidenceQuery(Query):
    on: date | None = None
    rule: str | None = None


@blueprint.get("/rate")
@blueprint.input(RateQuery, location="query")
@blueprint.output(Listing)
def rate(query_data: RateQuery) -> dict[str, Any]:
    """Rates of a scope, or of the province, its own level and each city; now or on any past day."""
    asked = query_data
    return listing(figures.rate(core(), actor(), asked.scope, asked.by, asked.on, asked.rule))


@blueprint.get("/ranking")
@blueprint.input(RankingQuery, location="query")
@blueprint.output(Listing)
def ranking(query_data: RankingQuery) -> dict[str, Any]:
    """Cities, counties or departments by rate, compared exactly; equal rates share a rank."""
    asked = query_data
    return listing(figures.ranking(core(), actor(), asked.of, asked.within, asked.on, asked.rule))


@blueprint.get("/forecast")
@blueprint.input(ForecastQuery, location="query")
@blueprint.output(Row)
def forecast(query_data: ForecastQuery) -> dict[str, Any]:
    """The pace a scope needs, where it will be at the deadline, and between which rates with 80 %."""
    asked = query_data
    target = percent(asked.target)
    return said(outlook.predict(core(), actor(), asked.scope, target, asked.deadline, asked.rule), "why_text")


@blueprint.get("/flags")
@blueprint.input(FlagsQuery, location="query")
@blueprint.output(Listing)
def flags(query_data: FlagsQuery) -> dict[str, Any]:
    """What to ask about: shares that jumped since the last frozen month, targets reached by subtraction."""
    asked = query_data
    found = outlook.flags(core(), actor(), asked.scope, asked.on, asked.rule)
    return listing([said(row, "text") for row in found])


@blueprint.get("/evidence")
@blueprint.input(EvidenceQuery, location="query")
@blueprint.output(Listing)
def evidence(query_data: EvidenceQuery) -> dict[str, Any]:
    """The systems behind a number, as far as the caller may see them, each with its evidence."""
    asked = query_data
    wanted = Listed(asked.scope, asked.which, asked.on, asked.rule, asked.limit, asked.marker or "")
    return listing([with_whys(row) for row in proofs.evidence(core(), actor(), wanted)], asked.limit)


@blueprint.get("/evidence/<key>")
@blueprint.input(OneEvidenceQuery, location="query")
@blueprint.output(Row)
def evidence_of(key: str, query_data: OneEvidenceQuery) -> dict[str, Any]:
    """One system by code or name: what it counts as, and every piece of evidence with its why."""
    return with_whys(proofs.of_system(core(), actor(), key, query_data.on, query_data.rule))


def with_whys(row: dict[str, Any]) -> dict[str, Any]:
    """A row of evidence with the why of each piece in the reader's language."""
    return {**row, "evidence": [said(piece, "why") for piece in row["evidence"]]}


def percent(text: str | None) -> int | None:
    """A target written as a percentage, in hundredths of a percent."""
    value = parse_percent(text) if text is not None else None
    if text is not None and value is None:
        fault = Fault("target", "bad_form", "'{given}' is no percentage", {"given": text[:20]}, "write 95.00")
        raise BadInput("the input has faults", faults=[fault])
    return value
