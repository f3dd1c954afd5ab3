"""The vote of three places, as it answers now."""

from typing import Any

from apiflask import APIBlueprint

from dr.agents.looking import look
from web.api.shapes import Listing, listing
from web.visitor import actor, core, outside

blueprint = APIBlueprint("witness", __name__, url_prefix="/api/v1/witness", tag="Disaster recovery")


@blueprint.get("")
@blueprint.output(Listing)
def show() -> dict[str, Any]:
    """Its members, and for each plan who may write, which agents there are and what observers saw."""
    return listing(look(core(), actor(), outside().witness))
