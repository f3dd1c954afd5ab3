"""An error as a page for people; who is not signed in gets the form to sign in instead."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import g, make_response, render_template, request
from werkzeug.wrappers import Response


def show_problem(members: Mapping[str, Any]) -> Response:
    """The page with the error's own status. Never a stack trace."""
    if members["status"] == HTTPStatus.UNAUTHORIZED:
        came_back = "why_nobody" in g or request.endpoint == "session.sign_in"
        page = render_template(
            "sign_in.html",
            reason=members["detail"] if came_back else None,
            onward=request.form.get("onward") or (request.path if request.method == "GET" else None),
            user_id=request.form.get("user_id", ""),
        )
    else:
        page = render_template("error.html", problem=members)
    return make_response(page, members["status"])
