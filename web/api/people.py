"""Users and their roles."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from cloudctl.actors import Scope
from cloudctl.errors import BadInput, Fault
from cloudctl.queries import people as reads
from tenants import people
from web.api.shapes import Body, Done, Listing, PagedByName, Row, listing
from web.visitor import actor, core, read

blueprint = APIBlueprint("people", __name__, url_prefix="/api/v1", tag="People")


class UsersQuery(PagedByName):
    department: str | None = None


class UserBody(Body):
    id: str = Field(max_length=64)
    name: str = Field(max_length=100)
    department: str | None = None
    phone: str | None = None
    language: str = "zh"


class RoleBody(Body):
    role: str
    scope: str = Field(description="department:gx-finance, division:450100, site:city-1 or installation:*")


@blueprint.get("/me")
@blueprint.output(Row)
def me() -> dict[str, Any]:
    """Who is signed in, with the roles held now."""
    return read(reads.who_am_i, core().clock.now())


@blueprint.get("/users")
@blueprint.input(UsersQuery, location="query")
@blueprint.output(Listing)
def list_users(query_data: UsersQuery) -> dict[str, Any]:
    """Accounts with their roles."""
    asked, now = query_data, core().clock.now()
    rows = read(reads.list_users, now, asked.department, asked.limit, asked.marker)
    return listing(rows, asked.limit)


@blueprint.get("/users/<user_id>")
@blueprint.output(Row)
def show_user(user_id: str) -> dict[str, Any]:
    """One account with its roles."""
    return show_user_row(user_id)


@blueprint.post("/users")
@blueprint.input(UserBody)
@blueprint.output(Row, status_code=201)
def create_user(json_data: UserBody) -> dict[str, Any]:
    """Make an account. `first_password` is shown this once and must be changed at the first sign-in."""
    new = people.NewUser(
        json_data.id, json_data.name, json_data.department, json_data.phone, json_data.language
    )
    password = people.create_user(core(), actor(), new)
    return {**show_user_row(new.id), "first_password": str(password)}


@blueprint.post("/users/<user_id>/disable")
@blueprint.output(Row)
def disable_user(user_id: str) -> dict[str, Any]:
    """End an account with its sessions and tokens."""
    people.disable_user(core(), actor(), user_id)
    return show_user_row(user_id)


@blueprint.post("/users/<user_id>/enable")
@blueprint.output(Row)
def enable_user(user_id: str) -> dict[str, Any]:
    """Open an ended or locked account."""
    people.enable_user(core(), actor(), user_id)
    return show_user_row(user_id)


@blueprint.post("/users/<user_id>/password")
@blueprint.output(Row)
def set_password(user_id: str) -> dict[str, Any]:
    """A new first password, shown this once; ends all sessions of the person."""
    password = people.set_password(core(), actor(), user_id)
    return {**show_user_row(user_id), "first_password": str(password)}


@blueprint.post("/users/<user_id>/roles")
@blueprint.input(RoleBody)
@blueprint.output(Row, status_code=201)
def grant_role(user_id: str, json_data: RoleBody) -> dict[str, Any]:
    """Give a role at a scope."""
    grant_id = people.grant_role(core(), actor(), user_id, json_data.role, parse_scope(json_data.scope))
    return next(row for row in show_user_row(user_id)["roles"] if row["id"] == grant_id)


@blueprint.delete("/users/<user_id>/roles/<int:grant_id>")
@blueprint.output(Done)
def revoke_role(user_id: str, grant_id: int) -> dict[str, Any]:
    """Take a role away."""
    people.revoke_role(core(), actor(), user_id, grant_id)
    return {"id": grant_id, "state": "revoked"}


def parse_scope(text: str) -> Scope:
    """`kind:id` as a scope. BadInput when it is not written so."""
    kind, separator, key = text.partition(":")
    if not (kind and separator and key):
        fault = Fault("scope", "bad_scope", "is not a scope", hint="write department:gx-finance")
        raise BadInput("the scope cannot be read", faults=[fault])
    return kind, key


def show_user_row(user_id: str) -> dict[str, Any]:
    return read(reads.show_user, core().clock.now(), user_id)
