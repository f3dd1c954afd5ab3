"""Rules of counting: what is counted and how, as versions that never change."""

import re
from typing import Any

from apiflask import APIBlueprint
from flask import request
from pydantic import Field

from tenants.migration import rule_file, rules
from web.api.shapes import Body, Listing, Query, Row, listing
from web.visitor import actor, core

blueprint = APIBlueprint("migration_rules", __name__, url_prefix="/api/v1/migration/rules", tag="Migration")
_NAME = re.compile(r"[^\x00-\x1f/\\]{1,100}")


class ApplyQuery(Query):
    name: str = Field("rule.yaml", description="what the file is called in faults")
    use: bool = Field(False, description="count by it from now on")


class UseBody(Body):
    rule: str = Field(max_length=100)


@blueprint.get("")
@blueprint.output(Listing)
def list_rules() -> dict[str, Any]:
    """Every version of every rule; the state of the one in use is `current`."""
    return listing(rules.list_rules(core(), actor()))


@blueprint.get("/<key>")
@blueprint.output(Row)
def show_rule(key: str) -> dict[str, Any]:
    """One rule with all its switches, `gx-2026@1`; `current` is the one in use."""
    return rules.show_rule(core(), actor(), None if key == "current" else key)


@blueprint.post("")
@blueprint.input(ApplyQuery, location="query")
@blueprint.output(Row)
def apply_rule(query_data: ApplyQuery) -> dict[str, Any]:
    """Keep a rule as the next version of its name; the body is YAML or JSON. All its faults at once."""
    name = query_data.name if _NAME.fullmatch(query_data.name) else "rule.yaml"
    rule = rule_file.read(request.get_data(cache=False), name)
    return rules.apply(core(), actor(), rule, query_data.use)


@blueprint.post("/use")
@blueprint.input(UseBody)
@blueprint.output(Row)
def use_rule(json_data: UseBody) -> dict[str, Any]:
    """Count by this rule from now on; what is frozen stays."""
    return rules.use(core(), actor(), json_data.rule)
