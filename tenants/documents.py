"""Files that cloudctl made and keeps for people: bulletins, sheets of faults."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloudctl.actors import Actor
from cloudctl.clock import Clock, new_id
from cloudctl.core import Core
from cloudctl.errors import NotFound
from cloudctl.models import Document
from cloudctl.store import UnitOfWork

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv"


@dataclass(frozen=True)
class File:
    """A file to keep: its kind, the name it is saved as (with its ending), and whose it is.

    Only `owner_id` may read it; None: everybody who may see figures (`migration.see`). `days` is how long it
    can be read; None: for ever.
    """

    kind: str
    name: str
    media_type: str
    content: bytes
    owner_id: str | None = None
    subject: str = ""
    operation_id: int | None = None
    days: int | None = None


def keep(uow: UnitOfWork, clock: Clock, file: File) -> str:
    """Keep the file in the caller's transaction; its id. Files whose time is over are dropped on the way."""
    now = clock.now()
    uow.delete(Document, Document.expires_at <= now)
    row = Document(
        id=new_id(),
        kind=file.kind,
        name=file.name,
        media_type=file.media_type,
        content=file.content,
        sha256=hashlib.sha256(file.content).hexdigest(),
        owner_id=file.owner_id,
        subject=file.subject,
        operation_id=file.operation_id,
        made_at=now,
        expires_at=now + timedelta(days=file.days) if file.days is not None else None,
    )
    return uow.add(row).id


def open_document(core: Core, actor: Actor, document_id: str) -> Document:
    """The file, for whom it was made. NotFound for everybody else, and when its time is over."""
    with core.store.read() as uow:
        row = uow.get(Document, document_id)
        if row is None or not _may_read(actor, row) or _is_over(row, core.clock.now()):
            raise NotFound("{what} '{key}' does not exist", what="document", key=document_id)
        return row


def _may_read(actor: Actor, row: Document) -> bool:
    if row.owner_id is not None:
        return row.owner_id == actor.user_id
    return bool(actor.scopes("migration.see"))


def _is_over(row: Document, now: datetime) -> bool:
    return row.expires_at is not None and row.expires_at <= now
