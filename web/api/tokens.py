"""One's own tokens."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from cloudctl.queries.people import list_tokens as read_tokens
from tenants import people
from web.api.shapes import Body, Done, Listing, Row, listing
from web.visitor import actor, core, read

blueprint = APIBlueprint("tokens", __name__, url_prefix="/api/v1", tag="People")


class TokenBody(Body):
    name: str = Field(max_length=100)
    days: int = 90


@blueprint.get("/tokens")
@blueprint.output(Listing)
def list_tokens() -> dict[str, Any]:
    """One's own tokens, never their values."""
    return listing(read(read_tokens, core().clock.now()))


@blueprint.post("/tokens")
@blueprint.input(TokenBody)
@blueprint.output(Row, status_code=201)
def create_token(json_data: TokenBody) -> dict[str, Any]:
    """A new token; `token` is shown this once."""
    token = people.create_token(core(), actor(), json_data.name, json_data.days)
    newest = read(read_tokens, core().clock.now())[0]
    return {**newest, "token": str(token)}


@blueprint.delete("/tokens/<token_id>")
@blueprint.output(Done)
def revoke_token(token_id: str) -> dict[str, Any]:
    """End a token at once."""
    people.revoke_token(core(), actor(), token_id)
    return {"id": token_id, "state": "revoked"}
