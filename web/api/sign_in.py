"""Signing in without a browser: a password for a personal token, which is what programs then carry."""

from typing import Any

from apiflask import APIBlueprint
from flask import request
from pydantic import Field

from cloudctl.errors import BadInput, Fault
from cloudctl.queries.people import list_tokens as read_tokens
from tenants import people
from web.api.shapes import Body, Row
from web.visitor import core, request_id

blueprint = APIBlueprint("sign_in", __name__, url_prefix="/api/v1", tag="People")


class SignInBody(Body):
    user: str = Field(max_length=64)
    password: str = Field(max_length=1024)
    new_password: str | None = Field(None, max_length=1024)
    token_name: str = Field("command line", max_length=100)
    days: int = 30


@blueprint.post("/sign-in")
@blueprint.input(SignInBody)
@blueprint.output(Row, status_code=201)
def sign_in(json_data: SignInBody) -> dict[str, Any]:
    """A new token; `token` is shown this once. A first password must be changed with `new_password`."""
    secret = people.sign_in(core(), json_data.user, json_data.password, request.remote_addr or "")
    try:
        return _token(json_data, people.visit_of_session(core(), secret, request_id()))
    finally:
        people.sign_out(core(), secret)


def _token(wanted: SignInBody, visit: people.Visit) -> dict[str, Any]:
    if wanted.new_password is not None:
        people.change_password(
            core(), visit.actor, wanted.password, wanted.new_password, keep_session=visit.session_id
        )
    elif visit.must_change_password:
        fault = Fault("new_password", "first_password", "the first password must be changed")
        raise BadInput("choose a password of your own", faults=[fault])
    token = people.create_token(core(), visit.actor, wanted.token_name, wanted.days)
    with core().store.read() as uow:
        newest = read_tokens(uow, visit.actor, core().clock.now())[0]
    return {**newest, "token": str(token)}
