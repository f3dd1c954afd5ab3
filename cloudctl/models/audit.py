"""Tables of the audit chain."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from cloudctl.models.row import JsonDict, Row


class AuditEvent(Row):
    """One change by anyone, chained to the one before by hash. Rows are only ever added."""

    __tablename__ = "audit_event"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(index=True)
    action: Mapped[str] = mapped_column(index=True)
    subject_kind: Mapped[str]
    subject_id: Mapped[str]
    details: Mapped[JsonDict]
    trace_id: Mapped[str | None]  # the HTTP request or operation it happened in
    previous_hash: Mapped[str]
    hash: Mapped[str]


class AuditHead(Row):
    """The end of the chain: the one row that writers of the chain queue for."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True)
    seq: Mapped[int]
    hash: Mapped[str]
