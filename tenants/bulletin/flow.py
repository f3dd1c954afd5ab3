"""The flow that makes a bulletin: page and workbook from one reading of the figures, the PDF from the page.

What is made is a row of `document` with the operation's number; a pass that follows a crash finds it there
and makes only what is missing. When it cannot be made, nothing of it is left.
"""

from dataclasses import dataclass
from typing import Any

from cloudctl.errors import CloudctlError
from cloudctl.lifecycle import Done, Failed, Later, Outcome
from cloudctl.models import Document, Operation
from cloudctl.operations import Run
from cloudctl.store import UnitOfWork
from tenants import documents
from tenants.bulletin import page, printing
from tenants.bulletin.assembling import assemble
from tenants.bulletin.pdf import STEPS
from tenants.bulletin.wording import Wording
from tenants.documents import File

KIND = SUBJECT = "bulletin"  # of operations, of documents, and of what they are about
HTML, PDF, XLSX = "html", "pdf", "xlsx"
FORMATS = (HTML, PDF, XLSX)
MEDIA_TYPES = {HTML: "text/html", PDF: "application/pdf", XLSX: documents.XLSX}
ToPdf = Any  # printing.to_pdf, or what stands for it in a test


@dataclass(frozen=True)
class Asked:
    """What was asked for, as the operation remembers it."""

    snapshot_id: int
    division: str
    language: str
    issuer: str
    formats: tuple[str, ...]
    by: str

    @classmethod
    def of(cls, operation: Operation) -> "Asked":
        given = operation.scratch["asked"]
        return cls(**{**given, "formats": tuple(given["formats"])})


class MakeBulletin:
    """Flow of the operations that make a bulletin."""

    def __init__(self, to_pdf: ToPdf = printing.to_pdf) -> None:
        self._to_pdf = to_pdf

    def advance(self, run: Run) -> Outcome:
        with run.store.read() as uow:
            operation = uow.need(Operation, run.operation_id)
            asked, had = Asked.of(operation), _made(uow, run.operation_id)
        if HTML not in had or (XLSX in asked.formats and XLSX not in had):
            self._write(run, asked)
            return Later(0, "the page is made; the PDF is next")
        if PDF in asked.formats and PDF not in had:
            self._print(run)
        return Done()

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        with run.write() as (uow, _operation):
            uow.delete(Document, Document.kind == KIND, Document.operation_id == run.operation_id)
            run.journal(uow, "bulletin", "failed", error.text())
        return Failed(error)

    # -- the pieces

    def _write(self, run: Run, asked: Asked) -> None:
        """Page and workbook, from the same figures, in the same transaction."""
        with run.write() as (uow, operation):
            operation.step, operation.why = "figures", "reading the frozen figures"
            operation.progress_total = steps_of(asked.formats)
        with run.store.read() as uow:
            bulletin = assemble(uow, asked.snapshot_id, asked.division, run.clock.now(), asked.issuer)
        name = Wording(bulletin, asked.language).file_name()
        made = {HTML: page.render(bulletin, asked.language).encode()}
        if XLSX in asked.formats:
            from tenants.bulletin import workbook  # noqa: PLC0415  # the library is large, and rarely needed

            made[XLSX] = workbook.make(bulletin, asked.language)
        with run.write() as (uow, operation):
            for form, content in made.items():
                _keep(uow, run, operation, form, name, content)
                run.journal(uow, form, "done", f"{len(content)} bytes")
            operation.step, operation.progress_done = "written", len(made)

    def _print(self, run: Run) -> None:
        """The PDF of the page that is kept."""
        with run.write() as (uow, operation):
            operation.step, operation.why = "pdf", "laying out the pages"
            run.journal(uow, PDF, "started")
            [kept] = uow.all(Document, *_of(run.operation_id, HTML))
            html, name = kept.content.decode(), kept.name.removesuffix(f".{HTML}")
            before = operation.progress_total - STEPS

        def on_step(step: int) -> None:
            with run.write() as (_uow, operation):
                operation.progress_done = before + step - 1

        content = self._to_pdf(html, on_step)
        with run.write() as (uow, operation):
            _keep(uow, run, operation, PDF, name, content)
            operation.progress_done = operation.progress_total
            run.journal(uow, PDF, "done", f"{len(content)} bytes")


def steps_of(formats: tuple[str, ...]) -> int:
    """How many steps the progress of these formats has."""
    return 1 + (XLSX in formats) + (STEPS if PDF in formats else 0)


def _keep(uow: UnitOfWork, run: Run, operation: Operation, form: str, name: str, content: bytes) -> None:
    """Keep a file of the operation, unless it has it already."""
    if uow.count(Document, *_of(run.operation_id, form)):
        return
    documents.keep(
        uow,
        run.clock,
        File(
            kind=KIND,
            name=f"{name}.{form}",
            media_type=MEDIA_TYPES[form],
            content=content,
            subject=operation.subject_id,
            operation_id=run.operation_id,
        ),
    )


def _made(uow: UnitOfWork, operation_id: int) -> set[str]:
    """The formats that are kept."""
    kept = set(uow.column(Document.media_type, Document.kind == KIND, Document.operation_id == operation_id))
    return {form for form, media_type in MEDIA_TYPES.items() if media_type in kept}


def _of(operation_id: int, form: str) -> tuple[Any, ...]:
    return (
        Document.kind == KIND,
        Document.operation_id == operation_id,
        Document.media_type == MEDIA_TYPES[form],
    )
