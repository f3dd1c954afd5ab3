"""Sheets that offices send, right and odd: what tests of the register start from."""

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import openpyxl

from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault
from cloudctl.models import InformationSystem, SystemVersion
from tenants.register.fields import BY_NAME
from tenants.register.importing import ImportResult, import_systems, preview_import
from tests.builders import an_actor

BUDGET, ASSETS, SECRET, ENROLL = (
    "gx-finance-budget", "gx-finance-assets", "gx-finance-secret", "nn-qingxiu-edu-enroll",
)  # fmt: skip
DECISION: dict[str, Any] = {
    "decision_document": "桂保密〔2026〕3号",
    "decision_on": date(2026, 3, 1),
    "decision_reviewer": "周审",
}
# Everything that a system which has come all the way has to show.
ALL_THE_WAY: dict[str, Any] = {
    **DECISION,
    "assessed_on": date(2026, 4, 1),
    "plan_document": "桂财信〔2026〕5号",
    "planned_on": date(2026, 12, 1),
    "agreement": "全部",
    "agreement_document": "迁移协议〔2026〕8号",
    "agreed_on": date(2026, 5, 10),
    "migrating_from": date(2026, 6, 1),
    "trial_from": date(2026, 8, 1),
    "accepted_on": date(2026, 10, 1),
    "report_document": "迁云确认〔2026〕1号",
    "done_on": date(2026, 11, 1),
    "hosting": "政务云",
    "stage": "已完成",
}


def a_row(code: str = "gx-finance-tax", **more: object) -> dict[str, object]:
    """A new system of the finance department that nothing is wrong with."""
    return {"code": code, "name": "税费征管系统", "department": "gx-finance", **more}


def a_sheet(*rows: Mapping[str, object], above: Sequence[Sequence[object]] = ()) -> bytes:
    """A workbook with these rows under Chinese headings; a column for every field that any row names."""
    book = openpyxl.Workbook()
    fill(book.active, rows, above)
    return saved(book)


def fill(sheet: Any, rows: Iterable[Mapping[str, object]], above: Sequence[Sequence[object]] = ()) -> None:
    """Write headings and rows into an openpyxl sheet."""
    listed = list(rows)
    names = list(dict.fromkeys(name for row in listed for name in row))
    for line in above:
        sheet.append(list(line))
    sheet.append([BY_NAME[name].title if name in BY_NAME else name for name in names])
    for row in listed:
        sheet.append([row.get(name) for name in names])


def saved(book: openpyxl.Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def a_csv(*rows: Mapping[str, object], delimiter: str = ",") -> str:
    """The same as text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [
        [BY_NAME[name].title if name in BY_NAME else name for name in names],
        *([str(row.get(name, "")) for name in names] for row in rows),
    ]
    return "\r\n".join(delimiter.join(line) for line in lines)


def with_part(content: bytes, name: str, change: Any) -> bytes:
    """The workbook with one part of its zip changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            body = old.read(entry)
            new.writestr(entry.filename, change(body) if entry.filename == name else body)
    return file.getvalue()


def send(core: Core, content: bytes, user: str = "dave", **more: Any) -> ImportResult:
    """Import the file as somebody."""
    return import_systems(core, an_actor(core, user), content, "systems.xlsx", **more)


def look(core: Core, content: bytes, user: str = "dave", **more: Any) -> ImportResult:
    """Preview the file as somebody."""
    return preview_import(core, an_actor(core, user), content, "systems.xlsx", **more)


def faults_of(core: Core, *rows: Mapping[str, object], user: str = "dave") -> list[dict[str, Any]]:
    """The faults of the rows, in order."""
    return [fault for row in look(core, a_sheet(*rows), user).rows for fault in row["faults"]]


def codes_of(core: Core, *rows: Mapping[str, object], user: str = "dave") -> list[str]:
    return [fault["code"] for fault in faults_of(core, *rows, user=user)]


def refused(act: Any, *args: Any, **named: Any) -> tuple[Fault, ...]:
    """The faults with which the act is refused."""
    try:
        act(*args, **named)
    except BadInput as error:
        return error.faults
    raise AssertionError("was not refused")


def system(core: Core, code: str) -> InformationSystem:
    with core.store.read() as uow:
        return uow.need(InformationSystem, code)


def versions(core: Core, code: str) -> list[SystemVersion]:
    """The versions of a system, the oldest first."""
    with core.store.read() as uow:
        return uow.all(SystemVersion, SystemVersion.system_id == code, order_by=[SystemVersion.id])
