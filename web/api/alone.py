"""Sites that can work alone: what they have, that one does, and what it did."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from dr.alone import exporting, importing, merging, releasing, rounds, showing, taking_over
from dr.vaults import site_of
from web.api.shapes import Body, Listing, Row, listing
from web.visitor import actor, core, keyring, outside, read, stores

blueprint = APIBlueprint("alone", __name__, url_prefix="/api/v1/alone", tag="Disaster recovery")


class ReasonBody(Body):
    reason: str = Field(max_length=1000, description="what was looked at")


class ReleaseBody(Body):
    plan: str = Field(max_length=200, description="its id or name")
    reason: str = Field(max_length=1000, description="why it is given back")


class MergeBody(Body):
    source: str = Field(max_length=300, description="the site, or s3://BUCKET of its vault")
    is_dry_run: bool = Field(True, description="only show what would be done")


@blueprint.get("")
@blueprint.output(Row)
def show() -> dict[str, Any]:
    """Whether this installation is the home, stands by or works alone; exports with their age, and merges."""
    return read(showing.overview, core().clock.now())


@blueprint.post("/export")
@blueprint.output(Listing)
def export() -> dict[str, Any]:
    """Put everything that the sites need to work alone, now."""
    return listing(exporting.export_now(core(), actor(), stores(), keyring()))


@blueprint.post("/takeover")
@blueprint.input(ReasonBody)
@blueprint.output(Row)
def take_over(json_data: ReasonBody) -> dict[str, Any]:
    """At a site: the home is lost and this site works alone; the second person makes it so."""
    with core().store.read() as uow:
        importing.standby_in(uow)
    rounds.take_in_due(core(), stores())
    return taking_over.take_over(core(), actor(), json_data.reason)


@blueprint.post("/standby")
@blueprint.input(ReasonBody)
@blueprint.output(Row)
def stand_by(json_data: ReasonBody) -> dict[str, Any]:
    """At a site: the home is back and has merged all that was done here; this site stands by again."""
    home = rounds.watch_home(core(), stores())
    return taking_over.stand_by(core(), actor(), json_data.reason, home)


@blueprint.post("/release")
@blueprint.input(ReleaseBody)
@blueprint.output(Row)
def release(json_data: ReleaseBody) -> dict[str, Any]:
    """At a site that works alone: give back the register that a move of the lost home left closed."""
    return releasing.release(core(), actor(), outside().witness, json_data.plan, json_data.reason)


@blueprint.post("/merge")
@blueprint.input(MergeBody)
@blueprint.output(Row)
def merge(json_data: MergeBody) -> dict[str, Any]:
    """At the home: what a site did alone, shown, or taken as far as nobody here changed the same."""
    site = site_of(stores(), json_data.source)
    witness, is_dry = outside().witness, json_data.is_dry_run
    return merging.merge_from(core(), actor(), stores(), keyring(), witness, site, is_dry)
