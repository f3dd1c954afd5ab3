"""Frozen figures: taking, reading, comparing and verifying snapshots."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from tenants.migration import archive, snapshots
from web.api.shapes import Answer, Body, Listing, PagedByName, Query, Row, listing
from web.migration_words import said
from web.saying import fault_message
from web.visitor import actor, core

blueprint = APIBlueprint(
    "migration_snapshots", __name__, url_prefix="/api/v1/migration/snapshots", tag="Migration"
)


class SnapshotsQuery(Query):
    month: str | None = None


class SnapshotQuery(Query):
    scope: str | None = None


class SystemsQuery(PagedByName):
    scope: str | None = None


class DifferencesQuery(Query):
    beside: str = Field(description="id, month or `latest` of the other snapshot, the earlier one")


class TakeBody(Body):
    month: str = Field(max_length=20)
    rule: str | None = None
    reason: str = ""


@blueprint.get("")
@blueprint.input(SnapshotsQuery, location="query")
@blueprint.output(Listing)
def list_snapshots(query_data: SnapshotsQuery) -> dict[str, Any]:
    """Every snapshot, the newest month first; one that was corrected is `superseded`."""
    return listing(archive.list_snapshots(core(), actor(), query_data.month))


@blueprint.post("")
@blueprint.input(TakeBody)
@blueprint.output(Row, status_code=201)
def take(json_data: TakeBody) -> dict[str, Any]:
    """Freeze a month. One that is frozen already needs a reason, and gets its next revision."""
    given = json_data
    key = snapshots.take(core(), actor(), given.month, given.rule, given.reason)
    return _show(str(key), None)


@blueprint.post("/verify")
@blueprint.output(Answer)
def verify() -> dict[str, Any]:
    """Count every hash anew, and compare with what the audit chain says; every place that does not fit."""
    faults = snapshots.verify(core(), actor())
    count = len(archive.list_snapshots(core(), actor()))
    found = [
        {"place": fault.place, "code": fault.code, "message": fault_message(fault), "hint": None}
        for fault in faults
    ]
    return {"intact": not faults, "snapshots": count, "faults": found}


@blueprint.get("/<key>")
@blueprint.input(SnapshotQuery, location="query")
@blueprint.output(Row)
def show(key: str, query_data: SnapshotQuery) -> dict[str, Any]:
    """One snapshot by id, month or `latest`, with its figures and what to ask about them."""
    return _show(key, query_data.scope)


@blueprint.get("/<key>/systems")
@blueprint.input(SystemsQuery, location="query")
@blueprint.output(Listing)
def systems(key: str, query_data: SystemsQuery) -> dict[str, Any]:
    """The frozen list, as far as the caller may see the systems."""
    asked = query_data
    rows = archive.systems_of(core(), actor(), key, asked.scope, asked.limit, asked.marker or "")
    return listing(rows, asked.limit)


@blueprint.get("/<key>/differences")
@blueprint.input(DifferencesQuery, location="query")
@blueprint.output(Listing)
def differences(key: str, query_data: DifferencesQuery) -> dict[str, Any]:
    """The systems that came, went or count differently since another snapshot."""
    return listing(archive.differences(core(), actor(), query_data.beside, key))


def _show(key: str, scope: str | None) -> dict[str, Any]:
    found = archive.show_snapshot(core(), actor(), key, scope)
    return {**found, "flags": [said(row, "text") for row in found["flags"]]}
