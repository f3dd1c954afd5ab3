"""The register on pages: the list, one system with its history, a sheet sent in with its preview."""

import hashlib
from datetime import date
from typing import Any, NamedTuple

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloudctl.errors import BadInput, CloudctlError, Conflict, Fault
from cloudctl.queries import register as reads
from cloudctl.queries import topology
from cloudctl.queries.register import Filter
from cloudctl.texts import has_entry
from tenants.register import importing, looking
from tenants.register.fields import BY_NAME, HOSTING, STAGES, Field
from tenants.register.workbook import shown
from web.errors import problem, status_of
from web.pages.stages import stage_context
from web.saying import fault_text
from web.visitor import actor, core, language, read, translate, words

blueprint = APIBlueprint("register_pages", __name__, url_prefix="/systems", enable_openapi=False)
_ON_A_PAGE = 100
_ASKED = ("department", "division", "stage", "hosting", "classified", "text")
# How the fields of a record are grouped: the heading, and the first and last field of the group.
_GROUPS = (
    ("Whose it is", "level", "life_state"),
    ("Classification", "is_classified", "network"),
    ("Protection", "mlps_level", "dr_tier"),
    ("Where it runs", "hosting", "is_domestic"),
    ("Responsible", "leader", "catalogue_id"),
    ("Origin", "commissioned_on", "split_from"),
    ("Way onto the cloud", "stage", "old_host_document"),
    ("Notes", "notes", "notes"),
)


class Sent(NamedTuple):
    """A file of a form."""

    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@blueprint.get("/")
def list_systems() -> str:
    """Systems by code, page by page, as filters want them."""
    asked = {key: request.args.get(key) or None for key in _ASKED}
    wanted = _wanted(asked)
    rows = read(reads.list_systems, wanted, limit=_ON_A_PAGE, marker=request.args.get("marker", ""))
    return render_template(
        "systems.html",
        systems=rows,
        count=read(reads.count_systems, wanted),
        departments=read(topology.list_departments, limit=2000),
        divisions=read(topology.list_divisions),
        stages={stage.value: word for stage, word in STAGES.items()},
        hosting=HOSTING,
        asked=asked,
        sent={key: value for key, value in asked.items() if value},
        next=rows[-1]["id"] if len(rows) == _ON_A_PAGE else None,
    )


@blueprint.get("/<key>")
def show(key: str) -> str:
    """One system: its record in groups, its stages, its projects, its history."""
    day = _day(request.args.get("as_of", ""))
    system = read(looking.show, key, day)
    return render_template(
        "system.html",
        system=system,
        groups=_groups(system),
        versions=[_told(version) for version in read(looking.show_history, key)],
        way=stage_context(system["id"]),
        onward=url_for("register_pages.show", key=system["id"]),
        day=day,
    )


@blueprint.get("/upload")
def upload() -> str:
    """The form for a sheet."""
    return _upload()


@blueprint.post("/upload")
def preview() -> str | tuple[str, int]:
    """What importing the sheet would do; nothing of it is kept but the sheet of its faults."""
    sent = _sent()
    try:
        made = importing.preview_import(
            core(), actor(), sent.content, sent.name, request.form.get("sheet") or None, fault_text
        )
    except CloudctlError as error:
        return _upload(error=error), int(status_of(error))
    return _upload(result=made.as_json())


@blueprint.post("/import")
def import_file() -> Response | tuple[str, int]:
    """Import the sheet that was looked at: the form sends it again, and it must be the same."""
    sent = _sent()
    try:
        if sent.sha256 != request.form.get("sha256"):
            raise Conflict("this is not the file that you have looked at", hint="look at it first")
        made = importing.import_systems(
            core(),
            actor(),
            sent.content,
            sent.name,
            request.form.get("partial") == "1",
            request.form.get("sheet") or None,
            fault_text,
        )
    except CloudctlError as error:
        return _upload(error=error), int(status_of(error))
    if made.faulty:
        return _upload(result=made.as_json()), 200
    return redirect(url_for("register_pages.list_systems", done="systems_imported"), 303)


def _upload(result: dict[str, Any] | None = None, error: CloudctlError | None = None) -> str:
    told = problem(error) if error is not None else None
    return render_template(
        "systems_upload.html", result=result, problem=told, sheet=request.form.get("sheet", "")
    )


def _sent() -> Sent:
    file = request.files.get("file")
    return Sent(file.filename or "", file.read()) if file is not None else Sent("", b"")


def _wanted(asked: dict[str, str | None]) -> Filter:
    classified = {"yes": True, "no": False}.get(asked["classified"] or "")
    return Filter(
        asked["department"], asked["division"], asked["stage"], asked["hosting"], classified, asked["text"]
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        fault = Fault("as_of", "bad_date", "'{text}' is no day", {"text": text[:40]}, "write 2026-11-21")
        raise BadInput("the day cannot be read", faults=[fault]) from error


def _groups(system: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The fields that say something, by group."""
    names = list(BY_NAME)
    found = []
    for heading, first, last in _GROUPS:
        fields = [BY_NAME[name] for name in names[names.index(first) : names.index(last) + 1]]
        rows = [(_title(field), _said(field, system.get(field.name))) for field in fields]
        found.append((translate()(heading), [(title, said) for title, said in rows if said]))
    return found


def _told(version: dict[str, Any]) -> dict[str, Any]:
    """A version with its changes in words."""
    changes = [
        (_title(BY_NAME[name]), _said(BY_NAME[name], before), _said(BY_NAME[name], after))
        for name, (before, after) in version["changes"].items()
        if name in BY_NAME
    ]
    return {**version, "said": changes, "reason": _cause(version["reason"])}


def _cause(reason: str) -> str:
    """`import:budget.xlsx` as people read it."""
    what, colon, more = reason.partition(":")
    context = "event" if has_entry(what, "event") else "cause"
    mark = "：" if language() == "zh" else ": "
    return words()(context, what) + (mark + more.strip() if colon else "")


def _title(field: Field) -> str:
    return field.title if language() == "zh" else field.name.replace("_", " ")


def _said(field: Field, value: Any) -> str:
    if value is None:
        return ""
    if language() == "zh":
        return shown(field, value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).replace("_", " ") if field.choices else str(value)
