"""Bulletins: make one from a frozen month, see how far it is, take its files."""

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloudctl.errors import CloudctlError
from cloudctl.lifecycle import OperationState
from tenants.bulletin import reports
from tenants.bulletin.reports import Wish
from tenants.migration import archive
from web.errors import problem, status_of
from web.visitor import actor, core, language

blueprint = APIBlueprint("bulletin_pages", __name__, url_prefix="/bulletins", enable_openapi=False)
REFRESH_S = 3
_MOST = 100
_MOVING = (OperationState.QUEUED, OperationState.RUNNING)


@blueprint.get("/")
def show() -> str:
    """The bulletins there are, the newest first, and the form for another."""
    return _page()


@blueprint.post("/")
def make() -> Response | tuple[str, int]:
    """Start making one; what is wrong with the wish is shown on the same page."""
    asked = {key: request.form.get(key, "").strip() for key in ("month", "scope", "issuer")}
    wish = Wish(language=language(), issuer=asked["issuer"])
    try:
        reports.report(core(), actor(), asked["month"] or None, asked["scope"] or None, wish)
    except CloudctlError as error:
        return _page(error), int(status_of(error))
    return redirect(url_for("bulletin_pages.show", done="bulletin_asked"), 303)


def _page(error: CloudctlError | None = None) -> str:
    me = actor()
    rows = reports.list_reports(core(), me, limit=_MOST)
    for file in (file for row in rows for file in row["documents"]):
        file["href"] = url_for("documents.show", document_id=file["id"])
    months = dict.fromkeys(row["month"] for row in archive.list_snapshots(core(), me))
    return render_template(
        "bulletins.html",
        bulletins=rows,
        places=reports.places_for(core(), me),
        months=list(months),
        is_moving=any(row["state"] in _MOVING for row in rows),
        refresh_s=REFRESH_S,
        asked=request.form,
        problem=problem(error) if error is not None else None,
    )
