"""One's own account: password and tokens."""

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloudctl.errors import BadInput, CloudctlError, Fault
from cloudctl.queries.people import list_tokens, who_am_i
from tenants import people
from web.errors import problem
from web.visitor import actor, core, visit

blueprint = APIBlueprint("account", __name__, url_prefix="/account", enable_openapi=False)


@blueprint.get("/")
def show_account() -> str:
    return _account_page()


@blueprint.get("/password")
def password_form() -> str:
    return _password_page()


@blueprint.post("/password")
def change_password() -> Response | tuple[str, int]:
    """Change the password; this session stays, all others end."""
    here = visit()
    new = request.form.get("new", "")
    try:
        if new != request.form.get("again", ""):
            fault = Fault("again", "differs", "differs from the new password")
            raise BadInput("the password cannot be changed", faults=[fault])
        people.change_password(
            core(), actor(), request.form.get("old", ""), new, here.session_id if here is not None else None
        )
    except BadInput as error:
        return _password_page(error), 422
    return redirect(url_for("home.show", done="password_changed"), 303)


@blueprint.post("/tokens")
def create_token() -> tuple[str, int]:
    """The page shows the token this once; it is never in an address or a cookie."""
    try:
        days = int(request.form.get("days", ""))
    except ValueError:
        days = 0
    try:
        token = people.create_token(core(), actor(), request.form.get("name", ""), days)
    except BadInput as error:
        return _account_page(error), 422
    return _account_page(new_token=str(token)), 200


@blueprint.post("/tokens/<token_id>/revoke")
def revoke_token(token_id: str) -> Response:
    """End one of one's own tokens."""
    people.revoke_token(core(), actor(), token_id)
    return redirect(url_for("account.show_account", done="token_revoked"), 303)


def _account_page(error: CloudctlError | None = None, new_token: str | None = None) -> str:
    now = core().clock.now()
    with core().store.read() as uow:
        me, tokens = who_am_i(uow, actor(), now), list_tokens(uow, actor(), now)
    told = problem(error) if error is not None else None
    return render_template("account.html", me=me, tokens=tokens, problem=told, new_token=new_token)


def _password_page(error: CloudctlError | None = None) -> str:
    here = visit()
    told = problem(error) if error is not None else None
    return render_template("password.html", must=here is not None and here.must_change_password, problem=told)
