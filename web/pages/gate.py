"""Certificates of whether a system relies on the government cloud: issued, printed, checked by anybody."""

from typing import Any

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from tenants.migration import gate
from web.api.gate import with_words
from web.visitor import actor, core

blueprint = APIBlueprint("gate_pages", __name__, url_prefix="/certificates", enable_openapi=False)


@blueprint.post("/of/<key>")
def certify(key: str) -> Response:
    """Issue a certificate, and go to where it can be printed."""
    made = gate.certify(core(), actor(), key)
    return redirect(url_for("gate_pages.show", code=made["code"]), 303)


@blueprint.get("/")
def check() -> str | Response:
    """The form for a code."""
    code = request.args.get("code", "").strip()
    if code:
        return redirect(url_for("gate_pages.show", code=code[:200]), 303)
    return render_template("certificate_check.html", found=None, code="")


@blueprint.get("/<code>")
def show(code: str) -> str | tuple[str, int]:
    """The certificate as it is printed; an unknown code gets the form again."""
    found: dict[str, Any] = with_words(gate.verify_code(core(), code))
    if found["state"] == "unknown":
        return render_template("certificate_check.html", found=found, code=code[:60]), 404
    return render_template("certificate.html", certificate=found, address=_address())


def _address() -> str:
    """Where a code is checked, as it is printed."""
    public = core().settings.public_url.rstrip("/")
    return public + url_for("gate_pages.check") if public else url_for("gate_pages.check", _external=True)
