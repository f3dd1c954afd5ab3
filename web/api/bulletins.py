"""Bulletins of frozen months: ask for one, see how far it is and its files."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from tenants.bulletin import reports
from tenants.bulletin.flow import FORMATS
from tenants.bulletin.reports import Wish
from web.api.shapes import Body, Listing, PagedByNumber, Row, listing
from web.visitor import actor, core

blueprint = APIBlueprint("bulletins", __name__, url_prefix="/api/v1", tag="Migration")


class ReportsQuery(PagedByNumber):
    month: str | None = Field(None, max_length=20)
    scope: str | None = Field(None, max_length=80)


class ReportBody(Body):
    month: str | None = Field(None, max_length=20)
    scope: str | None = Field(None, max_length=80)
    rule: str | None = Field(None, max_length=80)
    language: str = Field("zh", max_length=10)
    issuer: str = Field("", max_length=200)
    formats: list[str] = Field(default_factory=lambda: list(FORMATS), max_length=10)


@blueprint.post("/migration/reports")
@blueprint.input(ReportBody)
@blueprint.output(Row)
def make(json_data: ReportBody) -> dict[str, Any]:
    """Start making the bulletin of a frozen month; the same one again, when it was asked for before."""
    asked = json_data
    wish = Wish(asked.language, tuple(asked.formats), asked.issuer, asked.rule)
    return reports.show_report(
        core(), actor(), reports.report(core(), actor(), asked.month, asked.scope, wish)
    )


@blueprint.get("/migration/reports")
@blueprint.input(ReportsQuery, location="query")
@blueprint.output(Listing)
def list_reports(query_data: ReportsQuery) -> dict[str, Any]:
    """Bulletins that were asked for, the newest first."""
    asked = query_data
    rows = reports.list_reports(core(), actor(), asked.month, asked.scope, asked.limit, asked.marker)
    return listing(rows, asked.limit)


@blueprint.get("/migration/reports/<int:report_id>")
@blueprint.output(Row)
def show(report_id: int) -> dict[str, Any]:
    """One bulletin, how far it is, and its files for /documents."""
    return reports.show_report(core(), actor(), report_id)
