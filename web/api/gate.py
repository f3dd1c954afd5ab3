"""Certificates of whether a system relies on the government cloud, and the check of their codes."""

from typing import Any

from apiflask import APIBlueprint

from tenants.migration import gate
from web.api.shapes import Answer, Row
from web.migration_words import day
from web.saying import say
from web.visitor import actor, core

blueprint = APIBlueprint("gate", __name__, url_prefix="/api/v1", tag="Migration")


@blueprint.get("/systems/<key>/gate")
@blueprint.output(Answer)
def preview(key: str) -> dict[str, Any]:
    """What would be certified now; nothing is issued."""
    return with_words(gate.preview(core(), actor(), key))


@blueprint.post("/systems/<key>/gate")
@blueprint.output(Row, status_code=201)
def certify(key: str) -> dict[str, Any]:
    """Issue a certificate with a verification code."""
    return with_words(gate.certify(core(), actor(), key))


@blueprint.get("/gate/<code>")
@blueprint.output(Row)
def verify(code: str) -> dict[str, Any]:
    """Whether a certificate is valid, expired or unknown, and what it certifies. For anybody."""
    return with_words(gate.verify_code(core(), code))


def with_words(certificate: dict[str, Any]) -> dict[str, Any]:
    """The certificate with its reasons in the reader's words."""
    reasons = certificate.get("reasons")
    if reasons is None:
        return certificate
    told = [{**one, "message": say(one["template"], _spoken(one["params"]))} for one in reasons]
    return {**certificate, "reasons": told}


def _spoken(params: dict[str, Any]) -> dict[str, Any]:
    """Days as offices write them."""
    return {name: day(value) if name == "day" else value for name, value in params.items()}
