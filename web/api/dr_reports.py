"""Reports of drills and moves: listed, shown, taken home as files, and checked."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response
from pydantic import Field

from dr.reports import keeping, sealing
from web.api.shapes import Answer, Body, Listing, Paged, Query, Row, listing
from web.saying import fault_hint, fault_message
from web.sending import FILE, attachment
from web.visitor import actor, core, keyring

blueprint = APIBlueprint("dr_reports", __name__, url_prefix="/api/v1/dr/reports", tag="Disaster recovery")


class ReportsQuery(Paged):
    plan: str | None = Field(None, max_length=200)
    marker: str | None = Field(None, max_length=40)


class FileQuery(Query):
    format: str = Field("pdf", max_length=10)
    language: str = Field("zh", max_length=10)


class FileBody(Body):
    content: str = Field(max_length=sealing.MOST_BYTES, description="the text of the saved file")


@blueprint.get("")
@blueprint.input(ReportsQuery, location="query")
@blueprint.output(Listing)
def list_reports(query_data: ReportsQuery) -> dict[str, Any]:
    """Reports of drills and moves, the newest first."""
    asked = query_data
    rows = keeping.list_reports(core(), actor(), asked.plan, asked.limit, asked.marker)
    return listing(rows, asked.limit)


@blueprint.get("/<key>")
@blueprint.output(Row)
def show(key: str) -> dict[str, Any]:
    """One report with everything that was measured."""
    return keeping.show_report(core(), actor(), key)


@blueprint.get("/<key>/file")
@blueprint.input(FileQuery, location="query")
@blueprint.doc(responses=FILE)
def get_file(key: str, query_data: FileQuery) -> Response:
    """The report as pdf, html or json, in zh or en."""
    return attachment(*keeping.open_file(core(), actor(), key, query_data.format, query_data.language))


@blueprint.post("/verify")
@blueprint.input(FileBody)
@blueprint.output(Answer)
def verify(json_data: FileBody) -> dict[str, Any]:
    """Whether a saved report (json or html) is the one that was made: hash, signature, audit chain."""
    content = json_data.content.encode("utf-8", "replace")
    found = keeping.verify(core(), actor(), keyring(), content)
    told = [
        {"place": one.place, "code": one.code, "message": fault_message(one), "hint": fault_hint(one)}
        for one in found["faults"]
    ]
    return {**found, "faults": told}
