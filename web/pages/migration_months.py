"""Frozen months on pages: the list, one month with its figures and flags, and freezing another."""

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloudctl.clock import local_day
from cloudctl.errors import CloudctlError
from tenants.migration import archive, snapshots
from web.errors import problem, status_of
from web.migration_words import said
from web.visitor import actor, core

blueprint = APIBlueprint("month_pages", __name__, url_prefix="/migration/months", enable_openapi=False)


@blueprint.get("/")
def list_months() -> str:
    """Every snapshot, the newest month first."""
    return _page()


@blueprint.post("/")
def take() -> Response | tuple[str, int]:
    """Freeze a month; what is wrong with the wish is shown on the same page."""
    month, reason = (request.form.get(key, "").strip() for key in ("month", "reason"))
    try:
        key = snapshots.take(core(), actor(), month, reason=reason)
    except CloudctlError as error:
        return _page(error), int(status_of(error))
    return redirect(url_for("month_pages.show", key=key, done="month_frozen"), 303)


@blueprint.get("/<key>")
def show(key: str) -> str:
    """One snapshot with its figures and what to ask about them."""
    found = archive.show_snapshot(core(), actor(), key, request.args.get("scope") or None)
    flags = [said(row, "text") for row in found["flags"]]
    return render_template("migration_month.html", snapshot=found, flags=flags)


def _page(error: CloudctlError | None = None) -> str:
    return render_template(
        "migration_months.html",
        snapshots=archive.list_snapshots(core(), actor()),
        this_month=f"{local_day(core().clock.now()):%Y-%m}",
        asked=request.form,
        problem=problem(error) if error is not None else None,
    )
