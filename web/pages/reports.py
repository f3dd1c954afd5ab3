"""Reports of drills and moves for people: which there are, what one says, and the files to take home."""

from apiflask import APIBlueprint
from flask import Response, render_template, request

from dr.reports import keeping
from web.sending import attachment
from web.visitor import actor, core, language

blueprint = APIBlueprint("report_pages", __name__, url_prefix="/recovery/reports", enable_openapi=False)
_MOST = 200


@blueprint.get("/")
def list_reports() -> str:
    """The newest first."""
    plan = request.args.get("plan") or None
    rows = keeping.list_reports(core(), actor(), plan, _MOST)
    return render_template("dr_reports.html", reports=rows, plan=plan)


@blueprint.get("/<key>")
def show(key: str) -> str:
    """One report in short, with its files."""
    return render_template("dr_report_page.html", report=keeping.show_report(core(), actor(), key))


@blueprint.get("/<key>/file")
def get_file(key: str) -> Response:
    """The file, to be saved or opened."""
    form = request.args.get("format", keeping.PDF)
    return attachment(*keeping.open_file(core(), actor(), key, form, language()))
