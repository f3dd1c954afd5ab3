"""What there is on the clouds."""

from typing import Any

from apiflask import APIBlueprint

from cloudctl.queries import resources as reads
from web.api.shapes import Listing, Number, PagedByName, Row, listing
from web.visitor import read

blueprint = APIBlueprint("resources", __name__, url_prefix="/api/v1", tag="Resources")


class ResourcesQuery(PagedByName):
    system: str | None = None
    request: Number | None = None
    site: str | None = None
    kind: str | None = None
    released: bool = False


@blueprint.get("/resources")
@blueprint.input(ResourcesQuery, location="query")
@blueprint.output(Listing)
def list_resources(query_data: ResourcesQuery) -> dict[str, Any]:
    """Servers, volumes and ports that the caller may see."""
    asked = query_data
    wanted = (asked.system, asked.request, asked.site, asked.kind, asked.released)
    rows = read(reads.list_resources, *wanted)
    return _page(rows, asked.limit, asked.marker)


@blueprint.get("/resources/<key>")
@blueprint.output(Row)
def show_resource(key: str) -> dict[str, Any]:
    """One resource by id, name or id at the cloud, with its parts."""
    return read(reads.show_resource, key)


def _page(rows: list[dict[str, Any]], limit: int, marker: str | None) -> dict[str, Any]:
    """The rows after the marker; their order is the query's, so the marker is looked for in it."""
    ids = [row["id"] for row in rows]
    start = ids.index(marker) + 1 if marker in ids else 0
    page = rows[start : start + limit]
    return listing(page, limit if start + limit < len(rows) else None)
