"""Departments' buckets brought back as of a time."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from dr.buckets import acting
from web.api.shapes import Answer, Body
from web.visitor import actor, core

blueprint = APIBlueprint("buckets", __name__, url_prefix="/api/v1/backup/buckets", tag="Backup")


class BucketRestoreBody(Body):
    point: str = Field(min_length=1, max_length=200, description="a point, or NAME@SITE of the bucket")
    as_of: str | None = Field(None, max_length=40, description="ISO 8601; default: when the point was taken")
    site: str | None = Field(None, description="where the bucket shall be; default: where the data was")
    bucket: str | None = Field(None, max_length=63, description="new, or there and empty; default: a new one")
    vault: str | None = Field(None, description="the site to read from; default: the nearest")


@blueprint.post("/restore")
@blueprint.input(BucketRestoreBody)
@blueprint.output(Answer, status_code=202)
def restore(json_data: BucketRestoreBody) -> dict[str, Any]:
    """Bring a bucket back as it was; nothing that is there is written over."""
    asked, moment = json_data, acting.moment_of(json_data.as_of or "")
    return acting.restore(core(), actor(), asked.point, asked.site, asked.bucket, moment, asked.vault)
