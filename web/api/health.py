"""Whether the process lives and whether it can work; open to load balancers, so it tells nothing else."""

from typing import Any

from apiflask import APIBlueprint

from cloudctl.queries.audit import count_events
from web.api.shapes import Answer
from web.visitor import core

blueprint = APIBlueprint("health", __name__, url_prefix="/api/v1/health", tag="Health")


@blueprint.get("/live")
@blueprint.output(Answer)
def live() -> dict[str, Any]:
    """The process answers."""
    return {"state": "ok"}


@blueprint.get("/ready")
@blueprint.output(Answer)
def ready() -> dict[str, Any]:
    """The database answers; 503 when it does not."""
    with core().store.read() as uow:
        count_events(uow)
    return {"state": "ok"}
