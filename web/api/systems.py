"""The register of information systems: lists, one system, its history, sheets in and out."""

from datetime import date
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request
from pydantic import Field

from cloudctl.queries import register as reads
from cloudctl.queries.register import Filter
from tenants.register import changing, exporting, importing, looking, template
from tenants.register.exporting import Sheet
from web.api.shapes import Body, Listing, PagedByName, Query, Row, listing
from web.saying import fault_text
from web.sending import FILE, attachment
from web.visitor import actor, core, read

blueprint = APIBlueprint("systems", __name__, url_prefix="/api/v1", tag="Systems")


class _Wanted(Query):
    """Which systems are asked for; `as_of` is the day at whose end."""

    department: str | None = Field(None, max_length=100)
    division: str | None = Field(None, max_length=20)
    stage: str | None = Field(None, max_length=40)
    hosting: str | None = Field(None, max_length=40)
    classified: bool | None = None
    text: str | None = Field(None, max_length=100)
    as_of: date | None = None

    def wanted(self) -> Filter:
        return Filter(
            self.department,
            self.division,
            self.stage,
            self.hosting,
            self.classified,
            self.text,
            self.as_of,
        )


class SystemsQuery(_Wanted, PagedByName):
    """Which systems, and which page of them."""


class ExportQuery(_Wanted):
    format: str = Field("xlsx", pattern="^(xlsx|csv)$")


class ShowQuery(Query):
    as_of: date | None = None


class ImportQuery(Query):
    name: str = Field("systems.xlsx", max_length=200, description="what the file is called")
    sheet: str | None = Field(None, max_length=100)
    dry_run: bool = False
    partial: bool = False


class FieldsBody(Body):
    fields: dict[str, str | int | bool | None] = Field(max_length=60)
    reason: str = Field("", max_length=500)


class MergeBody(Body):
    into: str = Field(max_length=100)
    reason: str = Field("", max_length=500)


@blueprint.get("/systems")
@blueprint.input(SystemsQuery, location="query")
@blueprint.output(Listing)
def list_systems(query_data: SystemsQuery) -> dict[str, Any]:
    """Information systems by code; without a stage, those that have not ended."""
    asked = query_data
    rows = read(reads.list_systems, asked.wanted(), limit=asked.limit, marker=asked.marker or "")
    return listing(rows, asked.limit)


@blueprint.get("/systems/export")
@blueprint.input(ExportQuery, location="query")
@blueprint.doc(responses=FILE)
def export(query_data: ExportQuery) -> Response:
    """The systems as a sheet that can be changed and imported again."""
    return _file(exporting.export(core(), actor(), query_data.format, query_data.wanted()))


@blueprint.get("/systems/template")
@blueprint.doc(responses=FILE)
def empty_sheet() -> Response:
    """The sheet to fill in, with lists to choose from and a page of help."""
    return _file(template.template(core()))


@blueprint.post("/systems/import")
@blueprint.input(ImportQuery, location="query")
@blueprint.output(Row)
def import_file(query_data: ImportQuery) -> dict[str, Any]:
    """Import a sheet, sent as the body; all rows or none, with `partial` those without faults.

    `dry_run` says what would happen, lists the faults, and keeps the sheet with the faults in red.
    """
    asked = query_data
    content = request.get_data(cache=False)
    if asked.dry_run:
        made = importing.preview_import(core(), actor(), content, asked.name, asked.sheet, fault_text)
    else:
        made = importing.import_systems(
            core(), actor(), content, asked.name, asked.partial, asked.sheet, fault_text
        )
    return made.as_json()


@blueprint.get("/systems/<key>")
@blueprint.input(ShowQuery, location="query")
@blueprint.output(Row)
def show(key: str, query_data: ShowQuery) -> dict[str, Any]:
    """One information system by code or name, with every field and its projects."""
    return read(looking.show, key, query_data.as_of)


@blueprint.put("/systems/<key>")
@blueprint.input(FieldsBody)
@blueprint.output(Row)
def set_fields(key: str, json_data: FieldsBody) -> dict[str, Any]:
    """Set fields, null to clear one; a new code makes a system. All faults at once."""
    code = read(reads.code_of, key)
    changing.set_fields(core(), actor(), code, dict(json_data.fields), json_data.reason)
    return read(looking.show, code)


@blueprint.get("/systems/<key>/history")
@blueprint.output(Listing)
def history(key: str) -> dict[str, Any]:
    """What the register said of the system from one moment to the next, the newest first."""
    return listing(read(looking.show_history, key))


@blueprint.post("/systems/<key>/merge")
@blueprint.input(MergeBody)
@blueprint.output(Row)
def merge(key: str, json_data: MergeBody) -> dict[str, Any]:
    """The system lives on in another one and is counted there only."""
    code, into = read(reads.code_of, key), read(reads.code_of, json_data.into)
    changing.merge(core(), actor(), code, into, json_data.reason)
    return read(looking.show, code)


def _file(sheet: Sheet) -> Response:
    return attachment(sheet.name, sheet.media_type, sheet.content)
