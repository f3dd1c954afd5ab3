"""What there is on the clouds."""

from typing import Any

from apiflask import APIBlueprint

from cloudctl.queries import resources as reads
from web.api.shapes import Listing, PagedByName, Row, listing
from web.visitor import actor, core

blueprint = APIBlueprint("resources", __name__, url_prefix="/api/v1", tag="Resources")


class ResourcesQuery(PagedByName):
    system: str | None = None
    request: int | None = None
    site: str | None = None
    kind: str | None = None
    released: bool = False


@blueprint.get("/resources")
@blueprint.input(ResourcesQuery, location="query")
@blueprint.output(Listing)
def list_resources(query_data: ResourcesQuery) -> dict[str, Any]:
    """Servers, volumes and ports that the caller may see."""
    asked = query_data
    with core().store.read() as uow:
        rows = reads.list_resources(
            uow, actor(), asked.system, asked.request, asked.site, asked.kind, asked.released
        )
    return _page(rows, asked.limit, asked.marker)


@blueprint.get("/resources/<key>")
@blueprint.output(Row)
def show_resource(key: str) -> dict[str, Any]:
    """One resource by id, name or id at the cloud, with its parts."""
    with core().store.read() as uow:
        return reads.show_resource(uow, actor(), key)


def _page(rows: list[dict[str, Any]], limit: int, marker: str | None) -> dict[str, Any]:
    """The rows after the marker; their order is the query's, so the marker is looked for in it."""
    ids = [row["id"] for row in rows]
    start = ids.index(marker) + 1 if marker in ids else 0
    page = rows[start : start + limit]
    return listing(page, limit if start + limit < len(rows) else None)
